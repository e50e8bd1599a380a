"""The sections ``rollout`` and ``rollback``: the way to the champion's role, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from controller.domain.keys import Choice, Declared, Fault, Key, Listed, Said, Section, narrowed
from controller.domain.rules.gates import NO_MARGIN, Confidence, Margin, Reference
from controller.domain.rules.vocabulary import (
    Count,
    Fraction,
    FreeName,
    MetricName,
    PositiveFraction,
    Query,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutStep(Declared):
    """A stage between challenger and champion. It ends when its time is over, or at once where a condition of
    `rollback.when` is shown to hold for the challenger.
    """

    section: ClassVar[Section] = Section(
        "rollout[]", one_of=("shadow", "traffic"), only_with={"soak": ("traffic",)}
    )
    shadow: Annotated[
        timedelta | None, Key("Answer nobody, record what it would have said, for so long.", "24h")
    ] = None
    traffic: Annotated[
        Fraction | None,
        Key(
            "Answer this share of the requests; `docs/how-to/canary.md` says how they are split.",
            "10%",
        ),
    ] = None
    soak: Annotated[
        timedelta | None,
        Key("How long this step must hold before the next.", "6h", default_says="no wait"),
    ] = None
    line: int = 0

    def faults(self, said: Said) -> Iterator[Fault]:
        """A step without traffic."""
        if self.traffic == 0:
            message = f"`{said.where}.traffic` of 0% is no step"
            yield Fault(("traffic",), "out-of-range", message)


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackCondition(Declared):
    """One reason to take the champion back.

    A metric that decayed against ``worse_than``, or that is above ``threshold``.
    """

    section: ClassVar[Section] = Section(
        "rollback.when[]",
        one_of=("worse_than", "above", "error_rate"),
        only_with={
            "metric": ("worse_than", "above"),
            "worse_than": ("metric",),
            "above": ("metric",),
            "margin": ("worse_than",),
            "samples": ("query",),
        },
    )
    name: str
    metric: str
    worse_than: Annotated[
        Reference | None,
        Choice(("previous", "anchor", "baseline", "training")),
        Key("Worse than this one by `margin`.", "previous"),
    ] = None
    margin: Annotated[Margin, Key("How much worse it must be.", "10%")] = NO_MARGIN
    threshold: Annotated[float | None, Key("A value above this.", "80", name="above")] = None
    window: Annotated[timedelta, Key("The span that is looked at.", "24h")] = timedelta(days=1)
    min_samples: Annotated[
        Count, Key("With fewer samples in the window it does not act.", "500")
    ] = 100
    confidence: Confidence = 0.95
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""
    query: Annotated[
        Query | None,
        Key(
            "What Prometheus (`prometheus_url` of the settings) is asked for the metric, over the last `every`.",
            "'sum(rate(errors_total[1m])) / sum(rate(requests_total[1m]))'",
        ),
    ] = None
    samples: Annotated[
        Query | None,
        Key(
            "What it is asked for the number of requests behind the value; without it each figure is one sample.",
            "'sum(increase(requests_total[1m]))'",
        ),
    ] = None
    every: Annotated[
        timedelta,
        Key(
            "How often it is asked. The queries look back as long, so that no request counts twice.",
            "5m",
        ),
    ] = timedelta(minutes=1)
    line: int = 0

    def directed(self, higher_is_better: Mapping[str, bool]) -> RollbackCondition:
        """With the direction of the team's own metric."""
        return replace(self, higher_is_better=higher_is_better.get(self.metric))


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenCondition(RollbackCondition):
    """One reason to take the champion back."""

    name: Annotated[
        FreeName,
        Key(
            "What it is called in explanations and tests.",
            "errors",
            default_says="metric and comparison",
        ),
    ] = ""
    metric: Annotated[MetricName, Key("What is measured.", "mae")] = ""
    error_rate: Annotated[
        PositiveFraction | None,
        Key(
            "A share of failed answers above this (short for the metric `error_rate`).",
            "1%",
            before="window",
        ),
    ] = None

    def meant(self, said: Said) -> RollbackCondition:
        """``error_rate`` is a metric with a threshold, and every condition has a name."""
        del said
        metric = self.metric or "error_rate"
        threshold = self.threshold if self.error_rate is None else self.error_rate
        asked = f"worse than {self.worse_than}" if threshold is None else f"above {threshold:g}"
        name = self.name or f"{metric} {asked}"
        return narrowed(self, RollbackCondition, name=name, metric=metric, threshold=threshold)


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackSection(Declared):
    """When a champion is taken back, to whom, and what then."""

    section: ClassVar[Section] = Section("rollback")
    when: Annotated[
        tuple[Annotated[RollbackCondition, WrittenCondition], ...],
        Listed(least=1, most=50),
        Key("The reasons; any of them is enough.", "[{error_rate: 1%}]"),
    ] = ()
    to: Annotated[
        Literal["last_verified", "previous"],
        Key(
            "The newest earlier champion that is known to load and answer, or simply the one before.",
            "previous",
        ),
    ] = "last_verified"
    then: Annotated[
        Literal["hold", "resume"],
        Key("Whether automatic promotion is on hold until a person releases it.", "resume"),
    ] = "hold"
    drill: Annotated[
        timedelta | None,
        Key(
            "How often a rollback is rehearsed: the earlier version is loaded and asked; the champion stays.",
            "7d",
        ),
    ] = None
    line: int = 0
