"""A rule test (``NAME.test.yaml``): what is given, what happens, and what is expected of the policy at which time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, get_args

from controller.domain.decisions import Action, Result, Verdict
from controller.domain.keys import (
    Choice,
    Declared,
    Fault,
    Key,
    Keyed,
    Listed,
    Nullable,
    Number,
    Said,
    Section,
    Steps,
    Text,
    narrowed,
    told_apart,
)
from controller.domain.rules.vocabulary import (
    FREE_NAME,
    ColumnName,
    FreeName,
    MaybeNoTime,
    MetricName,
)
from controller.policy.triggers import TRIGGERS
from controller.policy.triggers.distance import DISTANCES
from controller.rulefmt.testcandidates import Natural, Reason, RuleTestCandidate

TRIGGER_STATES = (Result.INACTIVE.value, Result.PENDING.value, Result.FIRING.value)
GATE_STATES = (Result.PASS.value, Result.FAIL.value, Result.INCONCLUSIVE.value, Result.ERROR.value)
VERDICTS = tuple(verdict.value for verdict in Verdict)
ACTIONS = tuple(kind.__dataclass_fields__["kind"].default for kind in get_args(Action))


@dataclass(frozen=True, kw_only=True, slots=True)
class Given(Declared):
    """The state at the start."""

    section: ClassVar[Section] = Section("tests[].given")
    champion: Annotated[bool, Key("Whether version 1 is the champion.", "false")] = True
    hold: Annotated[
        Reason, Key("Automatic promotion is on hold, for this reason.", '"an incident"')
    ] = ""
    rows: Annotated[Natural, Key("Rows of data that are there; 0 is no data at all.", "0")] = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestEvent(Declared):
    """One signal at a time after the start. Fires of `schedule` triggers come by themselves.

    ``kind`` is a kind of signal, ``actor`` who caused it.
    """

    section: ClassVar[Section] = Section("tests[].signals[]")
    at: Annotated[MaybeNoTime, Key("When, after the start.", "1d")]
    kind: str
    payload: Mapping[str, Any]
    actor: str = "system"
    trigger: str | None = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalSeries(Declared):
    """A series of signals, one a step of `interval`, from the start on."""

    section: ClassVar[Section] = Section(
        "tests[].series[]",
        one_of=("new_data", "drift", "skew", "decay"),
        only_with={
            "distance": ("drift", "skew"),
            "reference": ("decay",),
            "labels": ("decay",),
            "values": ("drift", "skew", "decay"),
        },
    )
    new_data: Annotated[
        tuple[float | None, ...] | None,
        Steps(),
        Key("Rows of a new file at each step.", '"9000 _ 12000"'),
    ] = None
    drift: Annotated[
        ColumnName | None,
        Key("The column whose distance from its reference `values` holds.", "distance"),
    ] = None
    skew: Annotated[
        ColumnName | None, Key("The same, of served rows against training rows.", "distance")
    ] = None
    decay: Annotated[
        MetricName | None, Key("The champion's metric, by late labels, that `values` holds.", "mae")
    ] = None
    distance: Annotated[
        str, Choice(DISTANCES), Key("Which distance of `drift` or `skew`.", "jensen_shannon")
    ] = "psi"
    reference: Annotated[
        float | None, Key("What the metric of `decay` is compared with.", "14.0")
    ] = None
    labels: Annotated[
        Natural, Key("How many labels each value of `decay` is computed from.", "2000")
    ] = 1000
    values: Annotated[
        tuple[float | None, ...] | None, Steps(), Key("The values.", '"0.1 _ 0.3x4"')
    ] = None
    line: int = 0

    def faults(self, said: Said) -> Iterator[Fault]:
        """Keys that the one that was chosen needs."""
        if self.new_data is None and self.values is None:
            yield Fault((), "missing-key", f"`{said.where}` needs the key `values`")
        if self.decay is not None and self.reference is None:
            yield Fault((), "missing-key", f"`{said.where}` needs the key `reference`")


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTestExpectation(Declared):
    """What must hold at a time, of all that happened since the expectation before.

    None means that nothing is said about it. ``decisions`` are the verdicts without those that changed nothing.
    ``champion`` 0: there is none.
    """

    section: ClassVar[Section] = Section("tests[].expect[]")
    at: Annotated[MaybeNoTime, Key("When, after the start.", "1d")]
    triggers: Annotated[
        Mapping[str, Annotated[str, Choice(TRIGGER_STATES)]],
        Keyed(FREE_NAME, "trigger"),
        Key("The state of triggers at that time, before they act.", "{new_data: firing}"),
    ] = field(default_factory=dict)
    gates: Annotated[
        Mapping[str, Annotated[str, Choice(GATE_STATES)]],
        Keyed(FREE_NAME, "gate"),
        Key("The verdicts of gates in the last judgement.", "{better: pass}"),
    ] = field(default_factory=dict)
    decisions: Annotated[
        tuple[Annotated[str, Choice(VERDICTS)], ...] | None,
        Listed(single=True),
        Key(
            "The decisions in their order, `none` left out; `none` alone: there was none.",
            "[train, promote]",
            name="decision",
        ),
    ] = None
    actions: Annotated[
        tuple[Annotated[str, Choice(ACTIONS)], ...] | None,
        Key(
            "Actions that were among the decisions'; an empty list: there was none.",
            "[set_champion]",
        ),
    ] = None
    champion: Annotated[
        int | None, Number(0), Nullable(), Key("The champion; null: there is none.", "2")
    ] = None
    reason: Annotated[
        str, Key("Words that one of the reasons or answers contains.", '"cooldown"')
    ] = ""
    line: int = 0

    def meant(self, said: Said) -> RuleTestExpectation:
        """``null`` is the champion 0."""
        return replace(self, champion=self.champion or 0) if said.has("champion") else self

    def problems(self, said: Said, path: tuple[str | int, ...]) -> Iterator[Fault]:
        """A test that cannot fail shows nothing."""
        empty = {"triggers": not self.triggers, "gates": not self.gates}
        keys = ("decision", "actions", "champion", "reason")
        if any(said.has(*path, key) and empty[key] for key in empty) or not any(
            said.has(*path, key) for key in (*empty, *keys)
        ):
            yield Fault(path, "expects-nothing", "this expectation expects nothing")
        verdicts = self.decisions
        if verdicts is not None and (not verdicts or ("none" in verdicts and len(verdicts) > 1)):
            message = "`decision` lists what was decided; `none` stands alone"
            yield Fault((*path, "decision"), "wrong-value", message)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTest(Declared):
    """One test: events and candidates in, expectations out."""

    section: ClassVar[Section] = Section("tests[]")
    name: Annotated[FreeName, Key("What it shows.", "a better challenger is promoted")]
    given: Annotated[Given, Key("", "{champion: false}")] = field(default_factory=Given)
    events: tuple[RuleTestEvent, ...] = ()
    candidates: Annotated[
        tuple[RuleTestCandidate, ...],
        Listed(least=1),
        Key(
            "What the trainings bring, in their order.",
            "[{metrics: {mae: {value: 13.9, champion: 14.6, interval: [-0.9, -0.4]}}}]",
        ),
    ] = ()
    expectations: Annotated[
        tuple[RuleTestExpectation, ...],
        Listed(least=1),
        Key("What must hold.", "[{at: 2d, decision: train}]", name="expect"),
    ]
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenTest(RuleTest):
    """One test, in simulated time."""

    interval: Annotated[timedelta, Key("The step of `series`.", "1d", before="candidates")] = (
        timedelta(days=1)
    )
    series: Annotated[
        tuple[SignalSeries, ...],
        Listed(least=1),
        Key("Series of signals.", '[{new_data: "9000 _ 12000"}]', before="candidates"),
    ] = ()
    signals: Annotated[
        tuple[RuleTestEvent, ...],
        Listed(least=1),
        Key("Single signals.", "[{at: 0s, manual: {}, by: ana}]", before="candidates"),
    ] = ()

    def problems(self, said: Said, path: tuple[str | int, ...]) -> Iterator[Fault]:
        """What expects nothing, comes out of order, or too late to be looked at."""
        last = timedelta(-1)
        for at, expected in enumerate(self.expectations):
            yield from expected.problems(said, (*path, "expect", at))
            if expected.at <= last:
                message = "expectations stand in the order of their times, each time once"
                yield Fault((*path, "expect", at, "at"), "wrong-order", message)
            last = max(last, expected.at)
        for at, signal in enumerate(self.signals):
            if signal.at > last:
                message = "this signal comes after the last expectation, nothing looks at it"
                yield Fault((*path, "signals", at, "at"), "expects-nothing", message)

    def whole(self) -> RuleTest:
        """With all signals in one list, and ``none`` as an empty list of decisions."""
        events = sorted((*self._of_series(), *self.signals), key=lambda event: event.at)
        expected = tuple(
            replace(each, decisions=tuple(v for v in each.decisions if v != "none"))
            if each.decisions
            else each
            for each in self.expectations
        )
        return narrowed(self, RuleTest, events=tuple(events), expectations=expected)

    def _of_series(self) -> list[RuleTestEvent]:
        """The signals of all series; those that are merged, and have a value at the same step, come in one."""
        alone: list[RuleTestEvent] = []
        together: list[RuleTestEvent] = []
        merged: dict[tuple[str, timedelta], dict[str, Any]] = {}
        for series in self.series:
            said = {each.name: getattr(series, each.name) for each in fields(series)}
            kind, words = next(
                (k, f.series) for k, f in TRIGGERS.items() if f.series and said[k] is not None
            )
            for step, value in enumerate(series.new_data or series.values or ()):
                at = step * self.interval
                if value is None or at > self.expectations[-1].at:
                    continue
                payload = merged.get((kind, at), {}) if words.is_merged else {}
                if not payload:
                    event = RuleTestEvent(at=at, kind=kind, payload=payload, line=series.line)
                    (together if words.is_merged else alone).append(event)
                    merged[kind, at] = payload
                words.fill(payload, said, value)
        return [*alone, *together]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleTests(Declared):
    """Tests of one policy. `incumbent test` runs them in simulated time through the function that decides.

    ``policy`` is a path relative to the file.
    """

    section: ClassVar[Section] = Section("rule test")
    version: Annotated[int, Number(1, 1), Key("The version of the format.", "1", required=True)] = 1
    policy: Annotated[
        str,
        Text("a path", longest=300),
        Key("The policy, relative to this file.", "flight-delay.yaml"),
    ]
    start: Annotated[
        datetime,
        Key(
            "When the tests begin.",
            '"2013-01-31T00:00:00Z"',
            default_says='`"2026-01-01T00:00:00Z"`',
        ),
    ] = datetime(2026, 1, 1, tzinfo=UTC)
    tests: Annotated[
        tuple[Annotated[RuleTest, WrittenTest], ...],
        Listed(least=1),
        Key(
            "The tests.",
            "[{name: data trains, signals: [{at: 0s, new_data: {rows: 20000}}], "
            "expect: [{at: 0s, decision: train}]}]",
        ),
    ]

    def faults(self, said: Said) -> Iterator[Fault]:
        """Two tests of one name, and what is wrong with one of them: asked once all of them could be read."""
        named = [(test.name, test.line, ("tests", at)) for at, test in enumerate(self.tests)]
        yield from told_apart("tests", named, "")
        for at, test in enumerate(self.tests):
            if isinstance(test, WrittenTest):
                yield from test.problems(said, ("tests", at))

    def meant(self, said: Said) -> RuleTests:
        """In UTC."""
        del said
        tests = tuple(t.whole() if isinstance(t, WrittenTest) else t for t in self.tests)
        return replace(self, start=self.start.astimezone(UTC), tests=tests)
