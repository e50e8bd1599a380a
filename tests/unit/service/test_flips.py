"""Flip points: the smallest change that would have turned a decision, and only changes that do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.decisions import DecisionRecord
from controller.domain.rules import Approval, Comparison, ErrorBudget, Gate, Margin, Reference
from controller.service.replay.flips import flips
from tests.support.house import BETTER, FAILS, PASSES, UNDECIDED, House, policy

NOT_WORSE = Gate(
    name="not worse", metric="mae", comparison=Comparison.NOT_WORSE_THAN, reference=Reference.CHAMPION,
    margin=Margin(value=0.5), line=8,
)  # fmt: skip
AT_MOST = Gate(name="absolute", metric="mae", comparison=Comparison.AT_MOST, threshold=20.0, line=9)


def decided(outcome: Any, **changes: Any) -> tuple[House, DecisionRecord]:
    """The decision about v2, whose gates all got the same evidence."""
    house = House(policy(**changes))
    house.data(30_000, "jan")
    house.work()
    house.data(30_000, "feb")
    house.work(outcome)
    return house, house.records()[-1]


def told(outcome: Any, **changes: Any) -> list[tuple[str, str, str]]:
    house, record = decided(outcome, **changes)
    return [(f.setting, f.change, f.verdict) for f in flips(record, house.rules)]


def test_an_undecided_gate_names_the_confidence_and_the_margin_that_would_have_done():
    wants = (replace(BETTER, margin=Margin(value=0.3)),)
    assert told({**UNDECIDED, "theta": -0.1}, promote=wants) == [
        ("confidence", "confidence: 95 % → 80 %", "promote"),
        ("margin", "by: 0.3 → 0.25", "promote"),
    ]


def test_a_promotion_names_what_would_have_stopped_it_the_nearest_first():
    found = told(PASSES, promote=(BETTER, AT_MOST))
    assert found == [
        ("confidence", "confidence: 95 % → above 99.9 %", "hold"),
        ("threshold", "at_most: 20 → below 14.2", "reject"),
        ("margin", "by: 0 → above 0.25", "hold"),
    ]


def test_a_relative_margin_is_named_as_the_policy_writes_it():
    wants = (replace(BETTER, margin=Margin(value=0.02, relative=True)),)
    found = told({**UNDECIDED, "theta": -0.1, "reference": 12.5}, promote=wants)
    assert ("margin", "by: 2 % → 2 %", "promote") in found


def test_a_rejection_by_a_threshold_names_the_threshold():
    strict = replace(AT_MOST, threshold=14.0)
    assert told(PASSES, promote=(BETTER, strict)) == [
        ("threshold", "at_most: 14 → 14.2", "promote")
    ]


def test_where_two_gates_block_both_are_named_at_once():
    strict = replace(AT_MOST, threshold=14.0)
    assert told(UNDECIDED, promote=(BETTER, strict), approval=Approval()) == [
        ("threshold", "at_most: 14 → 14.2", "hold"),
        (
            "confidence and threshold",
            "better: confidence: 95 % → 80 %; absolute: at_most: 14 → 14.2",
            "promote",
        ),
    ]


def test_a_stricter_level_of_the_budget_leaves_the_margin_unsaid():
    settings = {s for s, _, _ in told(PASSES, error_budget=ErrorBudget(false_promotions=0.02))}
    assert "margin" not in settings


@pytest.mark.parametrize(
    ("outcome", "gates"),
    [
        pytest.param({"challenger": None}, (BETTER,), id="no data"),
        pytest.param({"problem": "the rows were gone"}, (BETTER,), id="a problem"),
        pytest.param(FAILS, (), id="no gate"),
    ],
)
def test_without_evidence_nothing_is_invented(outcome: Any, gates: tuple[Gate, ...]):
    assert told(outcome, promote=gates) == []


def test_a_decision_that_judged_nobody_has_none():
    house, _ = decided(PASSES)
    assert flips(house.records()[0], house.rules) == []


def test_an_approval_counts_for_the_exchanged_evidence_too():
    house, record = decided(
        UNDECIDED, promote=(BETTER, AT_MOST), approval=Approval(when="inconclusive", groups=())
    )
    desk_evidence = next(
        n.values["evidence"] for n in house.told[-1].tree.children if n.name == "promote"
    )
    from controller.domain.signals import SignalKind

    house.signal(
        SignalKind.APPROVAL, version=2, agrees=True, evidence=desk_evidence, reason="fine", actor="person:ana",
    )  # fmt: skip
    house.tick()
    approved = house.records()[-1]
    assert approved.id > record.id
    assert [f.change for f in flips(approved, house.rules)] == ["at_most: 20 → below 14.2"]
