"""What each gate makes of its evidence: a matrix, and the sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.decisions import Result
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import Comparison, Gate, Margin, Reference, Slices
from controller.policy.gates import judge_gate, judge_gates, worst_result
from tests.support.house import BETTER, FAILS, UNDECIDED, evidence, servable

POINT = Gate(
    name="point",
    metric="mae",
    comparison=Comparison.BETTER_THAN,
    reference=Reference.CHAMPION,
    test="point",
)
NOT_WORSE = Gate(
    name="no worse",
    metric="mae",
    comparison=Comparison.NOT_WORSE_THAN,
    reference=Reference.CHAMPION,
    margin=Margin(value=0.03, relative=True),
)
AT_MOST = Gate(name="absolute", metric="mae", comparison=Comparison.AT_MOST, threshold=20)
AT_LEAST = Gate(name="auc", metric="roc_auc", comparison=Comparison.AT_LEAST, threshold=0.8)

CASES: list[tuple[str, Gate, dict[str, Any], Result]] = [
    ("better and proven", BETTER, {}, Result.PASS),
    ("better by luck", BETTER, dict(UNDECIDED), Result.INCONCLUSIVE),
    ("worse and proven", BETTER, dict(FAILS), Result.FAIL),
    ("p exactly at the level", BETTER, {"p_pass": 0.05}, Result.PASS),
    ("p just above the level", BETTER, {"p_pass": 0.0501, "p_fail": 0.9}, Result.INCONCLUSIVE),
    ("no p-value", BETTER, {"p_pass": None, "p_fail": None}, Result.INCONCLUSIVE),
    ("no theta", BETTER, {"theta": None}, Result.INCONCLUSIVE),
    ("metric missing", BETTER, {"challenger": None}, Result.ERROR),
    ("metric missing, with a p-value", BETTER, {"challenger": None, "p_pass": 0.0}, Result.ERROR),
    ("a problem beats the p-value", BETTER, {"problem": "mae is NaN"}, Result.INCONCLUSIVE),
    (
        "a problem without a value",
        BETTER,
        {"problem": "mae is NaN", "challenger": None},
        Result.ERROR,
    ),
    ("point, better", POINT, {"p_pass": None}, Result.PASS),
    ("point, equal", POINT, {"theta": 0.0}, Result.FAIL),
    ("point, no theta", POINT, {"theta": None}, Result.ERROR),
    ("no worse and proven", NOT_WORSE, {}, Result.PASS),
    ("no worse, worse", NOT_WORSE, dict(FAILS), Result.FAIL),
    ("at most, at it", AT_MOST, {"challenger": 20.0}, Result.PASS),
    ("at most, above", AT_MOST, {"challenger": 20.01}, Result.FAIL),
    ("at least, at it", AT_LEAST, {"challenger": 0.8}, Result.PASS),
    ("at least, below", AT_LEAST, {"challenger": 0.79}, Result.FAIL),
    ("at least, missing", AT_LEAST, {"challenger": None}, Result.ERROR),
]


@pytest.mark.parametrize(
    ("gate", "changes", "result"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_result(gate: Gate, changes: dict[str, Any], result: Result):
    assert judge_gate(gate, evidence(gate, **changes)).result is result


def test_no_evidence_at_all_is_an_error():
    assert judge_gate(BETTER, None).result is Result.ERROR


def test_the_budget_lowers_the_level_and_never_raises_it():
    proof = evidence(p_pass=0.02)
    assert judge_gate(BETTER, proof, 0.01).result is Result.INCONCLUSIVE
    assert judge_gate(BETTER, proof, 0.03).result is Result.PASS
    assert judge_gate(BETTER, evidence(p_pass=0.06), 0.5).result is Result.INCONCLUSIVE


ANCHOR = replace(NOT_WORSE, name="anchor", reference=Reference.ANCHOR)


@pytest.mark.parametrize(
    ("gates", "level_of_the_last"),
    [
        pytest.param((BETTER,), 0.01, id="better than the champion"),
        pytest.param((BETTER, NOT_WORSE), 0.05, id="not worse, beside better"),
        pytest.param((NOT_WORSE,), 0.01, id="not worse alone"),
        pytest.param((replace(BETTER, dry_run=True), NOT_WORSE), 0.01, id="better is a dry run"),
        pytest.param((BETTER, ANCHOR), 0.01, id="the anchor"),
    ],
)
def test_the_budget_holds_for_the_gates_that_a_promotion_rests_on(
    gates: tuple[Gate, ...], level_of_the_last: float
):
    last = judge_gates(gates, _evaluation(*(evidence(gate) for gate in gates)), 0.01)[-1]
    assert last.outcome.values["alpha"] == level_of_the_last


def test_the_sentence_has_both_values_the_rows_the_interval_and_the_need():
    sentence = judge_gate(BETTER, evidence()).sentence
    assert sentence == (
        "mae 14.2 against 14.6 (champion v1) on the same 6,000 rows: better by 0.4, "
        "95 % bounds of the gain 0.25 and 0.55; needed: better at all"
    )


def test_an_inconclusive_gate_says_how_many_rows_it_would_take():
    assert "about 40,000 rows would decide it" in judge_gate(BETTER, evidence(**UNDECIDED)).sentence


SLICED = Gate(
    name="everywhere",
    metric="mae",
    comparison=Comparison.NOT_WORSE_THAN,
    reference=Reference.CHAMPION,
    slices=Slices(by=("origin",), min_rows=300),
)


def _slice(origin: str, n: int = 1000, **changes: Any) -> GateEvidence:
    return evidence(SLICED, slice={"origin": origin}, n=n, **changes)


@pytest.mark.parametrize(
    ("slices", "result"),
    [
        pytest.param((_slice("JFK"), _slice("EWR")), Result.PASS, id="all pass"),
        pytest.param((_slice("JFK"), _slice("EWR", **FAILS)), Result.FAIL, id="one is worse"),
        pytest.param(
            (_slice("JFK"), _slice("EWR", **UNDECIDED)), Result.INCONCLUSIVE, id="one is open"
        ),
        pytest.param(
            (_slice("JFK"), _slice("LGA", n=12, **FAILS)), Result.PASS, id="a tiny slice is skipped"
        ),
        pytest.param(
            (_slice("LGA", n=12),), Result.INCONCLUSIVE, id="only tiny slices prove nothing"
        ),
        pytest.param((), Result.ERROR, id="no slices reported"),
    ],
)
def test_slices(slices: tuple[GateEvidence, ...], result: Result):
    assert judge_gate(SLICED, evidence(SLICED, slices=slices)).result is result


def _evaluation(*parts: GateEvidence) -> Evaluation:
    return Evaluation(run="m.r1", version=1, champion=None, evidence=parts)


@pytest.mark.parametrize(
    ("parts", "result"),
    [
        pytest.param((servable(), evidence()), Result.PASS, id="loads"),
        pytest.param((servable("no module 'x'"), evidence()), Result.FAIL, id="does not load"),
        pytest.param((evidence(),), Result.ERROR, id="nobody tried"),
    ],
)
def test_servable_is_always_on(parts: tuple[GateEvidence, ...], result: Result):
    judged = judge_gates((BETTER,), _evaluation(*parts), None)
    assert judged[0].gate.name == "servable"
    assert judged[0].result is result


def test_the_worst_result_counts():
    assert (
        worst_result([Result.PASS, Result.INCONCLUSIVE, Result.FAIL, Result.ERROR]) is Result.ERROR
    )
    assert worst_result([Result.PASS, Result.INCONCLUSIVE, Result.FAIL]) is Result.FAIL
    assert worst_result([Result.PASS, Result.INCONCLUSIVE]) is Result.INCONCLUSIVE
    assert worst_result([Result.PASS]) is Result.PASS
