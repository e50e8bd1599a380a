"""``triggers[].schedule``."""

from __future__ import annotations

from controller.policy.triggers.schedule import SCHEDULE as KIND
from controller.policy.triggers.schedule import ScheduleTrigger
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.triggers.base import Place, TriggerFormat, Ways
from controller.rulefmt.types import Cron, Duration, TimeZone


def _build(place: Place, values: Values, ways: Ways) -> ScheduleTrigger:
    del ways
    return ScheduleTrigger(
        **place, cron=values["cron"], every=values["every"], timezone=values["timezone"]
    )


SCHEDULE = TriggerFormat(
    kind=KIND,
    section=Section(
        title="triggers[].schedule",
        doc="Fires at times. After a downtime it catches up once.",
        keys=(
            Key(
                name="cron",
                type=Cron(),
                doc="Minute, hour, day of month, month, weekday (0 and 7 are Sunday).",
                example='"0 3 * * 1"',
            ),
            Key(
                name="every",
                type=Duration(),
                doc="An interval instead of a cron line.",
                example="6h",
            ),
            Key(
                name="timezone",
                type=TimeZone(),
                doc="Whose wall clock the cron line means.",
                example="Europe/Berlin",
                default="UTC",
            ),
        ),
        one_of=("cron", "every"),
        only_with={"timezone": ("cron",)},
    ),
    example='{cron: "0 3 * * 1"}',
    build=_build,
    event=None,
    series=None,
)
