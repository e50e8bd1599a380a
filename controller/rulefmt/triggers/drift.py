"""``triggers[].drift``."""

from __future__ import annotations

from dataclasses import replace

from controller.policy.triggers.drift import DRIFT as KIND
from controller.policy.triggers.drift import DriftTrigger
from controller.rulefmt.sections import Key, Values
from controller.rulefmt.triggers.base import Place, TriggerFormat, Ways
from controller.rulefmt.triggers.distance import (
    DISTANCES,
    distance_section,
    distance_series,
    read_distance,
)
from controller.rulefmt.triggers.watched import HELD, read_held
from controller.rulefmt.types import ReferenceWindow


def _build(place: Place, values: Values, ways: Ways) -> DriftTrigger:
    del ways
    return DriftTrigger(
        **place, **read_distance(values), **read_held(values), reference=values["reference"]
    )


_HELD = (
    replace(HELD[0], example="2 of 3 batches", default="2 of 3 batches"),
    HELD[1],
)

DRIFT = TriggerFormat(
    kind=KIND,
    section=distance_section(
        "triggers[].drift",
        "Fires when new rows no longer look like the reference.",
        DISTANCES,
        _HELD,
        (
            Key(
                name="reference",
                type=ReferenceWindow(),
                doc="What new rows are compared with: the champion's training rows, the batch before, the same days "
                "of the year before, or the rows of a window of time, its first day and the day after its last.",
                example="same_season",
                default="training",
            ),
        ),
    ),
    example="{metric: psi, above: 0.2}",
    build=_build,
    event="{}",
    series=distance_series("drift"),
)
