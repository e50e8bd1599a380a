"""A policy that differs only in sections that deciding did not read decides the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.rules import (
    Approval,
    Comparison,
    Deprecate,
    ErrorBudget,
    Gate,
    Limits,
    Mode,
)
from controller.policy.triggers import NewDataTrigger
from controller.service.replay.plan.replay import changed_sections
from controller.service.replay.simulate import RecordedMoment
from controller.service.replay.simulate.watched import WatchedPolicy
from tests.support.house import FAILS, PASSES, UNDECIDED, House, policy

STRICT = Gate(name="absolute", metric="mae", comparison=Comparison.AT_MOST, threshold=1.0)
CHANGES: dict[str, Any] = {
    "promote": (STRICT,),
    "triggers": (NewDataTrigger(name="new_data", rows=90_000),),
    "limits": Limits(cooldown=timedelta(days=400)),
    "approval": Approval(when="always"),
    "error_budget": ErrorBudget(false_promotions=0.0001),
    "deprecate": Deprecate(keep=0, after=timedelta(0)),
    "mode": Mode.AUDIT,
}


@pytest.fixture(scope="module")
def moments() -> list[RecordedMoment]:
    house = House()
    for month, outcome in enumerate((PASSES, UNDECIDED, FAILS, PASSES)):
        house.data(30_000, f"month-{month}")
        house.work(outcome)
        house.clock.advance(timedelta(days=31))
    return [RecordedMoment.of(record) for record in house.records()]


@pytest.mark.parametrize("section", CHANGES)
def test_what_was_not_read_makes_no_difference(moments: list[RecordedMoment], section: str):
    old = policy()
    new = replace(old, **{section: CHANGES[section]})
    watched = WatchedPolicy(new)
    assert changed_sections(old, new) == {section}
    unread = 0

    for moment in moments:
        by_new = moment.decide(watched)
        assert by_new == moment.decide(new)
        if section not in watched.sections_read():
            unread += 1
            assert by_new == moment.decide(old)

    assert unread < len(moments)  # each of the sections is read at least once


def test_a_line_that_moved_is_no_change():
    old = policy()
    moved = replace(old, promote=tuple(replace(gate, line=99) for gate in old.promote))
    assert changed_sections(old, moved) == frozenset()
