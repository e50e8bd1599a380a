"""Every kind of trigger is asked for every duty; a kind that lacks one is an error at import, or here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from controller.adapters.sql.tables import DRIFT_KINDS
from controller.domain.decisions import Result, RulesRef
from controller.domain.payloads.kinds import DECLARATIONS
from controller.domain.rules import Policy, Trigger
from controller.domain.signals import TRAINING_CAUSES, Signal, SignalKind
from controller.domain.snapshot import Snapshot
from controller.policy.context import DecisionContext
from controller.policy.triggers import (
    TRIGGERS,
    WATCHED_SIGNALS,
    TriggerKind,
    TriggerVerdict,
    judge_triggers,
    registry,
)
from controller.policy.triggers.registry import unwanted
from controller.rulefmt import load_policy
from controller.rulefmt.declared import doc_of
from controller.rulefmt.lints import known_lints
from controller.rulefmt.reference import reference_markdown
from controller.rulefmt.ruletest import check_names, parse_tests
from controller.rulefmt.schema.policy import TRIGGER, kind_section
from controller.rulefmt.schema.ruletest import EVENTS, SERIES
from controller.rulefmt.testcases import RuleTests

NOW = datetime(2013, 2, 1, tzinfo=UTC)
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "policy.md"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Payloads that make the trigger fire, and that do not; and what `plan` says where nothing was recorded."""

    fires: Mapping[str, Any]
    rests: Mapping[str, Any] | None
    unrecorded: str | None
    series: str = ""
    section: str = ""
    """What the policy says, where the format's own example needs more than one signal."""


EXAMPLES: Mapping[str, Example] = {
    "schedule": Example(fires={"due": NOW.isoformat()}, rests=None, unrecorded=None),
    "new_data": Example(
        fires={"rows": 20_000},
        rests={"rows": 19_999},
        unrecorded="no new_data signal was recorded",
        series='{new_data: "20000"}',
    ),
    "drift": Example(
        fires={"columns": {"distance": {"psi": 0.3}}},
        rests={"columns": {"distance": {"psi": 0.1}}},
        unrecorded="no drift signal was recorded",
        series='{drift: distance, values: "0.3"}',
        section="{metric: psi, above: 0.2, for: 1 batch}",
    ),
    "decay": Example(
        fires={"metric": "mae", "value": 14.0, "reference": 10.0, "labels": 1000},
        rests={"metric": "mae", "value": 10.5, "reference": 10.0, "labels": 1000},
        unrecorded="no decay signal was recorded",
        series='{decay: mae, reference: 10, values: "14"}',
    ),
    "skew": Example(
        fires={"columns": {"distance": {"jensen_shannon": 0.3}}},
        rests={"columns": {"distance": {"jensen_shannon": 0.05}}},
        unrecorded="no skew signal was recorded",
        series='{skew: distance, distance: jensen_shannon, values: "0.3"}',
    ),
    "webhook": Example(
        fires={"type": "com.example.labels.ready"},
        rests={"type": "com.example.other"},
        unrecorded="no event of type com.example.labels.ready was recorded",
    ),
}


def policy_with(key: str, example: str) -> Policy:
    return load_policy(
        "version: 1\nmodel: m\n"
        'data: {source: "data/*.parquet", time: t, target: y}\n'
        'train: {entrypoint: "a:b"}\n'
        f"triggers:\n  - {key}: {example}\n"
        "promote:\n  - {metric: mae, better_than: champion}\n",
        "p.yaml",
    )


def judged(policy: Policy, *signals: Signal) -> TriggerVerdict:
    snapshot = Snapshot(
        model="m",
        generation=0,
        next_version=1,
        next_run=1,
        rules=RulesRef(path="", blob=""),
        signals=signals,
    )
    return judge_triggers(DecisionContext(snapshot, policy, NOW))[0]


def signal_of(kind: SignalKind, payload: Mapping[str, Any], trigger: str | None = None) -> Signal:
    return Signal(
        id=1,
        key="1",
        model="m",
        kind=kind,
        occurred_at=NOW,
        received_at=NOW,
        payload=payload,
        trigger=trigger,
    )


def rule_test(key: str, more: str) -> RuleTests:
    parsed = parse_tests(
        f"version: 1\npolicy: p.yaml\ntests:\n  - name: one\n{more}"
        f"    expect:\n      - {{at: 0s, triggers: {{{key}: firing}}}}\n",
        "p.test.yaml",
    )
    assert parsed.tests is not None, parsed.problems
    return parsed.tests


def check_duties(kind: TriggerKind[Any], example: Example) -> None:
    """Everything that is asked of one kind."""
    assert policy_with(kind.key, kind.example).triggers[0].kind == kind.key
    policy = policy_with(kind.key, example.section or kind.example)
    (trigger,) = policy.triggers
    assert isinstance(trigger, kind.value)
    assert (trigger.kind, trigger.name, trigger.line) == (kind.key, kind.key, 6)

    fired = judged(policy, signal_of(kind.signal, example.fires))
    assert fired.result is Result.FIRING
    assert fired.sentence
    assert [signal.id for signal in fired.signals] == [1]
    rests = () if example.rests is None else (signal_of(kind.signal, example.rests),)
    assert judged(policy, *rests).result is not Result.FIRING
    assert judged(policy).result is Result.INACTIVE
    assert judged(policy).sentence

    assert kind.unrecorded(trigger, None, []) == example.unrecorded
    assert kind.is_recorded(signal_of(kind.signal, example.fires))
    assert unwanted(signal_of(kind.signal, example.fires))

    assert {kind.signal, *kind.also} <= TRAINING_CAUSES
    assert kind.signal in DECLARATIONS
    assert set(kind.lints) <= known_lints().keys()

    assert kind_section(kind).title == f"triggers[].{kind.key}"
    assert f"## triggers[].{kind.key}\n\n{doc_of(kind.value)}" in REFERENCE.read_text()
    assert reference_markdown() == REFERENCE.read_text()
    check_rule_test(kind, example, policy)


def check_rule_test(kind: TriggerKind[Any], example: Example, policy: Policy) -> None:
    """A rule test sends its signals, or they come by themselves; another policy's are told to show nothing."""
    assert (kind.series is not None) == (kind.key in SERIES.one_of) == bool(example.series)
    if kind.event is None:
        assert kind.signal.value not in EVENTS
        return
    said = str(dict(example.fires)).replace("'", '"')
    tests = rule_test(kind.key, f"    signals:\n      - {{at: 0s, {kind.signal.value}: {said}}}\n")
    if example.series:
        more = rule_test(kind.key, f"    series:\n      - {example.series}\n")
        for event in more.tests[0].events:
            assert event.kind == kind.signal.value
            sent = signal_of(kind.signal, event.payload)
            assert judged(policy, sent).result is Result.FIRING
    assert check_names(tests, policy, "p.test.yaml") == ()
    deaf = replace(policy, triggers=())
    assert any("shows nothing" in p.message for p in check_names(tests, deaf, "p.test.yaml"))


def test_every_kind_has_an_example():
    assert tuple(TRIGGERS) == TRIGGER.one_of
    assert TRIGGERS.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("key", TRIGGERS)
def test_a_kind_has_every_duty(key: str):
    check_duties(TRIGGERS[key], EXAMPLES[key])


def test_every_value_that_a_policy_may_hold_has_its_kind():
    kinds = {kind.value.__name__ for kind in TRIGGERS.values()}
    said = {found for found in below(Trigger) if "kind" in vars(found)}
    ours = {found.__name__ for found in said if found.__module__.startswith("controller.")}
    assert ours == kinds


def below(found: type) -> set[type]:
    inner: list[type] = found.__subclasses__()
    return {found}.union(*(below(each) for each in inner))


def test_the_index_of_watched_signals_is_that_of_the_kinds():
    assert f"kind IN ({', '.join(repr(str(k)) for k in WATCHED_SIGNALS)})" == DRIFT_KINDS


# --- a seventh kind ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class MoonTrigger(Trigger):
    """Fires at full moon."""

    kind: ClassVar[str] = "moon"


@dataclass(frozen=True, kw_only=True)
class MoonKind(TriggerKind[MoonTrigger]):
    def evaluate(
        self, context: DecisionContext, trigger: MoonTrigger, signals: tuple[Signal, ...]
    ) -> TriggerVerdict:
        del context
        result = Result.FIRING if signals else Result.INACTIVE
        return TriggerVerdict(trigger=trigger.name, result=result, sentence="", signals=signals)

    def unrecorded(
        self, trigger: MoonTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        del trigger, before, found
        return None


SAID: Mapping[str, Any] = {
    "key": "moon",
    "example": "{}",
    "event": "{}",
    "series": None,
    "value": MoonTrigger,
    "signal": SignalKind.WEBHOOK,
    "lints": (),
    "is_sendable": False,
}
MOON = MoonKind(**SAID)


def test_a_seventh_kind_with_all_duties_is_registered():
    assert tuple(registry.register((*TRIGGERS.values(), MOON)))[-1] == "moon"


@pytest.mark.parametrize("duty", SAID)
def test_a_kind_that_leaves_out_an_attribute_cannot_be_made(duty: str):
    with pytest.raises(TypeError, match=duty):
        MoonKind(**{name: value for name, value in SAID.items() if name != duty})


@pytest.mark.parametrize("duty", sorted(TriggerKind.__abstractmethods__))
def test_a_kind_that_leaves_out_a_method_cannot_be_made(duty: str):
    bodies = {name: vars(MoonKind)[name] for name in ("evaluate", "unrecorded") if name != duty}
    lacking: Any = type("Lacking", (TriggerKind,), bodies)
    with pytest.raises(TypeError, match=duty):
        lacking(**SAID)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (replace(MOON, key="sun"), "kind is not 'sun'"),
        (replace(TRIGGERS["drift"]), "have the key 'drift'"),
        (replace(MOON, signal=SignalKind.PROMOTE), "not among the causes"),
        (replace(MOON, unasked="calm"), "must say what a report is told"),
    ],
)
def test_a_kind_that_contradicts_itself_is_refused(kind: TriggerKind[Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        registry.register((*TRIGGERS.values(), kind))


def test_a_kind_without_an_example_or_a_place_in_the_schema_fails_its_duties():
    with pytest.raises(KeyError):
        EXAMPLES[MOON.key]
    with pytest.raises(Exception, match="moon"):
        check_duties(MOON, EXAMPLES["webhook"])
