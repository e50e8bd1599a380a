"""Guards against content are taken away one by one: what looks at nonsense and at rest must miss each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from typing import Any
from unittest.mock import patch

import pytest

from controller.adapters.memory import signals as inbox
from controller.adapters.memory.models import MemoryModels
from controller.domain import payloads
from controller.domain.payloads import InvalidPayload
from controller.domain.signals import NewSignal, SignalKind
from controller.policy.context import DecisionContext
from controller.policy.reasons import train as training
from controller.policy.triggers import judge_triggers
from controller.ports import Query
from controller.service.deciding import engine as deciding
from controller.service.deciding import views
from controller.service.deciding.engine import Engine, EngineConfig
from controller.service.deciding.narrow import Narrowing
from controller.service.replay.verify import Verifier
from tests.simulation.mutations import Mutation
from tests.support.house import MODEL, START, House, policy
from tests.support.nonsense import behind_the_doors

OTHER = "cancellations"
DEEP: Any = "the bottom"
for _ in range(250):
    DEEP = [DEEP]


def _house() -> House:
    house = House()
    house.engine = Engine(house.store, house.clock, house.parse, EngineConfig(batch=1))
    for name in (OTHER, MODEL):
        house.review(replace(policy(), model=name))
    return house


def _tell(house: House, model: str, kind: SignalKind, **payload: Any) -> int:
    at = house.clock.now()
    new = NewSignal(key=f"{model}:{kind}", model=model, kind=kind, occurred_at=at, payload=payload)
    with behind_the_doors(), house.store.begin() as tx:
        return tx.signals.append([new], at)[0].id


def _statuses(house: House) -> dict[int, str]:
    with house.store.read() as tx:
        return {signal.id: signal.status.value for signal in tx.signals.find(Query(limit=100))}


def _fail_of_itself(case: DecisionContext) -> Any:
    if case.snapshot.model == MODEL:
        raise ZeroDivisionError("its budget is zero")
    return judge_triggers(case)


def nonsense_is_answered() -> None:
    """What cannot be read, and what cannot be derived again, fails; what stands beside it is decided."""
    house = _house()
    bad = _tell(house, MODEL, SignalKind.NEW_DATA, rows={"not": "a number"})
    deep = _tell(house, MODEL, SignalKind.WEBHOOK, type="t", data=DEEP)
    good = _tell(house, MODEL, SignalKind.MANUAL, reason="because")
    house.engine.run_once()
    found = _statuses(house)
    assert (found[bad], found[deep]) == ("failed", "failed")
    assert found[good] in {"handled", "deferred"}
    with house.store.read() as tx:
        assert Verifier(tx, house.parse, lambda text: sha1(text).hexdigest()).all().whole


def rest_keeps_nobody_waiting() -> None:
    """A model that fails by itself obeys a person, and takes no place in the tick from another."""
    house = _house()
    with patch.object(training, "judge_triggers", _fail_of_itself):
        _tell(house, MODEL, SignalKind.MANUAL, reason="because")
        house.engine.run_once()
        held = _tell(house, MODEL, SignalKind.HOLD, reason="look first")
        house.engine.run_once()
        assert _statuses(house)[held] == "handled"
    with house.store.begin() as tx:
        until = house.clock.now() + timedelta(seconds=20)
        tx.models.update(MODEL, error="its budget is zero", wake_at=until)
    house.clock.advance(timedelta(seconds=1))
    other = _tell(house, OTHER, SignalKind.MANUAL, reason="because")
    assert house.engine.run_once().models == 1
    assert _statuses(house)[other] != "open"


def what_is_quoted_is_derived_again() -> None:
    """An answer quotes a payload whose keys stand in another order than in the record."""
    house = _house()
    odd = _tell(house, MODEL, SignalKind.DISMISS, signal={"a": 1})
    with house.behind() as tx:
        row = tx.tables.signals[odd]
        tx.tables.signals[odd] = replace(row, payload={"signal": {"b": 1, "a": 2}})
    house.engine.run_once()
    assert _statuses(house)[odd] == "skipped"
    with house.store.read() as tx:
        assert Verifier(tx, house.parse, lambda text: sha1(text).hexdigest()).all().whole


def the_inbox_takes_only_what_a_kind_may_say() -> None:
    """Whatever the door: a field of another type, and one below which anything may stand but not that much."""
    house, at = _house(), START
    spoilt: dict[str, Any] = {"type": "t", "version": 202611301200}
    for payload in (spoilt, {"type": "t", "data": DEEP}):
        new = NewSignal(
            key="k", model=MODEL, kind=SignalKind.WEBHOOK, occurred_at=at, payload=payload
        )
        with pytest.raises(InvalidPayload), house.store.begin() as tx:
            tx.signals.append([new], at)


LOOKS: tuple[Callable[[], None], ...] = (
    nonsense_is_answered,
    rest_keeps_nobody_waiting,
    what_is_quoted_is_derived_again,
    the_inbox_takes_only_what_a_kind_may_say,
)


def _rest_at_once(self: Engine, model: str, error: Exception, now: Any) -> int:
    self._rest(model, error, now)
    return 0


_EMPTY = (
    '{"model":"m","generation":0,"next_version":1,"next_run":1,"rules":{"path":"p","blob":"b"}}'
)
"""A snapshot that reads well, whatever was to be written."""

MUTATIONS = (
    Mutation("rest instead of narrowing", Engine, "_isolate", _rest_at_once),
    Mutation("blame nobody", Narrowing, "search", lambda *_: None),
    Mutation("write what cannot be read back", deciding, "canonical_json", lambda _: _EMPTY),
    Mutation("let a person wait for a model at rest", Engine, "_decide_urgent", lambda *_: 0),
    Mutation("quote a payload as it came", views, "in_order", lambda payload: payload),
    Mutation("ask no payload at the inbox", inbox, "check_signals", lambda signals: signals),
    Mutation("bound no payload", payloads, "check_bounds", lambda *_: None),
    Mutation("keep a place in the tick at rest", MemoryModels, "_rests", lambda *_: False),
)


@pytest.mark.parametrize("look", LOOKS)
def test_content_stops_nobody(look: Callable[[], None]):
    look()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[m.name for m in MUTATIONS])
def test_a_guard_against_content_that_is_taken_away_is_missed(mutation: Mutation):
    missed = []
    with mutation.planted():
        for look in LOOKS:
            try:
                look()
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - however it shows
                missed.append(error)
    assert missed
