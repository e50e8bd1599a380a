"""The keys that a kind brings to the policy format, as plain values. :mod:`controller.rulefmt.keys` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KeyType = Literal[
    "amount",
    "choice",
    "columns",
    "count",
    "cron",
    "duration",
    "event_type",
    "hold",
    "metric",
    "not_negative",
    "number",
    "reference",
    "reference_window",
    "time_zone",
]
"""``count`` is a whole number from 1 on, ``amount`` a number or a percentage, ``hold`` batches or a span, ``reference``
one of the versions that a gate compares with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyKey:
    """One key. ``default`` is YAML text of one scalar; where it is no constant, ``default_says`` it for the reference.

    ``choices`` are those of a ``choice``.
    """

    name: str
    type: KeyType
    doc: str
    example: str
    default: str | None = None
    default_says: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
