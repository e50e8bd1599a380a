"""A policy after parsing: what a team reviewed, as frozen values with every default filled in.

The file format (keys, spellings, positions) lives in :mod:`controller.rulefmt`; nothing here knows YAML.
``line`` fields (1-based) point into the policy's text so that an explanation can quote the rule that decided.
Durations are :class:`datetime.timedelta`; shares and percentages are fractions (``0.03`` for 3 %).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from controller.domain.publication import Settlement

SERVABLE = "servable"
"""Name of the gate that is always on: the challenger loads in a fresh process and its input schema fits."""


class Mode(StrEnum):
    """Whether a policy's decisions take effect."""

    ENFORCE = "enforce"
    AUDIT = "audit"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What a batch must satisfy before it counts as data. ``column`` is None for the batch as a whole."""

    column: str | None
    check: str
    value: Any
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdout:
    """The newest labelled rows, kept from training.

    ``last`` is a span of the time column, ``fraction`` a share of rows.
    """

    last: timedelta | None = None
    fraction: float | None = None
    min_rows: int = 100
    by: Literal["time", "rows", "group"] = "time"
    group: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """The log of what was asked of the model: its features, and where ``prediction`` names a column, its answers.

    ``version`` names the column with the number of the version that answered. Rows meet the data by ``key``.
    """

    source: str
    time: str | None = None
    prediction: str | None = None
    version: str | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceKey:
    """All that looking at a source depends on: policies with equal keys are served by the same look.

    ``time`` is the column whose range is noted of what arrives.
    """

    address: str
    time: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSection:
    """Where rows come from and what their columns mean."""

    source: str
    target: str
    time: str | None = None
    key: str | None = None
    label_delay: timedelta = timedelta(0)
    features: tuple[str, ...] | None = None
    expect: tuple[Expectation, ...] = ()
    holdout: Holdout = field(default_factory=Holdout)
    poll: timedelta | None = None
    line: int = 0
    served: Served | None = None

    @property
    def source_key(self) -> SourceKey:
        """Where rows are read, and how."""
        return SourceKey(address=self.source, time=self.time)


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """A hyper-parameter search inside one training run.

    ``space`` maps a parameter to a list of values, or to ``low`` and ``high`` (and ``log``) of a range.
    """

    trials: int
    metric: str
    space: Mapping[str, Any]
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One way to train: a Python entry point ``module:function`` or a command, never both."""

    name: str
    entrypoint: str | None = None
    command: tuple[str, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    search: Search | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSection:
    """How challengers are made. Recipes are tried in order; ``memory`` is a limit in bytes."""

    recipes: tuple[Recipe, ...]
    window: timedelta | None = None
    seed: int = 0
    timeout: timedelta = timedelta(hours=1)
    retries: int = 1
    queue: str = "default"
    memory: int | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """A cause for a training. What else one says depends on its kind: see :mod:`controller.policy.triggers`."""

    kind: ClassVar[str]
    name: str
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How often and how many trainings at once. ``queue_while_running`` says what a cause meets meanwhile."""

    cooldown: timedelta = timedelta(0)
    runs_per_day: int | None = None
    concurrency: int = 1
    queue_while_running: Literal["coalesce", "skip"] = "coalesce"
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Slices:
    """Repeat a gate on each value of one or two columns that has at least ``min_rows`` rows."""

    by: tuple[str, ...]
    min_rows: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One thing a challenger must prove. Exactly one of ``reference`` and ``threshold`` is set."""

    name: str
    metric: str
    comparison: Comparison
    reference: Reference | None = None
    threshold: float | None = None
    margin: Margin = Margin()
    confidence: float = 0.95
    test: str = "auto"
    slices: Slices | None = None
    dry_run: bool = False
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorBudget:
    """The share of false promotions that the team accepts over the policy's life."""

    false_promotions: float
    holdout_steps: int | None = None
    adaptivity: Literal["none", "full", "first_change"] = "none"
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutStep:
    """A stage between challenger and champion. ``traffic`` is a fraction; shadow means none is answered."""

    shadow: timedelta | None = None
    traffic: float | None = None
    soak: timedelta | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """When people must agree, who (groups of the server's settings), how many, and for how long it waits."""

    when: Literal["inconclusive", "always", "never"] = "never"
    groups: tuple[str, ...] = ()
    count: int = 1
    expires: timedelta = timedelta(days=3)
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()
    """Groups that may decide too once a challenger has waited so long."""
    supersede: Literal["newest", "keep_approved"] = "keep_approved"
    """What a newer challenger does to an older one that waits: it always takes its place, or not if it was approved."""
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackCondition:
    """A reason to take the champion back: a metric that decayed, or a rate above a threshold."""

    name: str
    metric: str
    worse_than: Reference | None = None
    margin: Margin = Margin()
    threshold: float | None = None
    window: timedelta = timedelta(days=1)
    min_samples: int = 100
    confidence: float = 0.95
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""
    query: str | None = None
    """What Prometheus is asked for the metric, and ``samples`` for the number of requests behind it."""
    samples: str | None = None
    every: timedelta = timedelta(minutes=1)
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackSection:
    """When a champion is taken back, to whom, and whether automatic promotion then rests."""

    when: tuple[RollbackCondition, ...] = ()
    to: Literal["last_verified", "previous"] = "last_verified"
    then: Literal["hold", "resume"] = "hold"
    drill: timedelta | None = None
    """How often the way back is proven; None: only when somebody asks."""
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Unimproving:
    """What to do when ``after`` retrainings in a row bring less than ``smallest_useful`` (a fraction)."""

    after: int = 5
    smallest_useful: float = 0.005
    stretch_factor: float = 2.0
    stretch_up_to: timedelta = timedelta(days=60)
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Deprecate:
    """Which superseded versions leave: all but the newest ``keep``, ``after`` a while, ``unless`` needed."""

    keep: int = 3
    after: timedelta = timedelta(days=30)
    unless: tuple[str, ...] = ("serving", "consumers", "rollback_target")
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySection:
    """Whose word counts when somebody moves the champion in the team's own registry.

    None: the policy is silent, and the server's setting holds. ``line`` is that of the word itself.
    """

    moved_elsewhere: Settlement | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Silenced:
    """A lint that a team switched off, with its reason."""

    lint: str
    reason: str
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """One model's rules, whole."""

    model: str
    data: DataSection
    train: TrainSection
    triggers: tuple[Trigger, ...] = ()
    limits: Limits = Limits()
    promote: tuple[Gate, ...] = ()
    metrics: Mapping[str, bool] = field(default_factory=dict)
    """Directions of the team's own metrics: True where higher is better."""
    version: int = 1
    owner: str | None = None
    description: str = ""
    mode: Mode = Mode.ENFORCE
    inconclusive: WhenInconclusive = WhenInconclusive.HOLD
    error_budget: ErrorBudget | None = None
    rollout: tuple[RolloutStep, ...] = ()
    approval: Approval = Approval()
    rollback: RollbackSection = RollbackSection()
    unimproving: Unimproving | None = None
    deprecate: Deprecate | None = None
    registry: RegistrySection = RegistrySection()
    notify: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    silenced: tuple[Silenced, ...] = ()

    def recipe(self, name: str) -> Recipe:
        """The recipe called ``name``; the first one if it is gone from the policy."""
        return next((r for r in self.train.recipes if r.name == name), self.train.recipes[0])
