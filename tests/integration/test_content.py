"""Whatever stands in the inbox, every signal gets its answer, and no model waits for another's: on the real databases.

The doors refuse most of this; here it is put behind them, where an older version, a door with a hole or plain SQL
would leave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.adapters.sql.store import SqlStore
from controller.domain.errors import Unstorable
from controller.domain.signals import NewSignal, SignalKind, SignalStatus
from controller.ports import Query
from controller.service.replay.verify import Verifier
from tests.support.house import MODEL, House, policy
from tests.support.nonsense import behind_the_doors, signals_of_nonsense
from tests.support.stores import Bench

OTHER = "cancellations"
_numbers = count()
AT = "2013-01-31T12:00:00.000000Z"

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "a version beyond 2^31": ("webhook", {"type": "release", "version": 202611301200}),
    "a metric that is a list": ("metric", {"metric": [1], "value": {}, "n": -5}),
    "an alias beyond 2^63": ("alias", {"alias": "ok", "version": 1180591620717411303424}),
    "rows that are a text": ("new_data", {"rows": {"not": "a number"}, "sequence": "x"}),
    "an end of a run beyond 2^63": ("run_finished", {"run": 2**64, "version": -(2**70)}),
    "versions that are none": ("retain", {"versions": [2**63, "a", None], "version": 2**53}),
    "an alias that is an object": ("alias", {"alias": {"a": 1}, "version": True}),
    "a key that is kept as another": ("dismiss", {"signal": {"\ud800": 1, "rows": 2}}),
}


@pytest.fixture
def house(database: Bench) -> House:
    house = House(given=database.store)
    house.review(replace(policy(), model=OTHER))
    house.review(policy())
    return house


def tell(house: House, model: str, kind: str, payload: dict[str, Any]) -> int:
    new = NewSignal(
        key=f"{model}:{next(_numbers)}",
        model=model,
        kind=SignalKind(kind),
        occurred_at=house.clock.now(),
        payload=payload,
    )
    with behind_the_doors(), house.store.begin() as tx:
        return tx.signals.append([new], house.clock.now())[0].id


@pytest.mark.parametrize(("kind", "payload"), BODIES.values(), ids=BODIES.keys())
def test_a_body_that_cannot_be_decided_is_answered_and_stops_nobody(house: House, kind, payload):
    stuck = tell(house, MODEL, kind, payload)
    good = tell(house, OTHER, "manual", {"reason": "because"})
    beside = tell(house, MODEL, "manual", {"reason": "because"})
    house.tick()
    with house.store.read() as tx:
        found = {s.id: s for s in tx.signals.find(Query(limit=10))}
        assert found[good].status is not SignalStatus.OPEN, "no other model waits a tick"
        assert found[stuck].status.ended
        assert found[stuck].reason
        assert found[beside].status is not SignalStatus.OPEN
        assert tx.models.state(MODEL).error is None
        verified = Verifier(tx, house.parse, lambda text: sha1(text).hexdigest()).all()
    assert verified.whole, verified.first


ROWS = {
    "no JSON": ("webhook", "{"),
    "no object": ("metric", "[1]"),
    "a number that is none": ("metric", '{"value": NaN}'),
    "a kind from elsewhere": ("teleport", "{}"),
    "keys in no order, quoted in an answer": ("webhook", '{"type": {"b": 1, "a": 2}}'),
    "half a character": ("manual", '{"reason": "\\ud800"}'),
    "deeper than it can be read": ("webhook", "[" * 100_000),
    "a number without an end": ("metric", '{"metric": "mae", "value": 1' + "0" * 400 + "}"),
}


@pytest.mark.parametrize(("kind", "payload"), ROWS.values(), ids=ROWS.keys())
def test_a_row_from_elsewhere_is_answered_and_stops_nobody(
    database: Bench, house: House, kind, payload
):
    database.sql(
        "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload) VALUES"
        f" ('odd', '{MODEL}', '{kind}', 'system', '{AT}', '{AT}', '{payload}')"
    )
    beside = tell(house, MODEL, "manual", {"reason": "because"})
    good = tell(house, OTHER, "manual", {"reason": "because"})
    house.tick()
    with house.store.read() as tx:
        found = {s.id: s for s in tx.signals.find(Query(limit=10))}
        assert found[good].status is not SignalStatus.OPEN
        assert found[beside].status is not SignalStatus.OPEN
        (odd,) = (s for s in found.values() if s.key == "odd")
        assert odd.status.ended
        assert odd.reason
        verified = Verifier(tx, house.parse, lambda text: sha1(text).hexdigest()).all()
    assert verified.whole, verified.first


_MACHINE: dict[str, Any] = {
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    "deadline": None,
    "print_blob": True,
}


def _answer_all(house: House, sent: list[tuple[SignalKind, dict[str, Any]]]) -> None:
    """Nonsense for one model, something sound for another: who waits for what, and what can be derived again."""
    sick, sound = (f"{name}-{next(_numbers)}" for name in ("sick", "sound"))
    for model in (sound, sick):
        house.review(replace(policy(), model=model))
    accepted = []
    for kind, payload in sent:
        with suppress(ValueError, TypeError, Unstorable, RecursionError):  # what no store can hold
            accepted.append(tell(house, sick, kind.value, payload))
    good = tell(house, sound, "manual", {"reason": "because"})
    house.tick()
    with house.store.read() as tx:
        known = tx.signals.get(good)
        assert known is not None
        assert known.status is not SignalStatus.OPEN, "no other model waits longer than a tick"
    for _ in range(3):
        house.clock.advance(timedelta(seconds=31))
        house.work()
    with house.store.read() as tx:
        found = {s.id: s for s in tx.signals.find(Query(model=sick, limit=1000))}
        assert tx.models.state(sick).error is None
        verifier = Verifier(tx, house.parse, lambda text: sha1(text).hexdigest())
        for record in tx.decisions.find(Query(model=sick, limit=1000)):
            assert verifier.derive(record) is None
    assert set(accepted) <= set(found)
    unanswered = [
        (s.id, s.kind, s.payload) for s in found.values() if s.status is SignalStatus.OPEN
    ]
    assert unanswered == []


_NONSENSE = st.lists(signals_of_nonsense(), min_size=1, max_size=6)


@given(sent=_NONSENSE)
@settings(max_examples=25, **_MACHINE)
def test_any_nonsense_is_answered_on_sqlite(sqlite_house: House, sent):
    _answer_all(sqlite_house, sent)


@pytest.mark.long
@given(sent=_NONSENSE)
@settings(max_examples=400, **_MACHINE)
def test_any_nonsense_is_answered_on_every_database(house: House, sent):
    _answer_all(house, sent)


@pytest.fixture
def sqlite_house() -> Iterator[House]:
    store = SqlStore.in_memory()
    yield House(given=store)
    store.close()
