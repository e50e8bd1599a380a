"""What drift, decay and skew share: a measured value that must stay above a threshold before the trigger fires."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from controller.domain.decisions import Result
from controller.domain.durations import format_duration
from controller.domain.keys import Key
from controller.domain.rules import ONE_BATCH, Hold, Trigger
from controller.domain.signals import Signal
from controller.policy.context import DecisionContext
from controller.policy.phrase import format_time_utc
from controller.policy.triggers.base import TriggerKind, TriggerVerdict

HOLD = Key(
    "How long the condition must hold before the trigger fires; until then it is pending.",
    "2 batches",
    name="for",
    last=True,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedTrigger(Trigger):
    """The condition must hold for a while before it fires, and may end before it stops firing."""

    hold: Annotated[Hold, HOLD] = ONE_BATCH
    keep_firing_for: Annotated[
        timedelta | None,
        Key(
            "How long the trigger keeps firing after the condition no longer holds, against flapping.",
            "1d",
            default_says="not at all",
            last=True,
        ),
    ] = None


W = TypeVar("W", bound=WatchedTrigger)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one signal says about a watched value; ``above`` is None where it says nothing."""

    signal: Signal
    above: bool | None
    words: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WatchedKind(TriggerKind[W]):
    """``for`` and ``keep_firing_for`` as Prometheus means them, over the readings in order."""

    @abstractmethod
    def read(self, trigger: W, signal: Signal) -> Reading:
        """What one signal says about the watched value."""

    def evaluate(
        self, context: DecisionContext, trigger: W, signals: tuple[Signal, ...]
    ) -> TriggerVerdict:
        readings = [self.read(trigger, signal) for signal in signals]
        if not readings:
            return _state(trigger, Result.INACTIVE, "no reading yet", ())
        fired = context.snapshot.last_fired.get(trigger.name)
        if fired is not None and trigger.keep_firing_for is not None:
            until = fired + trigger.keep_firing_for
            if context.now < until:
                words = f"still the alarm of {format_time_utc(fired)}, which lasts until {format_time_utc(until)}"
                return _state(trigger, Result.FIRING, words, (), spent=signals)
        newest = readings[-1]
        if trigger.hold.of:
            return _of_the_last(trigger, readings)
        streak = _streak(readings)
        spent = tuple(r.signal for r in readings if r not in streak)
        if not streak:
            return _state(trigger, Result.INACTIVE, newest.words, (), spent=spent, reading=newest)
        lasted = context.now - streak[0].signal.occurred_at
        needed = trigger.hold.span or timedelta(0)
        held = tuple(r.signal for r in streak)
        if len(streak) < trigger.hold.batches:
            words = f"{newest.words}; {len(streak)} of {trigger.hold.batches} batches in a row"
            return _state(trigger, Result.PENDING, words, held, spent=spent, reading=newest)
        if lasted < needed:
            wake = streak[0].signal.occurred_at + needed
            words = (
                f"{newest.words} since {format_time_utc(streak[0].signal.occurred_at)}, "
                f"must hold for {format_duration(needed)}"
            )
            pending = _state(trigger, Result.PENDING, words, held, spent=spent, reading=newest)
            return replace(pending, wake_at=wake)
        return _state(trigger, Result.FIRING, newest.words, held, spent=spent, reading=newest)


def _of_the_last(trigger: WatchedTrigger, readings: Sequence[Reading]) -> TriggerVerdict:
    """``2 of 3 batches``: one calm batch between two that moved does not hide them."""
    spoken = [reading for reading in readings if reading.above is not None]
    last = spoken[-trigger.hold.of :]
    # What lies before the oldest one above can no longer count.
    first = next((at for at, reading in enumerate(last) if reading.above), len(last))
    held = last[first:]
    spent = tuple(r.signal for r in readings if r not in held)
    newest = readings[-1]
    above = [reading for reading in held if reading.above]
    kept = tuple(reading.signal for reading in held)
    if not above:
        return _state(trigger, Result.INACTIVE, newest.words, (), spent=spent, reading=newest)
    words = f"{above[-1].words}; {len(above)} of {trigger.hold.batches} batches"
    if trigger.hold.of > trigger.hold.batches:
        words += f" among the last {trigger.hold.of}"
    if len(above) < trigger.hold.batches:
        return _state(trigger, Result.PENDING, words, kept, spent=spent, reading=above[-1])
    return _state(trigger, Result.FIRING, words, kept, spent=spent, reading=above[-1])


def _streak(readings: Sequence[Reading]) -> list[Reading]:
    """The newest readings above the threshold without one below between; silent ones don't break it."""
    streak: list[Reading] = []
    for reading in reversed(readings):
        if reading.above is False:
            break
        if reading.above:
            streak.append(reading)
    return streak[::-1]


def _state(
    trigger: WatchedTrigger,
    result: Result,
    sentence: str,
    signals: tuple[Signal, ...],
    *,
    spent: tuple[Signal, ...] = (),
    reading: Reading | None = None,
) -> TriggerVerdict:
    return TriggerVerdict(
        trigger=trigger.name,
        result=result,
        sentence=sentence,
        signals=signals,
        spent=spent,
        values=reading.values if reading else None,
        line=trigger.line or None,
    )
