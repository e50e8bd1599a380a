"""Limits: whether a training may start now, and when it may if not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.durations import format_duration
from controller.domain.runs import RunKind, RunState, RunView
from controller.domain.signals import SignalKind
from controller.policy.context import DecisionContext
from controller.policy.phrase import count, format_time_utc
from controller.policy.reasons.profile import unchecked

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limited:
    """Why no training may start. ``until`` is when to look again, None if an event will tell."""

    sentence: str
    until: datetime | None = None
    by_running: bool = False


def limit(context: DecisionContext) -> Limited | None:
    """The first limit that is in the way: data, concurrency, cooldown, runs per day."""
    if context.snapshot.data.batches == 0:
        return Limited(sentence="there is no data yet")
    unseen = unchecked(context)
    if unseen is not None:
        return Limited(sentence=unseen)
    trainings = [run for run in context.snapshot.runs if run.kind is RunKind.TRAIN]
    return (
        _concurrency(context, trainings)
        or _cooldown(context, trainings)
        or _per_day(context, trainings)
        or _rest(context)
    )


def _rest(context: DecisionContext) -> Limited | None:
    """Retraining brought nothing, so it is stretched; a person may train all the same."""
    until = context.snapshot.rest.until
    if context.policy.unimproving is None or until is None or until <= context.now:
        return None
    if context.signals(SignalKind.MANUAL):
        return None
    return Limited(
        sentence=f"retraining did not help, so it is paused until {format_time_utc(until)}",
        until=until,
    )


def _concurrency(context: DecisionContext, trainings: list[RunView]) -> Limited | None:
    active = [run for run in trainings if not run.state.ended]
    allowed = context.policy.limits.concurrency
    if len(active) < allowed:
        return None
    names = ", ".join(run.id for run in active)
    return Limited(
        sentence=f"{names} is at work and {count(allowed, 'training')} at once is allowed",
        by_running=True,
    )


def _cooldown(context: DecisionContext, trainings: list[RunView]) -> Limited | None:
    cooldown = context.policy.limits.cooldown
    # An order from beyond the next cooldown was written by a clock that was wrong; it must not stop the world.
    counted = [
        run
        for run in trainings
        if run.state is not RunState.CANCELLED and run.ordered_at <= context.now + cooldown
    ]
    if not cooldown or not counted:
        return None
    until = max(run.ordered_at for run in counted) + cooldown
    if until <= context.now:
        return None
    return Limited(
        sentence=f"cooldown of {format_duration(cooldown)} lasts until {format_time_utc(until)}",
        until=until,
    )


def _per_day(context: DecisionContext, trainings: list[RunView]) -> Limited | None:
    allowed = context.policy.limits.runs_per_day
    if allowed is None:
        return None
    recent = sorted(run.ordered_at for run in trainings if abs(context.now - run.ordered_at) < _DAY)
    if len(recent) < allowed:
        return None
    until = recent[len(recent) - allowed] + _DAY
    return Limited(
        sentence=f"{count(allowed, 'training')} a day is the limit, the next may start "
        f"at {format_time_utc(until)}",
        until=until,
    )
