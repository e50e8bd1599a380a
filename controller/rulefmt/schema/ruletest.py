"""The table of keys of a rule test (``NAME.test.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, get_args

from controller.domain.decisions import Action, Result, Verdict
from controller.policy.triggers import TRIGGERS
from controller.policy.triggers.distance import DISTANCES
from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems
from controller.rulefmt.schema.vocabulary import COLUMN, FREE_NAME, METRIC
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.types import (
    BAD,
    Anything,
    Boolean,
    Checked,
    ChoiceType,
    Duration,
    JsonSchema,
    ListOf,
    MapOf,
    NumberType,
    Text,
    Type,
)

TRIGGER_STATES = (Result.INACTIVE.value, Result.PENDING.value, Result.FIRING.value)
GATE_STATES = (
    Result.PASS.value,
    Result.FAIL.value,
    Result.INCONCLUSIVE.value,
    Result.ERROR.value,
)
VERDICTS = tuple(verdict.value for verdict in Verdict)
ACTIONS = tuple(kind.__dataclass_fields__["kind"].default for kind in get_args(Action))
EVENTS: Mapping[str, str] = MappingProxyType(
    {kind.signal.value: kind.event for kind in TRIGGERS.values() if kind.event is not None}
)
"""Signals that a rule test sends to triggers, each with an example of its payload."""
SIGNALS = (
    *EVENTS,
    "manual",
    "metric",
    "quarantined",
    "schema_changed",
    "approval",
    "promote",
    "reject",
    "rollback",
    "hold",
    "release",
    "foreign_move",
)
_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class QuotedTime:
    """A quoted time with its zone: ``"2013-01-31T12:00:00Z"``."""

    label: str = "quoted time with its zone"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = '"2013-01-31T12:00:00Z"'
        try:
            moment = datetime.fromisoformat(node.text) if node.kind == "scalar" else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or node.plain or moment.year < 1971:
            message = f"`{where}` must be a quoted time with its zone, found {node.describe()}"
            problems.add(node, "wrong-type", message, f"for example {wanted}")
            return BAD
        return moment

    def json(self) -> JsonSchema:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class StepSeries:
    """Values, one a step: ``0.1 _ 0.3x4``; ``_`` is a gap and ``x4`` repeats."""

    label: str = "values, one a step"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = "values separated by spaces, `_` for a gap and `0.3x4` for four in a row"
        values: list[float | None] = []
        good = node.kind == "scalar" and bool(node.text.strip())
        for word in node.text.split():
            match = re.fullmatch(r"(_|-?[0-9]{1,15}(?:\.[0-9]{1,15})?)(?:x([0-9]{1,5}))?", word)
            times = int(match[2] or 1) if match else 0
            if match is None or len(values) + times > _MOST_STEPS:
                good = False
                break
            values += [None if match[1] == "_" else float(match[1])] * times
        if not good:
            message = f"`{where}` must be {wanted}, found {node.describe()}"
            problems.add(node, "wrong-type", message)
            return BAD
        return tuple(values)

    def json(self) -> JsonSchema:
        return {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class Either:
    """A short spelling of one scalar, or the whole section; the scalar becomes ``{key: scalar}``."""

    section: Section
    key: str

    @property
    def label(self) -> str:
        return f"{self.short.label}, or section"

    @property
    def short(self) -> Type:
        return next(key.type for key in self.section.keys if key.name == self.key)

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind == "scalar":
            name = Node("scalar", node.line, node.col, text=self.key, plain=True)
            node = Node("mapping", node.line, node.col, pairs=[(name, node)])
        return self.section.read(node, where, problems)

    def json(self) -> JsonSchema:
        return {"anyOf": [self.short.json(), self.section.json()]}


@dataclass(frozen=True, slots=True)
class Maybe:
    """Another type, or ``null``."""

    inner: Type

    @property
    def label(self) -> str:
        return f"{self.inner.label}, or null"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind == "scalar" and node.plain and node.text in ("null", "~"):
            return None
        return self.inner.read(node, where, problems)

    def json(self) -> JsonSchema:
        return {"anyOf": [self.inner.json(), {"type": "null"}]}


def _ordered(bounds: Any) -> str | None:
    return None if len(bounds) == 2 and bounds[0] <= bounds[1] else "must be [low, high]"


INTERVAL = Checked(ListOf(NumberType(), least=2, most=2), _ordered)

GIVEN = Section(
    title="tests[].given",
    doc="The state at the start.",
    keys=(
        Key(
            name="champion",
            type=Boolean(),
            doc="Whether version 1 is the champion.",
            example="false",
            default="true",
        ),
        Key(
            name="hold",
            type=Text("a reason"),
            doc="Automatic promotion is on hold, for this reason.",
            example='"an incident"',
        ),
        Key(
            name="rows",
            type=NumberType(0, whole=True),
            doc="Rows of data that are there; 0 is no data at all.",
            example="0",
            default="1000",
        ),
    ),
)


def _series_is_whole(series: Values, where: str, problems: Problems) -> None:
    if not series.has("new_data") and not series.has("values"):
        problems.add(series.node, "missing-key", f"`{where}` needs the key `values`")
    if series.has("decay") and not series.has("reference"):
        problems.add(series.node, "missing-key", f"`{where}` needs the key `reference`")


SERIES = Section(
    title="tests[].series[]",
    doc="A series of signals, one a step of `interval`, from the start on.",
    keys=(
        Key(
            name="new_data",
            type=StepSeries(),
            doc="Rows of a new file at each step.",
            example='"9000 _ 12000"',
        ),
        Key(
            name="drift",
            type=COLUMN,
            doc="The column whose distance from its reference `values` holds.",
            example="distance",
        ),
        Key(
            name="skew",
            type=COLUMN,
            doc="The same, of served rows against training rows.",
            example="distance",
        ),
        Key(
            name="decay",
            type=METRIC,
            doc="The champion's metric, by late labels, that `values` holds.",
            example="mae",
        ),
        Key(
            name="distance",
            type=ChoiceType(DISTANCES),
            doc="Which distance of `drift` or `skew`.",
            example="jensen_shannon",
            default="psi",
        ),
        Key(
            name="reference",
            type=NumberType(),
            doc="What the metric of `decay` is compared with.",
            example="14.0",
        ),
        Key(
            name="labels",
            type=NumberType(0, whole=True),
            doc="How many labels each value of `decay` is computed from.",
            example="2000",
            default="1000",
        ),
        Key(name="values", type=StepSeries(), doc="The values.", example='"0.1 _ 0.3x4"'),
    ),
    one_of=("new_data", "drift", "skew", "decay"),
    only_with={
        "distance": ("drift", "skew"),
        "reference": ("decay",),
        "labels": ("decay",),
        "values": ("drift", "skew", "decay"),
    },
    checks=(_series_is_whole,),
)


_PAYLOAD = MapOf(Text(longest=100), Anything(), "key")

SIGNAL = Section(
    title="tests[].signals[]",
    doc="One signal at a time after the start. Fires of `schedule` triggers come by themselves.",
    keys=(
        Key(
            name="at",
            type=Duration(positive=False),
            doc="When, after the start.",
            example="1d",
            required=True,
        ),
        Key(
            name="by",
            type=FREE_NAME,
            doc="The person who sends it.",
            example="ana",
        ),
        *(
            Key(
                name=kind,
                type=_PAYLOAD,
                doc=f"What a signal of kind `{kind}` says.",
                example=EVENTS.get(kind, "{}"),
            )
            for kind in SIGNALS
        ),
    ),
    one_of=SIGNALS,
)

AGAINST = Section(
    title="tests[].candidates[].metrics.METRIC.REFERENCE",
    doc="A reference on the same rows.",
    keys=(
        Key(name="value", type=NumberType(), doc="Its value.", example="14.6", required=True),
        Key(
            name="interval",
            type=INTERVAL,
            doc="Two-sided 95 % interval of challenger minus reference.",
            example="[-0.9, -0.4]",
        ),
    ),
)

MEASURED = Section(
    title="tests[].candidates[].metrics.METRIC",
    doc="One metric of the candidate, and of those it is compared with.",
    keys=(
        Key(
            name="value",
            type=Maybe(NumberType()),
            doc="The candidate's value; null: it could not be computed.",
            example="13.9",
            required=True,
        ),
        Key(
            name="rows",
            type=NumberType(0, whole=True),
            doc="How many rows it is computed from.",
            example="6000",
            default="1000",
        ),
        *(
            Key(
                name=reference,
                type=Either(AGAINST, "value"),
                doc=f"The {reference} on the same rows.",
                example="14.6",
            )
            for reference in ("champion", "anchor", "previous", "baseline")
        ),
        Key(
            name="interval",
            type=INTERVAL,
            doc="Two-sided 95 % interval of the difference, for references that have none of their own.",
            example="[-0.9, -0.4]",
        ),
    ),
)

_METRICS = MapOf(METRIC, Either(MEASURED, "value"), "metric")

SLICE_SECTION = Section(
    title="tests[].candidates[].slices[]",
    doc="Metrics on the rows of one slice.",
    keys=(
        Key(
            name="where",
            type=MapOf(COLUMN, Text("a value"), "column"),
            doc="The values that make the slice.",
            example="{origin: EWR}",
            required=True,
        ),
        Key(
            name="metrics",
            type=_METRICS,
            doc="As those of the whole holdout.",
            example="{mae: {value: 15, champion: 14, interval: [0.4, 1.6], rows: 900}}",
            required=True,
        ),
    ),
)

CANDIDATE = Section(
    title="tests[].candidates[]",
    doc="What the next training brings; a training without a candidate left runs on for ever.",
    keys=(
        Key(
            name="takes",
            type=Duration(positive=False),
            doc="How long the training takes.",
            example="2h",
            default="0s",
        ),
        Key(
            name="fails",
            type=Text("a reason"),
            doc="It fails, for this reason.",
            example='"out of memory"',
        ),
        Key(
            name="servable",
            type=Boolean(),
            doc="Whether it loads in a fresh process.",
            example="false",
            default="true",
        ),
        Key(
            name="metrics",
            type=_METRICS,
            doc="What the evaluation measures.",
            example="{mae: {value: 13.9, champion: 14.6, interval: [-0.9, -0.4]}}",
        ),
        Key(
            name="slices",
            type=ListOf(SLICE_SECTION, least=1),
            doc="The same on slices.",
            example="[{where: {origin: EWR}, metrics: {mae: 15}}]",
        ),
    ),
    one_of=("fails", "metrics"),
    only_with={"slices": ("metrics",), "servable": ("metrics",)},
)

EXPECTATION = Section(
    title="tests[].expect[]",
    doc="What must hold at a time, of all that happened since the expectation before.",
    keys=(
        Key(
            name="at",
            type=Duration(positive=False),
            doc="When, after the start.",
            example="1d",
            required=True,
        ),
        Key(
            name="triggers",
            type=MapOf(FREE_NAME, ChoiceType(TRIGGER_STATES), "trigger"),
            doc="The state of triggers at that time, before they act.",
            example="{new_data: firing}",
        ),
        Key(
            name="gates",
            type=MapOf(FREE_NAME, ChoiceType(GATE_STATES), "gate"),
            doc="The verdicts of gates in the last judgement.",
            example="{better: pass}",
        ),
        Key(
            name="decision",
            type=ListOf(ChoiceType(VERDICTS), single=True),
            doc="The decisions in their order, `none` left out; `none` alone: there was none.",
            example="[train, promote]",
        ),
        Key(
            name="actions",
            type=ListOf(ChoiceType(ACTIONS)),
            doc="Actions that were among the decisions'; an empty list: there was none.",
            example="[set_champion]",
        ),
        Key(
            name="champion",
            type=Maybe(NumberType(0, whole=True)),
            doc="The champion; null: there is none.",
            example="2",
        ),
        Key(
            name="reason",
            type=Text("text"),
            doc="Words that one of the reasons or answers contains.",
            example='"cooldown"',
        ),
    ),
)

TEST = Section(
    title="tests[]",
    doc="One test, in simulated time.",
    keys=(
        Key(
            name="name",
            type=FREE_NAME,
            doc="What it shows.",
            example="a better challenger is promoted",
            required=True,
        ),
        Key(name="given", type=GIVEN, doc=GIVEN.doc, example="{champion: false}"),
        Key(
            name="interval",
            type=Duration(),
            doc="The step of `series`.",
            example="1d",
            default="1d",
        ),
        Key(
            name="series",
            type=ListOf(SERIES, least=1),
            doc="Series of signals.",
            example='[{new_data: "9000 _ 12000"}]',
        ),
        Key(
            name="signals",
            type=ListOf(SIGNAL, least=1),
            doc="Single signals.",
            example="[{at: 0s, manual: {}, by: ana}]",
        ),
        Key(
            name="candidates",
            type=ListOf(CANDIDATE, least=1),
            doc="What the trainings bring, in their order.",
            example="[{metrics: {mae: {value: 13.9, champion: 14.6, interval: [-0.9, -0.4]}}}]",
        ),
        Key(
            name="expect",
            type=ListOf(EXPECTATION, least=1),
            doc="What must hold.",
            example="[{at: 2d, decision: train}]",
            required=True,
        ),
    ),
)

RULE_TEST = Section(
    title="rule test",
    doc="Tests of one policy. `incumbent test` runs them in simulated time through the function that decides.",
    keys=(
        Key(
            name="version",
            type=NumberType(1, 1, whole=True),
            doc="The version of the format.",
            example="1",
            required=True,
        ),
        Key(
            name="policy",
            type=Text("a path", longest=300),
            doc="The policy, relative to this file.",
            example="flight-delay.yaml",
            required=True,
        ),
        Key(
            name="start",
            type=QuotedTime(),
            doc="When the tests begin.",
            example='"2013-01-31T00:00:00Z"',
            default_says='`"2026-01-01T00:00:00Z"`',
        ),
        Key(
            name="tests",
            type=ListOf(TEST, least=1),
            doc="The tests.",
            example="[{name: data trains, signals: [{at: 0s, new_data: {rows: 20000}}], "
            "expect: [{at: 0s, decision: train}]}]",
            required=True,
        ),
    ),
)
