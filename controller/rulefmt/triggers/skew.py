"""``triggers[].skew``."""

from __future__ import annotations

from controller.policy.triggers.skew import SKEW as KIND
from controller.policy.triggers.skew import SkewTrigger
from controller.rulefmt.sections import Values
from controller.rulefmt.triggers.base import Place, TriggerFormat, Ways
from controller.rulefmt.triggers.distance import (
    DISTANCES,
    distance_section,
    distance_series,
    read_distance,
)
from controller.rulefmt.triggers.watched import HELD, read_held

MISMATCH_METRIC = "mismatch_rate"
"""The share of rows whose logged feature is not the one that the data give for the same key."""


def _build(place: Place, values: Values, ways: Ways) -> SkewTrigger:
    del ways
    return SkewTrigger(**place, **read_distance(values), **read_held(values))


SKEW = TriggerFormat(
    kind=KIND,
    section=distance_section(
        "triggers[].skew",
        "Fires when the rows that are served (`data.served`) no longer look like the training rows.",
        (*DISTANCES, MISMATCH_METRIC),
        HELD,
    ),
    example="{metric: jensen_shannon, above: 0.1}",
    build=_build,
    event="{}",
    series=distance_series("skew"),
)
