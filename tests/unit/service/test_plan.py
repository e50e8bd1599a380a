"""A plan says which recorded decisions other rules flip, why, and where the record does not hold what they ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.errors import IntegrityError, PolicyInvalid
from controller.domain.signals import SignalKind
from controller.ports import RuleText
from controller.rulefmt import blob_id, load_policy
from controller.service.replay.plan import ModelPlan, PlanReport, Sides, make_plan
from controller.service.replay.plan.recorded import RecordedDecision
from tests.support.command import PATH, POLICY, Desk
from tests.support.house import FAILS, PASSES, UNDECIDED

OTHER = POLICY.replace("flight-delay", "other")


def text(policy: str, path: str = PATH) -> RuleText:
    return RuleText(path=path, text=policy, blob=blob_id(policy.encode()))


def with_gates(*gates: str) -> str:
    head = POLICY.partition("promote:")[0]
    return head + "promote:\n" + "".join(f"  - {gate}\n" for gate in gates)


def with_triggers(*lines: str) -> str:
    return POLICY.replace("  - new_data: {rows: 20000}", "\n".join(lines))


BETTER = "{name: better, metric: mae, better_than: champion}"


def history(*outcomes: Mapping[str, Any], rules: str = POLICY) -> Desk:
    """One training a month, each with the given evidence. Version 1 takes the empty seat."""
    app_context = Desk()
    app_context.enforce(rules)
    for month, outcome in enumerate((PASSES, *outcomes)):
        app_context.house.data(30_000, f"month-{month}")
        app_context.house.work(outcome)
        app_context.house.clock.advance(timedelta(days=31))
    return app_context


def plan(app_context: Desk, new: str, old: str = POLICY, **options: Any) -> PlanReport:
    sides = Sides(base=[text(old)], head=[text(new)], base_name="old", head_name="new")
    with app_context.house.store.read() as tx:
        return make_plan(tx, sides, load_policy, **options)


def only(found: PlanReport) -> ModelPlan:
    (model,) = found.models
    return model


def test_the_same_rules_change_nothing_and_are_not_replayed():
    found = plan(history(PASSES), POLICY)

    assert found.models == ()
    assert found.unchanged == 1


def test_a_comment_is_no_change():
    model = only(plan(history(PASSES), f"# for the reviewers\n{POLICY}"))

    assert model.flips == ()
    assert model.notes == ("Only comments or layout differ: no rule does.",)


def test_a_threshold_on_a_measured_metric_flips_a_promotion_and_says_why():
    app_context = history(PASSES, FAILS)
    new = with_gates(BETTER, "{name: absolute, metric: mae, at_most: 14}")

    model = only(plan(app_context, new))

    flip = model.flips[-1]
    assert flip.words == "promote v2 -> reject"
    assert flip.challenger == 2
    assert flip.because == "gate 'absolute' is new: fail, mae 14.2; needed: at most 14"
    assert flip.evidence["absolute"]["challenger"] == 14.2
    assert model.unknown == ()


def test_each_decision_is_counted_once_in_the_summary():
    app_context = history(PASSES, FAILS)
    new = with_gates(BETTER, "{name: absolute, metric: mae, at_most: 14}")

    model = only(plan(app_context, new))

    assert len(model.flips) == 2  # both promotions; the rejection stays one
    assert model.summary == f"2 of {len(app_context.house.records())} decisions change."


def test_a_confidence_is_judged_from_the_stored_p_value():
    app_context = history({"p_pass": 0.02})
    new = with_gates(
        "{name: better, metric: mae, better_than: champion, confidence: 0.99}",
    )

    (flip,) = (f for f in only(plan(app_context, new)).flips if f.challenger == 2)

    assert flip.words == "promote v2 -> hold"
    assert "gate 'better' says inconclusive, not pass" in flip.because


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(with_gates(BETTER, "{name: absolute, metric: mae, at_most: 14}"), id="gates"),
        pytest.param(with_triggers("  - new_data: {rows: 70000}"), id="a trigger"),
        pytest.param(POLICY + "limits: {cooldown: 40d}\n", id="a limit"),
        pytest.param(POLICY + "mode: audit\n", id="audit"),
        pytest.param(POLICY + "approval: {when: always, from: [ana]}\n", id="approvals"),
        pytest.param(POLICY + "rollback: {when: [{metric: mae, above: 20}]}\n", id="rollback"),
    ],
)
def test_a_decision_that_is_believed_is_the_one_that_the_old_rules_take_again(new: str):
    """Those of other bytes are never believed: a comment has them asked about every moment."""
    app_context = history(PASSES, FAILS, UNDECIDED, PASSES)

    believed = only(plan(app_context, new))
    again = only(plan(app_context, new, old=f"# for the reviewers\n{POLICY}"))

    assert replace(believed, old_blob=None) == replace(again, old_blob=None)


def test_what_other_code_decided_is_not_believed():
    (first, *_) = history(PASSES).house.records()
    older = {**json.loads(first.decision), "code": "1"}

    assert RecordedDecision.of(first.decision).outcome is not None
    assert RecordedDecision.of(json.dumps(older)).outcome is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "{}", '{"verdict": "train"}', '{"actions": [{"spec": 1}], "verdict": 2}'],
)
def test_what_is_no_decision_is_an_integrity_error(text: str):
    with pytest.raises(IntegrityError, match="RecordedDecision cannot be read"):
        RecordedDecision.of(text)


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        pytest.param(
            "{name: fast, metric: latency_ms_p95, at_most: 50}",
            "gate 'fast' asks for latency_ms_p95, which was not measured",
            id="metric",
        ),
        pytest.param(
            "{name: everywhere, metric: mae, better_than: champion, "
            "slices: {by: origin, min_rows: 300}}",
            "gate 'everywhere' asks for slices by origin of at least 300 rows, which were not measured",
            id="slices",
        ),
        pytest.param(
            "{name: anchored, metric: mae, not_worse_than: anchor, margin: 1%}",
            "gate 'anchored' compares with the anchor, which was not done",
            id="reference",
        ),
    ],
)
def test_what_was_not_measured_cannot_be_known(gate: str, why: str):
    app_context = history(PASSES, FAILS)

    model = only(plan(app_context, with_gates(BETTER, gate)))

    assert model.flips == ()
    assert [item.missing for item in model.unknown] == [(why,), (why,)]
    assert model.unknown[-1].words == "promote v2 -> promote v2 or reject or hold"


def test_a_gate_that_already_fails_is_known_whatever_else_was_not_measured():
    app_context = history(FAILS)
    new = with_gates(BETTER, "{name: fast, metric: latency_ms_p95, at_most: 50}")

    model = only(plan(app_context, new))

    assert [item.challenger for item in model.unknown] == [1]


@pytest.mark.parametrize(
    ("outcome", "gate", "words"),
    [
        pytest.param(FAILS, "better_than: champion, by: 0.5", [], id="stricter, failed before"),
        pytest.param(
            PASSES, "not_worse_than: champion, margin: 1%", [], id="looser, passed before"
        ),
        pytest.param(
            PASSES,
            "better_than: champion, by: 5%",
            ["promote v2 -> hold or reject"],
            id="estimate beyond the margin",
        ),
    ],
)
def test_another_margin_is_known_where_the_stored_test_settles_it(
    outcome: Mapping[str, Any], gate: str, words: list[str]
):
    app_context = history(outcome)

    model = only(plan(app_context, with_gates(f"{{name: better, metric: mae, {gate}}}")))

    assert [item.words for item in model.flips if item.challenger == 2] == words
    assert [item for item in model.unknown if item.challenger == 2] == []


def test_a_stricter_relative_margin_within_the_estimate_cannot_be_known():
    app_context = history(PASSES)

    model = only(
        plan(app_context, with_gates("{name: better, metric: mae, better_than: champion, by: 1%}"))
    )

    (item,) = (item for item in model.unknown if item.challenger == 2)
    assert item.words == "promote v2 -> hold or promote v2"
    assert "asks for another margin than was tested" in item.because


@pytest.mark.parametrize(
    ("by", "words"),
    [
        pytest.param("0.1", [], id="the bound clears it"),
        pytest.param("0.3", ["promote v2 -> hold"], id="the bound does not"),
        pytest.param("0.6", ["promote v2 -> reject"], id="the other bound is beyond it"),
    ],
)
def test_an_absolute_margin_shifts_the_bounds(by: str, words: list[str]):
    app_context = history(
        {"details": {"theta_low": -0.55, "theta_high": -0.25, "test": "bootstrap"}}
    )
    gate = f"{{name: better, metric: mae, better_than: champion, by: {by}}}"

    model = only(plan(app_context, with_gates(gate)))

    assert [item.words for item in model.flips if item.challenger == 2] == words
    assert [item for item in model.unknown if item.challenger == 2] == []


def test_a_budget_whose_book_was_not_kept_is_not_guessed():
    app_context = history({"p_pass": 0.01})

    model = only(plan(app_context, f"{POLICY}error_budget: {{false_promotions: 5%}}\n"))

    assert model.flips == ()
    assert any("book of the error budget" in item.because for item in model.unknown)


def test_an_approval_still_counts_when_a_gate_that_passes_is_added():
    asked = f"{POLICY}approval: {{when: inconclusive, from: [leads]}}\n"
    app_context = history(UNDECIDED, rules=asked)
    app_context.run("approve", "flight-delay", "2", "--reason", "seen", "--yes")
    assert app_context.house.champion == 2
    gate = "  - {name: absolute, metric: mae, at_most: 20}\n"
    head, _, tail = asked.partition("approval:")

    model = only(plan(app_context, f"{head}{gate}approval:{tail}", old=asked))

    assert model.decisions == len(app_context.house.records())
    assert (model.flips, model.unknown) == ((), ())


def test_a_higher_threshold_trains_later_and_the_count_follows_the_pending_signals():
    app_context = history(PASSES, PASSES, PASSES)

    model = only(plan(app_context, with_triggers("  - new_data: {rows: 50000}")))

    trains = [item for item in model.flips if item.old[0].trains]
    assert [item.words for item in trains] == ["train -> no action"] * 4
    assert trains[0].because == (
        "trigger 'new_data' says pending, not firing: 30,000 of 50,000 new rows"
    )
    assert model.trainings is not None
    assert model.trainings.recorded == 4
    assert model.trainings.words == (
        "Trainings: 4 with the old rules, 2 with the new ones: 2 fewer."
    )


def test_a_cooldown_is_followed_in_simulated_time():
    app_context = history(PASSES, PASSES, PASSES)

    model = only(plan(app_context, f"{POLICY}limits: {{cooldown: 40d}}\n"))

    assert model.trainings is not None
    assert (model.trainings.new.least, model.trainings.new.most) == (3, 3)


def test_a_new_schedule_is_counted_by_the_calendar():
    app_context = history(PASSES, PASSES, PASSES)
    both = '  - new_data: {rows: 20000}\n  - schedule: {cron: "0 3 1 * *"}'

    model = only(plan(app_context, POLICY.replace("  - new_data: {rows: 20000}", both)))

    assert model.trainings is not None
    assert model.trainings.new.least == 4 + 4  # March, April and May the first, and February's
    assert model.trainings.unknown == ()


def test_a_trigger_for_which_no_signal_was_recorded_cannot_be_known():
    app_context = history(PASSES)
    lines = ("  - new_data: {rows: 20000}", "  - drift: {metric: psi, above: 0.2}")

    model = only(plan(app_context, with_triggers(*lines)))

    assert model.trainings is not None
    assert model.trainings.unknown == ("trigger 'drift': no drift signal was recorded",)
    assert model.trainings.words.endswith("what cannot be known comes on top.")


def test_sample_sizes_of_changed_gates_are_held_against_the_holdouts():
    app_context = history({"details": {"standard_error": 0.2}}, PASSES)
    gate = "{name: better, metric: mae, better_than: champion, by: 1%}"

    (size,) = only(plan(app_context, with_gates(gate))).samples

    assert size.seen == (6000, 6000)
    assert size.needed is not None
    assert size.needed > 6000
    assert size.sentence.endswith("holdouts had 6,000: too few")


def test_only_decisions_since_a_time_are_replayed():
    app_context = history(PASSES, PASSES)
    records = app_context.house.records()
    since = records[-1].decided_at

    model = only(
        plan(app_context, with_gates("{name: sane, metric: mae, at_most: 1}"), since=since)
    )

    assert model.decisions == sum(record.decided_at >= since for record in records)
    assert [item.challenger for item in model.flips] == [3]


def test_a_new_and_a_removed_policy_are_named():
    app_context = history()
    sides = Sides(
        base=[text(POLICY)], head=[text(OTHER, "rules/other.yaml")], base_name="a", head_name="b"
    )

    with app_context.house.store.read() as tx:
        found = make_plan(tx, sides, load_policy)

    assert [(m.model, m.summary.split(":")[0]) for m in found.models] == [
        ("flight-delay", "The policy is gone"),
        ("other", "A new policy"),
    ]


def test_a_policy_that_cannot_be_read_is_refused():
    with pytest.raises(PolicyInvalid, match=r"flight-delay\.yaml:8"):
        plan(history(), POLICY.replace("metric: mae", "metrik: mae"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [("restore", "hold -> no action"), ("adopt", "hold -> promote v1")],
)
def test_a_plan_shows_how_a_foreign_move_would_have_been_settled(asked: str, words: str):
    app_context = history(PASSES)
    payload: dict[str, Any] = {"reason": "It was moved.", "found": 1, "version": 1}
    payload["may_adopt"] = True
    app_context.house.signal(SignalKind.FOREIGN_MOVE, actor="registry:mlflow://x", **payload)
    app_context.house.tick()

    model = only(plan(app_context, f"{POLICY}registry: {{moved_elsewhere: {asked}}}\n"))

    assert [flip.words for flip in model.flips] == [words]
    assert f"the policy asks to {asked}" in model.flips[0].because
