"""The values of a rule test: what is given, what happens, and what is expected of the policy at which time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """The state at the start: whether version 1 sits in the seat, and why promotion rests (empty: it does not)."""

    champion: bool = True
    hold: str = ""
    rows: int = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestEvent:
    """One signal ``at`` a time after the start. ``kind`` is a kind of signal, ``actor`` who caused it."""

    at: timedelta
    kind: str
    payload: Mapping[str, Any]
    actor: str = "system"
    trigger: str | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Against:
    """A reference's value, and the two-sided 95 % interval of challenger − reference (None: not known)."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestMetric:
    """One metric of a candidate; ``value`` None means that it could not be computed."""

    value: float | None
    rows: int = 1000
    against: Mapping[str, Against] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceMeasured:
    """Metrics on the rows of one slice."""

    where: Mapping[str, str]
    metrics: Mapping[str, RuleTestMetric]
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestCandidate:
    """What the next training brings after ``takes``; with ``fails`` it brings nothing but this reason."""

    takes: timedelta = timedelta(0)
    fails: str = ""
    servable: bool = True
    metrics: Mapping[str, RuleTestMetric] = field(default_factory=dict)
    slices: tuple[SliceMeasured, ...] = ()
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestExpectation:
    """What must hold at a time. None means that nothing is said about it.

    ``decisions`` are the verdicts since the expectation before, without those that changed nothing. ``champion`` 0
    is the empty seat.
    """

    at: timedelta
    triggers: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, str] = field(default_factory=dict)
    decisions: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    champion: int | None = None
    reason: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTest:
    """One test: events and candidates in, expectations out."""

    name: str
    given: Given
    events: tuple[RuleTestEvent, ...]
    candidates: tuple[RuleTestCandidate, ...]
    expectations: tuple[RuleTestExpectation, ...]
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTests:
    """A file of tests for one policy. ``policy`` is a path relative to the file."""

    policy: str
    start: datetime
    tests: tuple[RuleTest, ...]
