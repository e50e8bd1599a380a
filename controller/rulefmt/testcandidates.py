"""What the trainings of a rule test bring: metrics of a candidate, of those it is compared with, and of slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, ClassVar

from controller.domain.keys import (
    Checked,
    Declared,
    Key,
    Keyed,
    Listed,
    Nullable,
    Number,
    Said,
    Section,
    Short,
    Text,
    narrowed,
)
from controller.domain.rules.vocabulary import COLUMN, METRIC, MaybeNoTime

Reason = Annotated[str, Text("a reason")]
Natural = Annotated[int, Number(0)]


def _disorder(bounds: object) -> str | None:
    ordered = isinstance(bounds, tuple) and bounds[0] <= bounds[1]
    return None if ordered else "must be [low, high]"


_Interval = Annotated[tuple[float, float] | None, Listed(least=2, most=2), Checked(_disorder)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Against(Declared):
    """A reference on the same rows."""

    section: ClassVar[Section] = Section("tests[].candidates[].metrics.METRIC.REFERENCE")
    value: Annotated[float, Key("Its value.", "14.6")]
    interval: Annotated[
        _Interval, Key("Two-sided 95 % interval of challenger minus reference.", "[-0.9, -0.4]")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestMetric(Declared):
    """One metric of the candidate, and of those it is compared with.

    ``value`` None means that it could not be computed.
    """

    section: ClassVar[Section] = Section("tests[].candidates[].metrics.METRIC")
    value: Annotated[
        float | None,
        Nullable(),
        Key("The candidate's value; null: it could not be computed.", "13.9"),
    ]
    rows: Annotated[Natural, Key("How many rows it is computed from.", "6000")] = 1000
    against: Mapping[str, Against] = field(default_factory=dict)
    line: int = 0


def _reference(name: str) -> Key:
    return Key(f"The {name} on the same rows.", "14.6")


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenMetric(RuleTestMetric):
    """One metric of the candidate, and of those it is compared with."""

    champion: Annotated[Against | None, Short("value"), _reference("champion")] = None
    anchor: Annotated[Against | None, Short("value"), _reference("anchor")] = None
    previous: Annotated[Against | None, Short("value"), _reference("previous")] = None
    baseline: Annotated[Against | None, Short("value"), _reference("baseline")] = None
    interval: Annotated[
        _Interval,
        Key(
            "Two-sided 95 % interval of the difference, for references that have none of their own.",
            "[-0.9, -0.4]",
        ),
    ] = None

    def meant(self, said: Said) -> RuleTestMetric:
        """With the references in one place."""
        del said
        named = {
            "champion": self.champion,
            "anchor": self.anchor,
            "previous": self.previous,
            "baseline": self.baseline,
        }
        against = {
            name: replace(found, interval=found.interval or self.interval)
            for name, found in named.items()
            if found is not None
        }
        return narrowed(self, RuleTestMetric, against=against)


_Metrics = Annotated[
    Mapping[str, Annotated[RuleTestMetric, WrittenMetric, Short("value")]], Keyed(METRIC, "metric")
]


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceMeasured(Declared):
    """Metrics on the rows of one slice."""

    section: ClassVar[Section] = Section("tests[].candidates[].slices[]")
    where: Annotated[
        Mapping[str, Annotated[str, Text("a value")]],
        Keyed(COLUMN, "column"),
        Key("The values that make the slice.", "{origin: EWR}"),
    ]
    metrics: Annotated[
        _Metrics,
        Key(
            "As those of the whole holdout.",
            "{mae: {value: 15, champion: 14, interval: [0.4, 1.6], rows: 900}}",
        ),
    ]
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestCandidate(Declared):
    """What the next training brings; a training without a candidate left runs on for ever."""

    section: ClassVar[Section] = Section(
        "tests[].candidates[]",
        one_of=("fails", "metrics"),
        only_with={"slices": ("metrics",), "servable": ("metrics",)},
    )
    takes: Annotated[MaybeNoTime, Key("How long the training takes.", "2h")] = timedelta(0)
    fails: Annotated[Reason, Key("It fails, for this reason.", '"out of memory"')] = ""
    servable: Annotated[bool, Key("Whether it loads in a fresh process.", "false")] = True
    metrics: Annotated[
        _Metrics,
        Key(
            "What the evaluation measures.",
            "{mae: {value: 13.9, champion: 14.6, interval: [-0.9, -0.4]}}",
        ),
    ] = field(default_factory=dict)
    slices: Annotated[
        tuple[SliceMeasured, ...],
        Listed(least=1),
        Key("The same on slices.", "[{where: {origin: EWR}, metrics: {mae: 15}}]"),
    ] = ()
    line: int = 0
