"""How the keys that a kind brings are read."""

from __future__ import annotations

from typing import assert_never

from controller.policy.keys import PolicyKey
from controller.rulefmt.schema.vocabulary import COLUMN, EVENT_TYPE, METRIC
from controller.rulefmt.sections import Key
from controller.rulefmt.types import (
    Amount,
    ChoiceType,
    Cron,
    Duration,
    Hold,
    ListOf,
    NumberType,
    ReferenceWindow,
    TimeZone,
    Type,
)

_REFERENCES = ("champion", "anchor", "previous", "baseline")


def key_of(key: PolicyKey) -> Key:
    """The key of a section."""
    return Key(
        name=key.name,
        type=_type_of(key),
        doc=key.doc,
        example=key.example,
        required=key.required,
        default=key.default,
        default_says=key.default_says,
    )


def _type_of(key: PolicyKey) -> Type:  # noqa: C901, PLR0912 (a table, which mypy holds complete)
    match key.type:
        case "amount":
            return Amount()
        case "choice":
            return ChoiceType(key.choices)
        case "columns":
            return ListOf(COLUMN, least=1, unique=True)
        case "count":
            return NumberType(1, whole=True)
        case "cron":
            return Cron()
        case "duration":
            return Duration()
        case "event_type":
            return EVENT_TYPE
        case "hold":
            return Hold()
        case "metric":
            return METRIC
        case "not_negative":
            return NumberType(0)
        case "number":
            return NumberType()
        case "reference":
            return ChoiceType(_REFERENCES)
        case "reference_window":
            return ReferenceWindow()
        case "time_zone":
            return TimeZone()
        case _:
            assert_never(key.type)
