"""Lints of triggers and limits: what fires for ever, never, or against its own brake."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from controller.domain.drift import DriftMetric
from controller.domain.durations import format_duration
from controller.domain.rules import Policy
from controller.policy.triggers import (
    DecayTrigger,
    DriftTrigger,
    ScheduleTrigger,
    SkewTrigger,
    WebhookTrigger,
)
from controller.rulefmt.cron import cron_trigger
from controller.rulefmt.lints.shape import Hit, Lint

_CEILINGS = {
    DriftMetric.JENSEN_SHANNON.value: math.sqrt(math.log(2)),  # a distance in nats
    DriftMetric.HELLINGER.value: 1.0,
    DriftMetric.KS.value: 1.0,
    DriftMetric.TOTAL_VARIATION.value: 1.0,
    DriftMetric.CRAMERS_V.value: 1.0,
    DriftMetric.NULL_RATE.value: 1.0,
    DriftMetric.UNSEEN_RATE.value: 1.0,
}
_RATES = frozenset({DriftMetric.NULL_RATE.value, DriftMetric.UNSEEN_RATE.value})
_FIRES_LOOKED_AT = 32
_START = datetime(2027, 1, 1, tzinfo=UTC)


def _fires_itself(policy: Policy) -> Iterator[Hit]:
    for trigger in policy.triggers:
        if isinstance(trigger, DecayTrigger) and not trigger.margin.value:
            message = (
                f"trigger `{trigger.name}` has no margin: by chance alone a fresh champion is worse than "
                f"`{trigger.worse_than.value}` half of the time, and every promotion begins it anew"
            )
            yield Hit(trigger.line, message, "add `margin: 10%`")
        if isinstance(trigger, WebhookTrigger) and "incumbent" in trigger.type.lower():
            message = f"trigger `{trigger.name}` listens to an event of Incumbent itself, `{trigger.type}`"
            yield Hit(trigger.line, message, "listen to what changes the data")
    if ".incumbent/" in policy.data.source:
        message = "`data.source` lies in the controller's own folder, which its trainings write to"
        yield Hit(policy.data.line, message, "keep data elsewhere")


def _nobody_measures(policy: Policy) -> Iterator[Hit]:
    for trigger in policy.triggers:
        if isinstance(trigger, DecayTrigger) and policy.data.time is None:
            message = (
                f"trigger `{trigger.name}` is measured by nobody: without `data.time` it cannot be told which rows "
                "came after the champion was judged"
            )
            yield Hit(trigger.line, message, "name `data.time`, or send decay signals yourself")
        if isinstance(trigger, SkewTrigger) and policy.data.served is None:
            message = f"trigger `{trigger.name}` is measured by nobody: `data.served` names no serving log"
            yield Hit(trigger.line, message, "name `data.served`, or send skew signals yourself")


def _never_or_always(policy: Policy) -> Iterator[Hit]:
    for trigger in policy.triggers:
        if not isinstance(trigger, DriftTrigger | SkewTrigger) or trigger.above is None:
            continue
        ceiling = _CEILINGS.get(trigger.metric)
        if ceiling is not None and trigger.above >= ceiling:
            message = f"trigger `{trigger.name}` never fires: {trigger.metric} is never above {ceiling:.3g}"
            yield Hit(trigger.line, message)
        if trigger.above == 0 and trigger.metric not in _RATES:
            message = f"trigger `{trigger.name}` fires on noise: {trigger.metric} of two samples is seldom 0"
            yield Hit(trigger.line, message, "calibrate the threshold, for example `above: 0.2`")
        if trigger.metric == DriftMetric.CHI2.value:
            message = (
                f"trigger `{trigger.name}` fires on any drift however small once there are enough "
                "rows: chi2 grows with their number"
            )
            yield Hit(trigger.line, message, "use an effect, for example `metric: cramers_v`")


def _cooldown_outlasts(policy: Policy) -> Iterator[Hit]:
    cooldown = policy.limits.cooldown
    for trigger in policy.triggers:
        if not isinstance(trigger, ScheduleTrigger) or cooldown <= _least_interval(trigger):
            continue
        interval = _interval(trigger)
        if interval is not None and cooldown > interval:
            message = (
                f"the cooldown of {format_duration(cooldown)} is longer than the {format_duration(interval)} "
                f"between two fires of trigger `{trigger.name}`"
            )
            yield Hit(
                policy.limits.line or trigger.line, message, "shorten one or stretch the other"
            )


def _least_interval(trigger: ScheduleTrigger) -> timedelta:
    """A lower bound that costs nothing: a fixed minute and hour come once a day (a day in spring has 23 hours)."""
    if trigger.cron is None:
        return timedelta(0)
    minute, hour = trigger.cron.split()[:2]
    return timedelta(hours=23 if minute.isdecimal() and hour.isdecimal() else 0)


def _interval(trigger: ScheduleTrigger) -> timedelta | None:
    """The shortest time between two fires."""
    if trigger.every is not None or trigger.cron is None:
        return trigger.every
    cron = cron_trigger(trigger.cron, trigger.timezone)
    fires: list[datetime] = []
    last = cron.get_next_fire_time(None, _START)
    while last is not None and len(fires) < _FIRES_LOOKED_AT:
        fires.append(last)
        last = cron.get_next_fire_time(last, last)
    gaps = [later - earlier for earlier, later in pairwise(fires)]
    return min(gaps, default=None)


TRIGGER_LINTS = (
    Lint(
        name="fires-itself",
        severity="danger",
        stops="A trigger that its own promotion fires again trains in a circle, night and day.",
        look=_fires_itself,
    ),
    Lint(
        name="trigger-never-or-always",
        severity="danger",
        stops="A trigger beyond its range is either silent while the world changes or an alarm nobody heeds.",
        look=_never_or_always,
    ),
    Lint(
        name="nobody-measures",
        severity="advice",
        stops="A trigger whose evidence no worker can compute stays silent unless somebody sends it signals.",
        look=_nobody_measures,
    ),
    Lint(
        name="cooldown-outlasts-schedule",
        severity="danger",
        stops="A schedule inside of its own cooldown skips fires that the team believes in.",
        look=_cooldown_outlasts,
    ),
)
