"""Every kind of run is asked for every duty, and a kind that lacks one cannot be had."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from controller.domain.run_kinds import RUN_WORK, RunWork, run_work
from controller.domain.run_kinds.registry import register
from controller.domain.runs import RunKind
from workers.execute import STEPS


@pytest.mark.parametrize("kind", RunKind)
def test_every_kind_has_every_duty(kind: RunKind):
    work = run_work(kind.value)
    assert work is RUN_WORK[kind]
    assert work.kind is kind
    assert all((work.noun, work.doing, work.rows))
    assert not (work.judges_challenger and work.has_candidate)
    assert callable(STEPS[kind])
    module = __import__(f"controller.domain.run_kinds.{kind.value}", fromlist=["x"])
    assert getattr(module, kind.name) is work
    assert module.__doc__


def test_one_kind_trains_and_one_judges():
    assert [work.kind for work in RUN_WORK.values() if work.has_candidate] == [RunKind.TRAIN]
    assert [work.kind for work in RUN_WORK.values() if work.judges_challenger] == [RunKind.EVALUATE]


def test_no_kind_is_left_out_and_none_stands_twice():
    kinds = tuple(RUN_WORK.values())
    with pytest.raises(ValueError, match="skew"):
        register(kinds[:-1])
    with pytest.raises(ValueError, match="one entry"):
        register((*kinds, kinds[0]))


@pytest.mark.parametrize("duty", [field.name for field in fields(RunWork)])
def test_a_kind_that_lacks_a_duty_cannot_be_made(duty: str):
    duties: dict[str, Any] = {
        f.name: getattr(RUN_WORK[RunKind.TRAIN], f.name) for f in fields(RunWork)
    }
    del duties[duty]
    with pytest.raises(TypeError, match=duty):
        RunWork(**duties)
