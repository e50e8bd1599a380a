"""Every kind of gate is asked for every duty, and a kind that lacks one cannot be had."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
from controller.domain.keys import Key
from controller.domain.metrics import METRICS
from controller.domain.rules import Comparison, Gate, GateQuestion, Margin, Reference
from controller.policy.gates.base import FlipPoint, GateKind
from controller.policy.gates.registry import COMPARISONS, KINDS, kind_by_key, kind_of, load_kind
from controller.policy.gates.servable import SERVABLE
from controller.policy.gates.threshold import ThresholdKind
from controller.rulefmt.schema.policy import GATE

ALL = (*KINDS, SERVABLE)


def a_gate(kind: GateKind) -> Gate:
    if kind.question.paired:
        return Gate(
            name="g",
            metric="mae",
            comparison=kind.comparison,
            reference=Reference.CHAMPION,
            margin=Margin(value=0.5),
            test="point",
        )
    return Gate(name="g", metric="mae", comparison=kind.comparison, threshold=1.0)


def evidence(theta: float, value: float) -> GateEvidence:
    return GateEvidence(
        gate="g",
        metric="mae",
        method="t",
        challenger=value,
        reference=2.0,
        difference=value - 2.0,
        theta=theta,
        n=10,
    )


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.key)
def test_every_kind_has_every_duty(kind: GateKind) -> None:
    gate = a_gate(kind)
    assert kind.key
    assert kind.need(gate)
    assert kind.missing(gate)
    assert all(key.doc and key.example for key in kind.keys)
    assert kind.question is kind.comparison.question
    for metric in (None, *METRICS.values()):
        assert isinstance(kind.never_fails(gate, metric), str)
        assert isinstance(kind.never_passes(gate, metric), str)
    assert (kind.margin_key is not None) is kind.question.paired
    assert (
        kind.question.margin_sign != 0.0
        if kind.question.paired
        else kind.question.margin_sign == 0.0
    )
    assert abs(kind.flip.sign) == 1.0
    assert kind.flip.beyond in {"above ", "below "}
    assert kind.flip.setting == ("margin" if kind.question.paired else "threshold")
    assert isinstance(kind.rests(improved=True), bool)
    good = 1.0 if kind is SERVABLE else 1.0 - 0.5 * kind.question.sign
    judged = kind.judge(gate, evidence(-1.0, good), None)
    assert judged.result is Result.PASS
    drawn = kind.draw(gate, judged.values)
    assert drawn is not None
    assert drawn.point >= drawn.need


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_the_format_has_the_keys_of_every_kind(kind: GateKind) -> None:
    names = [key.name for key in GATE.keys]
    assert kind_by_key(kind.key) is kind_of(a_gate(kind)) is kind
    assert kind.flip.key in names
    assert {kind.key, *(key.name for key in kind.keys[1:])} <= set(names)
    assert kind.key in GATE.one_of
    assert GATE.one_of == COMPARISONS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_beyond_the_flip_point_a_threshold_fails(kind: GateKind) -> None:
    if isinstance(kind, ThresholdKind):
        at = {way: replace(a_gate(kind), threshold=0.7 + way * 1e-9) for way in (-1, 0, 1)}
        met = {way: kind.judge(at[way], evidence(0.0, 0.7), None).result.passes for way in at}
        assert met == {kind.flip.sign: False, 0: kind.flip.inclusive, -kind.flip.sign: True}


@dataclass(frozen=True)
class Unwritten:
    """A comparison that somebody added to the enum, and nothing else."""

    value: str


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("equals", "equals has no kind of gate: write KIND in controller/policy/gates/equals.py"),
        ("judge", "judge has no kind of gate"),
        ("at_most", "not the kind of gate of at_most"),
    ],
)
def test_no_comparison_is_without_a_kind_of_its_own(key: str, problem: str) -> None:
    comparison: Any = Unwritten(key)
    with pytest.raises(ValueError, match=problem):
        load_kind(comparison)


@pytest.mark.parametrize("sign", [1.0, -1.0, 0.0])
@given(threshold=st.floats(-2, 2), values=st.lists(st.floats(0, 1), min_size=1))
def test_what_is_said_never_to_pass_or_to_fail_never_does(
    sign: float, threshold: float, values: list[float]
) -> None:
    kind = Near(comparison=Comparison.AT_MOST, way=sign, **VALUES)
    gate = Gate(name="g", metric="auc", comparison=Comparison.AT_MOST, threshold=threshold)
    metric = METRICS["roc_auc"]
    assert (metric.lower_bound, metric.upper_bound) == (0.0, 1.0)
    met = [kind.met(value, threshold) for value in (0.0, *values, 1.0)]
    if kind.never_passes(gate, metric):
        assert not any(met)
    if kind.never_fails(gate, metric):
        assert all(met)


DUTIES = {
    "need": lambda _self, gate: f"equals {gate.threshold}",
    "rests": lambda _self, **_: False,
    "compare": lambda self, gate, found, _level: self.outcome(
        gate,
        found,
        Result.PASS if found.challenger == gate.threshold else Result.FAIL,
        "found",
    ),
    "draw": lambda *_: None,
    "never_fails": lambda *_: "",
    "never_passes": lambda *_: "",
}
VALUES: dict[str, Any] = {
    "keys": (Key("This value.", "0"),),
    "flip": FlipPoint(setting="threshold", key="equals", beyond="below ", sign=1.0),
    "improves": False,
}


@dataclass(frozen=True, kw_only=True)
class Near(ThresholdKind):
    """No lower (1), no higher (-1) or no further than a tenth away (0)."""

    way: float

    @property
    def question(self) -> GateQuestion:
        return GateQuestion(paired=False, sign=self.way)

    def need(self, gate: Gate) -> str:
        return f"near {gate.threshold}"

    def met(self, value: float, threshold: float) -> bool:
        return self.question.turned(value - threshold) <= (0.0 if self.way else 0.1)


def equals(methods: dict[str, Any], values: dict[str, Any]) -> GateKind:
    """A fifth kind, made of these duties."""
    kind: Any = type("Equals", (GateKind,), methods)
    made: GateKind = dataclass(frozen=True, kw_only=True)(kind)(
        comparison=Comparison.AT_MOST, **values
    )
    return made


def test_a_fifth_kind_with_every_duty_judges_by_itself() -> None:
    kind = equals(DUTIES, VALUES)
    gate = Gate(name="g", metric="bias", comparison=Comparison.AT_MOST, threshold=0.0)

    def judged(value: float) -> Outcome:
        return kind.judge(gate, replace(evidence(0.0, value), metric="bias"), None)

    assert judged(0.7).result is Result.FAIL
    assert judged(0.0).result is Result.PASS


@pytest.mark.parametrize("duty", [*DUTIES, *VALUES])
def test_a_fifth_kind_that_lacks_a_duty_cannot_be_made(duty: str) -> None:
    methods = {name: made for name, made in DUTIES.items() if name != duty}
    values = {name: value for name, value in VALUES.items() if name != duty}
    with pytest.raises(TypeError, match=duty):
        equals(methods, values)


def test_the_duties_of_this_test_are_all_that_a_kind_has() -> None:
    assert set(DUTIES) == GateKind.__abstractmethods__
    assert {*VALUES, "comparison"} == {field.name for field in fields(GateKind)}
