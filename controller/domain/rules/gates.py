"""The section ``promote``: what a challenger must prove, and what a false promotion may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from controller.domain.evidence import STATISTICAL_TESTS
from controller.domain.keys import Choice, Declared, Key, Listed, Number, Section, Share
from controller.domain.rules.vocabulary import ColumnName, Count, FreeName, MetricName

SERVABLE = "servable"
"""Name of the gate that is always on: the challenger loads in a fresh process and its input schema fits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateQuestion:
    """What a comparison asks of the evidence. The need is met where theta, made of these, is below zero."""

    paired: bool
    """Whether the challenger is held against a reference model rather than a threshold."""
    sign: float = 1.0
    """By what the challenger's value less the threshold is multiplied; 1 where paired (the metric knows), and 0
    where a distance to either side counts."""
    margin_sign: float = 0.0
    """By what the margin is multiplied before it is added to theta."""
    recorded: str | None = None
    """Its word in stored evidence; None: the comparison's own key."""

    def turned(self, difference: Any) -> Any:
        """A difference, or an array of them, the way in which less is better."""
        return self.sign * difference if self.sign else abs(difference)


class Comparison(StrEnum):
    """What a gate asks of a metric, and so of the evidence. Each has a file in :mod:`controller.policy.gates`."""

    _value_: str
    question: GateQuestion

    def __new__(cls, key: str, question: GateQuestion) -> Self:
        """A text like that of every other enum here, which knows its question."""
        made = str.__new__(cls, key)
        made._value_, made.question = key, question
        return made

    BETTER_THAN = "better_than", GateQuestion(paired=True, margin_sign=1.0, recorded="superiority")
    NOT_WORSE_THAN = (
        "not_worse_than",
        GateQuestion(paired=True, margin_sign=-1.0, recorded="non_inferiority"),
    )
    AT_MOST = "at_most", GateQuestion(paired=False, sign=1.0)
    AT_LEAST = "at_least", GateQuestion(paired=False, sign=-1.0)


class Reference(StrEnum):
    """Whom a metric is compared with."""

    CHAMPION = "champion"
    ANCHOR = "anchor"
    PREVIOUS = "previous"
    BASELINE = "baseline"
    TRAINING = "training"


class WhenInconclusive(StrEnum):
    """Where a challenger goes whose evidence is not enough either way."""

    HOLD = "hold"
    WAIT = "wait"
    APPROVAL = "approval"


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """A tolerance: ``value`` in the metric's unit, or a fraction of the reference when ``relative``."""

    value: float = 0.0
    relative: bool = False


NO_MARGIN = Margin()

Confidence = Annotated[
    float,
    Number(0.5, 0.999999),
    Key("The confidence of the one-sided interval that must clear the bar.", "0.99"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Slices(Declared):
    """Repeats the gate on every value of one or two columns."""

    section: ClassVar[Section] = Section("promote[].slices")
    by: Annotated[
        tuple[ColumnName, ...],
        Listed(least=1, most=2, unique=True, single=True),
        Key("The columns.", "origin"),
    ]
    min_rows: Annotated[
        Count, Key("Values with fewer rows in the holdout are not judged.", "300")
    ] = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate(Declared):
    """One thing that a challenger must prove.

    Its comparison has keys of its own (:mod:`controller.policy.gates`); exactly one of ``reference`` and ``threshold``
    is set.
    """

    section: ClassVar[Section] = Section("promote[]")
    name: Annotated[
        FreeName,
        Key(
            "What it is called in explanations and tests.",
            "no worse anywhere",
            default_says="metric and comparison, as in `mae better than champion`",
            required=False,
        ),
    ]
    metric: Annotated[MetricName, Key("What is measured.", "mae")]
    comparison: Comparison
    reference: Reference | None = None
    threshold: float | None = None
    margin: Margin = NO_MARGIN
    confidence: Confidence = 0.95
    test: Annotated[
        str,
        Choice(tuple(STATISTICAL_TESTS)),
        Key(
            "How the difference is judged; `auto` chooses, `point` compares bare numbers.",
            "mcnemar",
        ),
    ] = "auto"
    slices: Annotated[Slices | None, Key("", "{by: origin, min_rows: 300}")] = None
    dry_run: Annotated[bool, Key("Judge and record, but let it stop nothing.", "true")] = False
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""
    line: int = 0

    def directed(self, higher_is_better: Mapping[str, bool]) -> Gate:
        """With the direction of the team's own metric."""
        return replace(self, higher_is_better=higher_is_better.get(self.metric))


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorBudget(Declared):
    """How many promotions of a challenger that is not better the team accepts over the policy's life."""

    section: ClassVar[Section] = Section("error_budget")
    false_promotions: Annotated[
        float,
        Share(most=0.5, positive=True),
        Key("The accepted share; each challenger is judged at a level that keeps it.", "5%"),
    ]
    holdout_steps: Annotated[
        Count | None,
        Key(
            "How many challengers one holdout may judge before fresh labels are needed.",
            "32",
            default_says="no limit",
        ),
    ] = None
    adaptivity: Annotated[
        Literal["none", "full", "first_change"],
        Key("How much the outcomes of a re-used holdout influence the next challengers.", "full"),
    ] = "none"
    line: int = 0
