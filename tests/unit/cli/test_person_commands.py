"""promote, rollback, hold, release, approve, reject, signal, runs cancel: a person's word takes the one path."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest

from controller.domain.runs import RunState
from controller.domain.signals import SignalKind
from controller.policy.reasons import train as training
from tests.support.command import POLICY, Desk
from tests.support.house import FAILS, MODEL, UNDECIDED

ASKS = POLICY + "approval: {when: inconclusive, from: [leads]}\n"


@pytest.fixture
def app_context() -> Desk:
    """Two champions one after the other; v2 sits in the seat."""
    app_context = Desk()
    for name in ("jan", "feb"):
        app_context.house.data(30_000, name)
        app_context.house.work()
        app_context.house.clock.advance(timedelta(days=31))
    assert app_context.house.champion == 2
    return app_context


def test_rollback_gives_the_seat_back_once_the_target_has_answered(app_context: Desk):
    said = app_context.run("rollback", MODEL, "--reason", "late labels look bad", "--yes")
    assert "rolls back from v2" in said.stderr
    assert f"{MODEL}.r5 verifies that v1 still answers" in said.stdout
    assert app_context.house.champion == 2
    app_context.house.work()
    assert app_context.house.champion == 1
    assert app_context.house.states() == {1: "champion", 2: "rejected"}
    assert "on hold" in app_context.run("status").stdout
    newest = app_context.json("decisions", "--verdict", "rollback")[0]
    assert "person:ana rolled back from v2 to v1" in newest["reason"]


def test_a_forced_rollback_does_not_wait(app_context: Desk):
    said = app_context.run("rollback", MODEL, "--reason", "it harms", "--force", "--yes")
    assert "person:ana rolled back from v2 to v1: it harms" in said.stdout
    assert app_context.house.champion == 1
    assert app_context.json("decisions")[0]["actor"] == "person:ana"


def test_hold_and_release(app_context: Desk):
    app_context.run("hold", MODEL, "--reason", "holidays", "--yes")
    app_context.house.data(30_000, "mar")
    app_context.house.work()
    assert app_context.house.champion == 2
    app_context.run("release", MODEL, "--reason", "back", "--yes")
    assert app_context.house.champion == 3
    assert (
        "is not on hold"
        in app_context.run("release", MODEL, "--reason", "x", "--yes", code=4).stderr
    )


def test_promote_by_hand_is_recorded_with_its_reason(app_context: Desk):
    app_context.house.data(30_000, "mar")
    app_context.house.work(UNDECIDED)
    answer = app_context.json("promote", MODEL, "v3", "--reason", "the old one is worse", "--yes")
    assert (answer["status"], answer["schema_version"]) == ("handled", 1)
    assert app_context.house.champion == 3
    newest = app_context.json("decisions")[0]
    assert (newest["id"], newest["verdict"]) == (answer["decision"], "promote")
    assert "by hand: the old one is worse" in newest["reason"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["promote", MODEL, "9"], "v9 cannot be promoted: it is not in play.", id="unknown"),
        pytest.param(["promote", MODEL, "2"], "v2 is the champion already.", id="champion"),
        pytest.param(
            ["promote", MODEL, "1", "--expect-version", "1"], "v1 is no longer the champion", id="stale"
        ),
        pytest.param(
            ["promote", MODEL, "1", "--expect-version", "0"], "has a champion already: v2", id="not-empty"
        ),
        pytest.param(
            ["rollback", MODEL, "--expect-version", "1"], "v1 is no longer the champion", id="rollback-stale"
        ),
        pytest.param(["rollback", MODEL, "--to", "7"], "cannot roll back to v7", id="rollback-to"),
        pytest.param(["reject", MODEL, "2"], "v2 is the champion: roll back instead", id="reject"),
        pytest.param(["runs", "cancel", f"{MODEL}.r1"], "it is done", id="cancel"),
    ],
)  # fmt: skip
def test_a_refused_word_ends_in_conflict_and_changes_nothing(
    app_context: Desk, words: list[str], said: str
):
    before = app_context.house.states()
    result = app_context.run(*words, "--reason", "because", "--yes", code=4)
    assert said in result.stderr
    assert result.stdout == ""
    assert app_context.house.states() == before


@pytest.mark.parametrize("command", ["promote", "reject", "approve"])
def test_a_change_needs_a_reason(app_context: Desk, command: str):
    assert "needs a reason" in app_context.run(command, MODEL, "1", "--yes", code=2).stderr


def test_nobody_to_ask_means_no_change(app_context: Desk):
    result = app_context.run("rollback", MODEL, "--reason", "x", code=2)
    assert "Nobody can be asked here. Add --yes to go ahead." in result.stderr
    assert app_context.house.champion == 2


def test_approval_counts_for_the_evidence_that_was_seen(app_context: Desk):
    app_context.enforce(ASKS)
    app_context.house.data(30_000, "mar")
    app_context.house.work(UNDECIDED)
    stale = app_context.run(
        "approve", MODEL, "3", "--reason", "fine", "--evidence", "0123456789", "--yes", code=4
    )
    assert "evidence about v3 is" in stale.stderr
    app_context.actor = "eve"
    refused = app_context.run("approve", MODEL, "3", "--reason", "fine by me", "--yes", code=4)
    assert "person:eve is in none of the groups leads." in refused.stderr
    app_context.actor = "ana"
    app_context.run("approve", MODEL, "3", "--reason", "fine by me", "--yes")
    assert app_context.house.champion == 3


@pytest.mark.parametrize(
    "asked", [[], ["--type", "com.example.labels"]], ids=["by hand", "by an event"]
)
def test_who_caused_the_training_by_any_signal_cannot_approve_it(
    app_context: Desk, asked: list[str]
):
    webhook = "  - webhook: {type: com.example.labels}\n"
    app_context.enforce(ASKS.replace("promote:", f"{webhook}promote:"))
    app_context.run("signal", MODEL, *asked, "--reason", "labels fixed")
    app_context.house.work(UNDECIDED)
    app_context.groups = {"leads": ["ana", "ben"]}
    refused = app_context.run("approve", MODEL, "3", "--reason", "fine by me", "--yes", code=2)
    assert "You asked for v3 yourself" in refused.stderr
    app_context.actor = "ben"
    app_context.run("approve", MODEL, "3", "--reason", "fine by me", "--yes")
    assert app_context.house.champion == 3


def test_reject_sends_a_waiting_challenger_away(app_context: Desk):
    app_context.house.data(30_000, "mar")
    app_context.house.work(UNDECIDED)
    app_context.run("reject", MODEL, "3", "--reason", "no", "--yes")
    assert app_context.house.states()[3] == "rejected"


def test_signal_asks_for_a_training_once_for_a_key(app_context: Desk):
    first = app_context.json("signal", MODEL, "--reason", "labels fixed", "--key", "ticket-12")
    again = app_context.json("signal", MODEL, "--reason", "labels fixed", "--key", "ticket-12")
    assert (first["fresh"], again["fresh"]) == (True, False)
    assert first["signal"] == again["signal"]
    assert [d.verdict.value for d in app_context.house.tick()] == ["train"]


def test_a_key_belongs_to_its_model_and_kind(app_context: Desk):
    """The same key of another model or kind is another signal; with another body it is a conflict, exit 4."""
    app_context.enforce(POLICY.replace(MODEL, "other"))
    figure = ["signal", "metric", "--metric", "mae", "-n", "9", "--key", "g1"]
    words = [
        [*asked, model, *more]
        for model in (MODEL, "other")
        for asked, more in ((["signal"], ["--key", "g1"]), (figure, ["--value", "3"]))
    ]
    first = [app_context.json(*said) for said in words]
    assert [answer["fresh"] for answer in first] == [True] * 4
    assert len({answer["signal"] for answer in first}) == 4
    again = [app_context.json(*said) for said in words]
    assert [(a["signal"], a["fresh"]) for a in again] == [(f["signal"], False) for f in first]
    for clash in (
        [*figure, MODEL, "--value", "4"],
        ["signal", MODEL, "--key", "g1", "--reason", "else"],
        ["signal", MODEL, "--key", "g1", "--payload", '{"x": 1}'],
    ):
        refused = app_context.run(*clash, code=4)
        assert "was used for something else" in refused.stderr
        assert f"It is signal {first[clash[1] == 'metric']['signal']}" in refused.stderr
    app_context.actor = "ben"
    assert app_context.json("signal", MODEL, "--key", "g1", "--reason", "else")["fresh"]


def test_signal_can_be_waited_for(app_context: Desk):
    answer = app_context.json("signal", MODEL, "--wait", "5")
    assert (answer["status"], answer["reason"]) == ("handled", f"{MODEL}.r5 was started")


def test_a_dry_run_says_what_would_happen_and_leaves_no_trace(app_context: Desk):
    before = (len(app_context.house.records()), app_context.house.statuses())
    said = app_context.run("signal", MODEL, "--dry-run").stdout
    assert said.startswith("TRAIN (dry run, nothing was changed)")
    assert "manual (asked for by person:ana)" in said
    assert (len(app_context.house.records()), app_context.house.statuses()) == before


@pytest.mark.parametrize("payload", ["[1]", "{"])
def test_a_payload_that_is_no_object_is_refused(app_context: Desk, payload: str):
    assert (
        "--payload is no JSON"
        in app_context.run("signal", MODEL, "--payload", payload, code=2).stderr
    )


def test_cancel_and_retry_a_run(app_context: Desk):
    app_context.house.data(30_000, "mar")
    app_context.house.tick()
    run = f"{MODEL}.r5"
    assert (
        "has not ended"
        in app_context.run("runs", "retry", run, "--reason", "x", "--yes", code=4).stderr
    )
    app_context.run("runs", "cancel", run, "--reason", "wrong data", "--yes")
    with app_context.house.store.read() as tx:
        cancelled = tx.runs.get(run)
    assert cancelled is not None
    assert cancelled.state is RunState.CANCELLED
    app_context.run("runs", "retry", run, "--reason", "data mended", "--yes")
    assert app_context.json("runs")[0]["id"] == f"{MODEL}.r6"
    assert app_context.house.work(FAILS)[-1].verdict.value == "reject"


def test_an_evaluation_is_not_repeated_alone(app_context: Desk):
    result = app_context.run("runs", "retry", f"{MODEL}.r2", "--reason", "x", "--yes", code=2)
    assert "is no training" in result.stderr


def test_the_actor_is_the_person_at_the_terminal(app_context: Desk):
    app_context.actor = "webhook:deploy"
    app_context.run("signal", MODEL)
    with app_context.house.store.read() as tx:
        (newest,) = [s for s in tx.signals.pending(MODEL) if s.kind is SignalKind.MANUAL]
    assert newest.actor == "webhook:deploy"


def test_roles_of_the_settings_hold_at_the_command_line_too(app_context: Desk):
    app_context.roles = {"reviewer": ["ana"], "viewer": ["eve"]}
    refused = app_context.run("rollback", MODEL, "--reason", "x", "--yes", code=2)
    assert "This takes the role operator; you are reviewer." in refused.stderr
    app_context.actor = "eve"
    refused = app_context.run("signal", MODEL, "--reason", "x", code=2)
    assert "This takes the role operator; you are viewer." in refused.stderr
    assert app_context.house.champion == 2


def test_who_asked_for_the_training_cannot_approve_it_at_the_command_line(app_context: Desk):
    app_context.enforce(ASKS)
    app_context.run("signal", MODEL, "--reason", "try it")
    app_context.house.work(UNDECIDED)
    refused = app_context.run("approve", MODEL, "3", "--reason", "mine", "--yes", code=2)
    assert "You asked for v3 yourself; somebody else has to approve it." in refused.stderr
    assert app_context.house.champion == 2


def test_a_signal_that_nobody_wants_is_dismissed(app_context: Desk):
    stuck = app_context.house.signal(SignalKind.MANUAL, reason="by mistake")
    said = app_context.run("signals", "dismiss", f"{stuck}", "--reason", "sent twice", "--yes")
    assert f"person:ana dismissed signal {stuck}: sent twice. (decision" in said.stdout
    assert app_context.house.statuses()[stuck] == "skipped"
    app_context.house.work()
    assert len(app_context.json("runs")) == 4, "nothing was trained for it"
    again = app_context.run("signals", "dismiss", f"{stuck}", "--reason", "x", "--yes", code=4)
    assert f"Signal {stuck} has its answer already: it is skipped." in again.stderr
    assert "There is no signal 999" in app_context.run(
        "signals", "dismiss", "999", "--reason", "x", "--yes", code=3
    ).stderr  # fmt: skip


def test_a_dismissal_reaches_a_model_that_rests(app_context: Desk):
    house = app_context.house
    with patch.object(training, "judge_triggers", side_effect=ZeroDivisionError):
        stuck = house.signal(SignalKind.MANUAL, reason="by mistake")
        house.tick()
        assert "stopped by an error" in app_context.run("doctor", code=1).stdout
        app_context.run("signals", "dismiss", f"{stuck}", "--reason", "it is stuck", "--yes")
        assert house.statuses()[stuck] == "skipped"
