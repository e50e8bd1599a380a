"""Plan: what a change of rules would have decided, from the recorded history, through the function that decides."""

from __future__ import annotations

from controller.service.replay.plan.evidence import Measure
from controller.service.replay.plan.report import (
    ModelPlan,
    PlannedOutcome,
    PlanReport,
    Range,
    Replayed,
    SampleSize,
    Trainings,
)
from controller.service.replay.plan.run import Change, Sides, changes_between, make_plan

__all__ = [
    "Change",
    "Measure",
    "ModelPlan",
    "PlanReport",
    "PlannedOutcome",
    "Range",
    "Replayed",
    "SampleSize",
    "Sides",
    "Trainings",
    "changes_between",
    "make_plan",
]
