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
def desk() -> Desk:
    """Two champions one after the other; v2 sits in the seat."""
    desk = Desk()
    for name in ("jan", "feb"):
        desk.house.data(30_000, name)
        desk.house.work()
        desk.house.clock.advance(timedelta(days=31))
    assert desk.house.champion == 2
    return desk


def test_rollback_gives_the_seat_back_once_the_target_has_answered(desk: Desk):
    said = desk.run("rollback", MODEL, "--reason", "late labels look bad", "--yes")
    assert "v2 leaves the seat" in said.stderr
    assert f"{MODEL}.r5 proves that v1 still answers" in said.stdout
    assert desk.house.champion == 2
    desk.house.work()
    assert desk.house.champion == 1
    assert desk.house.states() == {1: "champion", 2: "rejected"}
    assert "on hold" in desk.run("status").stdout
    newest = desk.json("decisions", "--verdict", "rollback")[0]
    assert "person:ana rolled back from v2 to v1" in newest["reason"]


def test_a_forced_rollback_does_not_wait(desk: Desk):
    said = desk.run("rollback", MODEL, "--reason", "it harms", "--force", "--yes")
    assert "person:ana rolled back from v2 to v1: it harms" in said.stdout
    assert desk.house.champion == 1
    assert desk.json("decisions")[0]["actor"] == "person:ana"


def test_hold_and_release(desk: Desk):
    desk.run("hold", MODEL, "--reason", "holidays", "--yes")
    desk.house.data(30_000, "mar")
    desk.house.work()
    assert desk.house.champion == 2
    desk.run("release", MODEL, "--reason", "back", "--yes")
    assert desk.house.champion == 3
    assert "is not on hold" in desk.run("release", MODEL, "--reason", "x", "--yes", code=4).stderr


def test_promote_by_hand_is_recorded_with_its_reason(desk: Desk):
    desk.house.data(30_000, "mar")
    desk.house.work(UNDECIDED)
    answer = desk.json("promote", MODEL, "v3", "--reason", "the old one is worse", "--yes")
    assert (answer["status"], answer["schema_version"]) == ("handled", 1)
    assert desk.house.champion == 3
    newest = desk.json("decisions")[0]
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
            ["promote", MODEL, "1", "--expect-version", "0"], "is not empty: v2 sits there", id="not-empty"
        ),
        pytest.param(
            ["rollback", MODEL, "--expect-version", "1"], "v1 is no longer the champion", id="rollback-stale"
        ),
        pytest.param(["rollback", MODEL, "--to", "7"], "v7 can take the seat back", id="rollback-to"),
        pytest.param(["reject", MODEL, "2"], "v2 is the champion: roll back instead", id="reject"),
        pytest.param(["runs", "cancel", f"{MODEL}.r1"], "it is done", id="cancel"),
    ],
)  # fmt: skip
def test_a_refused_word_ends_in_conflict_and_changes_nothing(
    desk: Desk, words: list[str], said: str
):
    before = desk.house.states()
    result = desk.run(*words, "--reason", "because", "--yes", code=4)
    assert said in result.stderr
    assert result.stdout == ""
    assert desk.house.states() == before


@pytest.mark.parametrize("command", ["promote", "reject", "approve"])
def test_a_change_needs_a_reason(desk: Desk, command: str):
    assert "needs a reason" in desk.run(command, MODEL, "1", "--yes", code=2).stderr


def test_nobody_to_ask_means_no_change(desk: Desk):
    result = desk.run("rollback", MODEL, "--reason", "x", code=2)
    assert "Nobody can be asked here. Add --yes to go ahead." in result.stderr
    assert desk.house.champion == 2


def test_approval_counts_for_the_evidence_that_was_seen(desk: Desk):
    desk.enforce(ASKS)
    desk.house.data(30_000, "mar")
    desk.house.work(UNDECIDED)
    stale = desk.run(
        "approve", MODEL, "3", "--reason", "fine", "--evidence", "0123456789", "--yes", code=4
    )
    assert "evidence about v3 is" in stale.stderr
    desk.actor = "eve"
    refused = desk.run("approve", MODEL, "3", "--reason", "fine by me", "--yes", code=4)
    assert "person:eve is in none of the groups leads." in refused.stderr
    desk.actor = "ana"
    desk.run("approve", MODEL, "3", "--reason", "fine by me", "--yes")
    assert desk.house.champion == 3


@pytest.mark.parametrize(
    "asked", [[], ["--type", "com.example.labels"]], ids=["by hand", "by an event"]
)
def test_who_caused_the_training_by_any_signal_cannot_approve_it(desk: Desk, asked: list[str]):
    webhook = "  - webhook: {type: com.example.labels}\n"
    desk.enforce(ASKS.replace("promote:", f"{webhook}promote:"))
    desk.run("signal", MODEL, *asked, "--reason", "labels fixed")
    desk.house.work(UNDECIDED)
    desk.groups = {"leads": ["ana", "ben"]}
    refused = desk.run("approve", MODEL, "3", "--reason", "fine by me", "--yes", code=2)
    assert "You asked for v3 yourself" in refused.stderr
    desk.actor = "ben"
    desk.run("approve", MODEL, "3", "--reason", "fine by me", "--yes")
    assert desk.house.champion == 3


def test_reject_sends_a_waiting_challenger_away(desk: Desk):
    desk.house.data(30_000, "mar")
    desk.house.work(UNDECIDED)
    desk.run("reject", MODEL, "3", "--reason", "no", "--yes")
    assert desk.house.states()[3] == "rejected"


def test_signal_asks_for_a_training_once_for_a_key(desk: Desk):
    first = desk.json("signal", MODEL, "--reason", "labels fixed", "--key", "ticket-12")
    again = desk.json("signal", MODEL, "--reason", "labels fixed", "--key", "ticket-12")
    assert (first["fresh"], again["fresh"]) == (True, False)
    assert first["signal"] == again["signal"]
    assert [d.verdict.value for d in desk.house.tick()] == ["train"]


def test_a_key_belongs_to_its_model_and_kind(desk: Desk):
    """The same key of another model or kind is another signal; with another body it is a conflict, exit 4."""
    desk.enforce(POLICY.replace(MODEL, "other"))
    figure = ["signal", "metric", "--metric", "mae", "-n", "9", "--key", "g1"]
    words = [
        [*asked, model, *more]
        for model in (MODEL, "other")
        for asked, more in ((["signal"], ["--key", "g1"]), (figure, ["--value", "3"]))
    ]
    first = [desk.json(*said) for said in words]
    assert [answer["fresh"] for answer in first] == [True] * 4
    assert len({answer["signal"] for answer in first}) == 4
    again = [desk.json(*said) for said in words]
    assert [(a["signal"], a["fresh"]) for a in again] == [(f["signal"], False) for f in first]
    for clash in (
        [*figure, MODEL, "--value", "4"],
        ["signal", MODEL, "--key", "g1", "--reason", "else"],
        ["signal", MODEL, "--key", "g1", "--payload", '{"x": 1}'],
    ):
        refused = desk.run(*clash, code=4)
        assert "was used for something else" in refused.stderr
        assert f"It is signal {first[clash[1] == 'metric']['signal']}" in refused.stderr
    desk.actor = "ben"
    assert desk.json("signal", MODEL, "--key", "g1", "--reason", "else")["fresh"]


def test_signal_can_be_waited_for(desk: Desk):
    answer = desk.json("signal", MODEL, "--wait", "5")
    assert (answer["status"], answer["reason"]) == ("handled", f"{MODEL}.r5 was started")


def test_a_dry_run_says_what_would_happen_and_leaves_no_trace(desk: Desk):
    before = (len(desk.house.records()), desk.house.statuses())
    said = desk.run("signal", MODEL, "--dry-run").stdout
    assert said.startswith("TRAIN (dry run, nothing was changed)")
    assert "manual (asked for by person:ana)" in said
    assert (len(desk.house.records()), desk.house.statuses()) == before


@pytest.mark.parametrize("payload", ["[1]", "{"])
def test_a_payload_that_is_no_object_is_refused(desk: Desk, payload: str):
    assert "--payload is no JSON" in desk.run("signal", MODEL, "--payload", payload, code=2).stderr


def test_cancel_and_retry_a_run(desk: Desk):
    desk.house.data(30_000, "mar")
    desk.house.tick()
    run = f"{MODEL}.r5"
    assert (
        "has not ended" in desk.run("runs", "retry", run, "--reason", "x", "--yes", code=4).stderr
    )
    desk.run("runs", "cancel", run, "--reason", "wrong data", "--yes")
    with desk.house.store.read() as tx:
        cancelled = tx.runs.get(run)
    assert cancelled is not None
    assert cancelled.state is RunState.CANCELLED
    desk.run("runs", "retry", run, "--reason", "data mended", "--yes")
    assert desk.json("runs")[0]["id"] == f"{MODEL}.r6"
    assert desk.house.work(FAILS)[-1].verdict.value == "reject"


def test_an_evaluation_is_not_repeated_alone(desk: Desk):
    result = desk.run("runs", "retry", f"{MODEL}.r2", "--reason", "x", "--yes", code=2)
    assert "is no training" in result.stderr


def test_the_actor_is_the_person_at_the_terminal(desk: Desk):
    desk.actor = "webhook:deploy"
    desk.run("signal", MODEL)
    with desk.house.store.read() as tx:
        (newest,) = [s for s in tx.signals.pending(MODEL) if s.kind is SignalKind.MANUAL]
    assert newest.actor == "webhook:deploy"


def test_roles_of_the_settings_hold_at_the_command_line_too(desk: Desk):
    desk.roles = {"reviewer": ["ana"], "viewer": ["eve"]}
    refused = desk.run("rollback", MODEL, "--reason", "x", "--yes", code=2)
    assert "This takes the role operator; you are reviewer." in refused.stderr
    desk.actor = "eve"
    refused = desk.run("signal", MODEL, "--reason", "x", code=2)
    assert "This takes the role operator; you are viewer." in refused.stderr
    assert desk.house.champion == 2


def test_who_asked_for_the_training_cannot_approve_it_at_the_command_line(desk: Desk):
    desk.enforce(ASKS)
    desk.run("signal", MODEL, "--reason", "try it")
    desk.house.work(UNDECIDED)
    refused = desk.run("approve", MODEL, "3", "--reason", "mine", "--yes", code=2)
    assert "You asked for v3 yourself; somebody else has to approve it." in refused.stderr
    assert desk.house.champion == 2


def test_a_signal_that_nobody_wants_is_dismissed(desk: Desk):
    stuck = desk.house.signal(SignalKind.MANUAL, reason="by mistake")
    said = desk.run("signals", "dismiss", f"{stuck}", "--reason", "sent twice", "--yes")
    assert f"person:ana dismissed signal {stuck}: sent twice. (decision" in said.stdout
    assert desk.house.statuses()[stuck] == "skipped"
    desk.house.work()
    assert len(desk.json("runs")) == 4, "nothing was trained for it"
    again = desk.run("signals", "dismiss", f"{stuck}", "--reason", "x", "--yes", code=4)
    assert f"Signal {stuck} has its answer already: it is skipped." in again.stderr
    assert "There is no signal 999" in desk.run(
        "signals", "dismiss", "999", "--reason", "x", "--yes", code=3
    ).stderr  # fmt: skip


def test_a_dismissal_reaches_a_model_that_rests(desk: Desk):
    house = desk.house
    with patch.object(training, "judge_triggers", side_effect=ZeroDivisionError):
        stuck = house.signal(SignalKind.MANUAL, reason="by mistake")
        house.tick()
        assert "rests" in desk.run("doctor", code=1).stdout
        desk.run("signals", "dismiss", f"{stuck}", "--reason", "it is stuck", "--yes")
        assert house.statuses()[stuck] == "skipped"
