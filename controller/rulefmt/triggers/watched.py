"""What the sections of drift, decay and skew share: how long a condition must hold."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from controller.rulefmt.sections import Key, Values
from controller.rulefmt.types import Duration, Hold

HELD = (
    Key(
        name="for",
        type=Hold(),
        doc="How long the condition must hold before the trigger fires; until then it is pending.",
        example="2 batches",
        default="1 batch",
    ),
    Key(
        name="keep_firing_for",
        type=Duration(),
        doc="How long the trigger keeps firing after the condition no longer holds, against flapping.",
        example="1d",
        default_says="not at all",
    ),
)


class Held(TypedDict):
    """The fields of a :class:`controller.policy.triggers.watched.WatchedTrigger`."""

    for_batches: int
    of_batches: int
    for_duration: timedelta | None
    keep_firing_for: timedelta | None


def read_held(section: Values) -> Held:
    """``for`` is a span, a number of batches in a row, or a pair: so many of the last so many."""
    held = section["for"]
    by_time = isinstance(held, timedelta)
    needed, of = held if isinstance(held, tuple) else (1 if by_time else held, 0)
    return {
        "for_batches": needed,
        "of_batches": of,
        "for_duration": held if by_time else None,
        "keep_firing_for": section["keep_firing_for"],
    }
