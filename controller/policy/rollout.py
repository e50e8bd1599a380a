"""What a rollout asks for next: begin, go on, wait until a stage is over, or give the seat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.decisions import AdvanceRollout
from controller.domain.durations import format_duration
from controller.domain.rules import RolloutStep
from controller.domain.versions import VersionView
from controller.policy.context import DecisionContext
from controller.policy.phrase import format_time_utc, percent


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutStage:
    """The stage to be in now. ``begins`` says that it starts with this decision; ``until`` is when it is over."""

    index: int
    step: RolloutStep
    begins: bool
    until: datetime

    @property
    def words(self) -> str:
        """The stage as a sentence speaks of it."""
        return describe_step(self.step)


def next_stage(context: DecisionContext, version: VersionView) -> RolloutStage | None:
    """The stage that ``version`` is in or enters now; None where nothing stands between it and the seat.

    The first champion of a model has nobody to be compared with, so it takes the seat at once.
    """
    steps = context.policy.rollout
    if not steps or context.champion is None:
        return None
    rollout = context.rollout
    if rollout is None or rollout.version != version.number:
        return _entered(context, 0)
    if rollout.stage >= len(steps):  # the policy has become shorter
        return None
    over = rollout.since + length(steps[rollout.stage])
    if context.now < over:
        return RolloutStage(
            index=rollout.stage, step=steps[rollout.stage], begins=False, until=over
        )
    if rollout.stage + 1 == len(steps):
        return None
    return _entered(context, rollout.stage + 1)


def _entered(context: DecisionContext, index: int) -> RolloutStage:
    step = context.policy.rollout[index]
    return RolloutStage(index=index, step=step, begins=True, until=context.now + length(step))


def advance(
    context: DecisionContext, version: VersionView, stage: RolloutStage, sentence: str
) -> AdvanceRollout:
    """The action that enters ``stage``."""
    return AdvanceRollout(
        version=version.number,
        stage=stage.index,
        traffic=stage.step.traffic or 0.0,
        generation=context.snapshot.generation,
        reason=sentence,
    )


def length(step: RolloutStep) -> timedelta:
    """How long a step lasts."""
    return step.shadow or step.soak or timedelta(0)


def describe_step(step: RolloutStep) -> str:
    """A step in words."""
    if step.shadow is not None:
        return f"in shadow for {format_duration(step.shadow)}"
    share = f"with {percent(step.traffic or 0.0)} of the traffic"
    return f"{share} for {format_duration(step.soak)}" if step.soak else share


def stage_progress(context: DecisionContext, stage: RolloutStage) -> str:
    """Which of how many, and until when."""
    return f"stage {stage.index + 1} of {len(context.policy.rollout)}, until {format_time_utc(stage.until)}"
