"""A policy as a whole: its own keys, and what must hold between its sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from controller.domain.keys import (
    Checked,
    Choice,
    Declared,
    Fault,
    Key,
    Keyed,
    Listed,
    Number,
    Said,
    Section,
    Text,
    told_apart,
)
from controller.domain.publication import Settlement
from controller.domain.rules.data import DataSection, WrittenData
from controller.domain.rules.gates import SERVABLE, ErrorBudget, Gate, WhenInconclusive
from controller.domain.rules.people import Approval
from controller.domain.rules.rollout import RollbackSection, RolloutStep
from controller.domain.rules.train import Recipe, TrainSection, WrittenTrain
from controller.domain.rules.triggers import Limits, Trigger
from controller.domain.rules.vocabulary import (
    METRIC,
    MODEL_NAME_TEXT,
    ChannelName,
    Fraction,
    MaybeNoTime,
)

EVENTS = (
    "training",
    "trained",
    "failed",
    "promoted",
    "advanced",
    "held",
    "rejected",
    "rolled_back",
    "deprecated",
    "archived",
    "approval_needed",
    "escalated",
    "quarantined",
    "schema_changed",
    "source_failed",
    "drifted",
    "skewed",
    "decayed",
    "decay_expected",
    "unimproving",
    "moved_elsewhere",
    "rules_refused",
    "signal_failed",
    "stopped",
    "resumed",
)
"""What a policy may tell people about."""


class Mode(StrEnum):
    """Whether a policy's decisions take effect."""

    ENFORCE = "enforce"
    AUDIT = "audit"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnMetric(Declared):
    """What Incumbent cannot know about a metric of your own."""

    section: ClassVar[Section] = Section("metrics.METRIC")
    higher_is_better: Annotated[
        bool, Key("The direction of a metric that Incumbent does not know.", "true")
    ]

    def meant(self, said: Said) -> bool:
        """Its direction."""
        del said
        return self.higher_is_better


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch(Declared):
    """How the triggers slow down while retraining does not help."""

    section: ClassVar[Section] = Section("unimproving.stretch")
    factor: Annotated[
        float, Number(1, 100), Key("Each time, the wait grows by this factor.", "2")
    ] = 2.0
    up_to: Annotated[timedelta, Key("The longest wait.", "60d")] = timedelta(days=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unimproving(Declared):
    """What to do when retraining does not help: slow down, and try the next recipe."""

    section: ClassVar[Section] = Section("unimproving")
    after: Annotated[
        int, Number(1, 1000), Key("So many retrainings in a row that bring too little.", "5")
    ] = 5
    smallest_useful: Annotated[
        Fraction,
        Key("Less improvement than this share of the champion's metric is too little.", "0.5%"),
    ] = 0.005
    stretch: Annotated[Stretch, Key("", "{factor: 2, up_to: 60d}")] = field(default_factory=Stretch)
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Deprecate(Declared):
    """Which superseded versions leave."""

    section: ClassVar[Section] = Section("deprecate")
    keep: Annotated[int, Number(0, 10_000), Key("The newest so many stay.", "3")] = 3
    after: Annotated[
        MaybeNoTime,
        Key(
            "The least time between losing the champion role and being deprecated, and again until it is archived.",
            "30d",
        ),
    ] = timedelta(days=30)
    unless: Annotated[
        tuple[Annotated[str, Choice(("serving", "consumers", "rollback_target"))], ...],
        Listed(unique=True),
        Key(
            "Who keeps an old version from being archived: an alias that points at it, consumers with a lease, "
            "being where a roll back would go. Without `consumers` no lease goes beyond the date that "
            "deprecating sets. Holds and the way back keep it in any case.",
            "[serving]",
        ),
    ] = ("serving", "consumers", "rollback_target")
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySection(Declared):
    """What holds between Incumbent and a team's own registry, where the server publishes to one.

    None: the policy is silent, and the server's setting holds. ``line`` is that of the word itself.
    """

    section: ClassVar[Section] = Section("registry")
    moved_elsewhere: Annotated[
        Settlement | None,
        Key(
            "What follows when somebody moves the alias `champion` over there: promotion is on hold until a "
            "person decides, their version becomes champion without its gates, or ours is written again. Without "
            "this line the server's `registry_drift` holds, and `registry_adopt` can forbid to adopt. What cannot "
            "be done holds, and so does the fourth move within an hour.",
            "restore",
            required=True,
        ),
    ] = None
    line: int = 0

    def meant(self, said: Said) -> RegistrySection:
        """With the line of the word."""
        return replace(self, line=said.line_of("moved_elsewhere"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Silenced(Declared):
    """Silences one lint of `incumbent check`, with the reason that the reviewers agreed to."""

    section: ClassVar[Section] = Section("allow[]")
    lint: Annotated[
        str,
        Text("a lint's name", r"[a-z][a-z0-9-]*", 60),
        Key("The name of the lint, as `incumbent check` prints it.", "no-owner"),
    ]
    reason: Annotated[
        str,
        Text("a reason"),
        Key("Why it does not matter here.", '"a demonstration, nobody is called at night"'),
    ]
    line: int = 0


def _version_problem(value: object) -> str | None:
    return None if value == 1 else "must be 1, the only version of the format that there is"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy(Declared):
    """One file a model. The smallest useful one has `version`, `model`, `data`, `train`, a trigger and a gate."""

    section: ClassVar[Section] = Section("policy")
    version: Annotated[
        int,
        Number(1),
        Checked(_version_problem),
        Key("The version of the format.", "1", required=True),
    ] = 1
    model: Annotated[
        str,
        MODEL_NAME_TEXT,
        Key("The model that this policy governs; no other file may name it.", "flight-delay"),
    ]
    owner: Annotated[
        str | None,
        Text("a team or person", longest=200),
        Key("Who answers for this model.", "arrivals-team"),
    ] = None
    description: Annotated[
        str, Text("text", longest=2000), Key("What the model is for.", "Minutes of arrival delay.")
    ] = ""
    mode: Annotated[Mode, Key("`audit` decides and records, and changes nothing.", "audit")] = (
        Mode.ENFORCE
    )
    data: Annotated[DataSection, WrittenData, Key("", "{source: data/*.parquet, target: y}")]
    train: Annotated[TrainSection, WrittenTrain, Key("", '{entrypoint: "package.module:train"}')]
    triggers: Annotated[
        tuple[Trigger, ...],
        Listed(most=50),
        Key(
            "What causes a training; any of them is enough.",
            "[{new_data: {rows: 20000}}]",
            default_says="none: only `incumbent signal` trains",
        ),
    ] = ()
    limits: Annotated[Limits, Key("", "{cooldown: 6h}")] = field(default_factory=Limits)
    metrics: Annotated[
        Mapping[str, Annotated[bool, OwnMetric]],
        Keyed(METRIC, "metric"),
        Key("The directions of your own metrics.", "{revenue: {higher_is_better: true}}"),
    ] = field(default_factory=dict)
    """True where higher is better."""
    promote: Annotated[
        tuple[Gate, ...],
        Listed(most=100),
        Key(
            "What a challenger must prove; all must pass. Besides, it must load and fit its schema.",
            "[{metric: mae, better_than: champion}]",
        ),
    ] = ()
    inconclusive: Annotated[
        WhenInconclusive,
        Key(
            "Where a challenger goes whose evidence is not enough either way: put aside, judged again with "
            "more labels, or before people.",
            "wait",
            default_says="`approval` where `approval.when` is `inconclusive`, else `hold`",
        ),
    ] = WhenInconclusive.HOLD
    error_budget: Annotated[ErrorBudget | None, Key("", "{false_promotions: 5%}")] = None
    rollout: Annotated[
        tuple[RolloutStep, ...],
        Listed(least=1, most=50),
        Key(
            "The stages between challenger and champion; after the last it becomes champion.",
            "[{shadow: 24h}, {traffic: 10%, soak: 6h}]",
            default_says="none: a promoted challenger becomes champion at once",
        ),
    ] = ()
    approval: Annotated[Approval, Key("", "{when: always, from: [ml-leads]}")] = field(
        default_factory=Approval
    )
    rollback: Annotated[RollbackSection, Key("", "{when: [{error_rate: 1%}]}")] = field(
        default_factory=RollbackSection
    )
    unimproving: Annotated[Unimproving | None, Key("", "{after: 5}")] = None
    deprecate: Annotated[Deprecate | None, Key("", "{keep: 3, after: 30d}")] = None
    registry: Annotated[RegistrySection, Key("", "{moved_elsewhere: hold}")] = field(
        default_factory=RegistrySection
    )
    notify: Annotated[
        Mapping[
            str,
            Annotated[tuple[ChannelName, ...], Listed(least=1, most=50, unique=True, single=True)],
        ],
        Keyed(Choice(EVENTS), "event"),
        Key(
            "Channels of the server's settings, by event.",
            "{held: [ml-leads], rolled_back: [oncall]}",
        ),
    ] = field(default_factory=dict)
    silenced: Annotated[
        tuple[Silenced, ...],
        Listed(most=50),
        Key(
            "Lints that the team switched off, with their reasons.",
            '[{lint: no-owner, reason: "a demonstration"}]',
            name="allow",
        ),
    ] = ()

    def recipe(self, name: str) -> Recipe:
        """The recipe called ``name``; the first one if it is gone from the policy."""
        return next((r for r in self.train.recipes if r.name == name), self.train.recipes[0])

    def faults(self, said: Said) -> Iterator[Fault]:
        """What one section says that another one does not allow."""
        yield from self._names()
        yield from self._rollout_order()
        yield from self._inconclusive(said)
        if self.train.window is not None and self.data.time is None:
            message = "`train.window` is a span of time, and `data.time` names no column"
            yield Fault(("train", "window"), "no-time-column", message, "add `data.time: COLUMN`")

    def _names(self) -> Iterator[Fault]:
        named: Iterable[tuple[str, int, tuple[str | int, ...]]]
        named = [(t.name, t.line, ("triggers", at)) for at, t in enumerate(self.triggers)]
        yield from told_apart("triggers", named)
        named = [(g.name, g.line, ("promote", at)) for at, g in enumerate(self.promote)]
        yield from told_apart("gates", named)
        found = enumerate(self.rollback.when)
        named = [(c.name, c.line, ("rollback", "when", at)) for at, c in found]
        yield from told_apart("conditions", named)
        for at, gate in enumerate(self.promote):
            if gate.name == SERVABLE:
                message = f"the name `{SERVABLE}` belongs to the gate that is always on"
                yield Fault(("promote", at, "name"), "same-name", message, "rename it")

    def _rollout_order(self) -> Iterator[Fault]:
        share = 0.0
        for at, step in enumerate(self.rollout):
            if step.shadow is not None and share:
                message = "a shadow step after traffic has begun would take the traffic back"
                yield Fault(("rollout", at, "shadow"), "rollout-order", message, "put it first")
            if step.traffic is not None:
                if step.traffic <= share:
                    message = f"traffic must rise from step to step, {step.traffic:.4g} follows {share:.4g}"
                    yield Fault(("rollout", at, "traffic"), "rollout-order", message)
                share = step.traffic

    def _inconclusive(self, said: Said) -> Iterator[Fault]:
        place, when = ("inconclusive",), self.approval.when
        people = self.inconclusive is WhenInconclusive.APPROVAL
        if people and when == "never":
            message = (
                "`inconclusive: approval` needs the section `approval` that says who may approve"
            )
            hint = "for example `approval: {when: inconclusive, from: [ml-leads]}`"
            yield Fault(place, "missing-key", message, hint)
        if said.has("inconclusive") and not people and when == "inconclusive":
            message = (
                f"`inconclusive: {self.inconclusive}` contradicts `approval.when: inconclusive`"
            )
            yield Fault(place, "contradiction", message, "keep one of them")

    def meant(self, said: Said) -> Policy:
        """With what one section takes from another: where the inconclusive go, and the directions of own metrics."""
        policy = self
        if self.approval.when == "inconclusive" and not said.has("inconclusive"):
            policy = replace(policy, inconclusive=WhenInconclusive.APPROVAL)
        ways = self.metrics
        if not ways:
            return policy
        return replace(
            policy,
            train=replace(self.train, recipes=tuple(r.directed(ways) for r in self.train.recipes)),
            triggers=tuple(trigger.directed(ways) for trigger in self.triggers),
            promote=tuple(gate.directed(ways) for gate in self.promote),
            rollback=replace(
                self.rollback, when=tuple(c.directed(ways) for c in self.rollback.when)
            ),
        )
