"""What every signal inbox does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.canonical import canonical_json
from controller.domain.errors import Conflict
from controller.domain.payloads import InvalidPayload
from controller.domain.signals import NewSignal, SignalAnswer, SignalKind, SignalStatus
from controller.ports import Query, Store
from controller.service.deciding.backpressure import accept
from tests.support.makers import AT, MODEL, decide, new_signal
from tests.support.stores import Bench


def answer(signal: int, status: SignalStatus, reason: str = "So it is.") -> SignalAnswer:
    return SignalAnswer(signal=signal, status=status, reason=reason)


def test_a_signal_comes_back_as_it_was_given(store: Store):
    given = new_signal(
        "k",
        kind=SignalKind.WEBHOOK,
        trigger="labels",
        actor="webhook:labels",
        payload={"type": "t", "data": {"n": 1, "text": "ü\n", "list": [1.5, None, True]}},
        occurred_at=AT - timedelta(microseconds=1),
    )
    with store.begin() as tx:
        (accepted,) = tx.signals.append([given], AT)
    with store.read() as tx:
        found = tx.signals.get(accepted.id)
        assert tx.signals.with_key(MODEL, "k") == (found,)
    assert found is not None
    assert accepted.fresh
    assert (found.key, found.model, found.kind) == ("k", MODEL, SignalKind.WEBHOOK)
    assert (found.trigger, found.actor) == ("labels", "webhook:labels")
    assert found.payload == given.payload
    assert (found.occurred_at, found.received_at) == (given.occurred_at, AT)
    assert (found.status, found.reason, found.decision) == (SignalStatus.OPEN, "", None)


def test_the_same_key_is_the_same_signal(store: Store):
    with store.begin() as tx:
        first = tx.signals.append([new_signal("a"), new_signal("b"), new_signal("a")], AT)
    with store.begin() as tx:
        second = tx.signals.append(
            [new_signal("c"), new_signal("b", payload={"reason": "other"})], AT
        )
    assert [a.fresh for a in first] == [True, True, False]
    assert first[2].id == first[0].id
    assert [a.fresh for a in second] == [True, False]
    assert second[1].id == first[1].id
    with store.read() as tx:
        (kept,) = tx.signals.with_key(MODEL, "b")
        assert kept.payload == new_signal().payload
        assert tx.signals.count_waiting() == 3


def test_nothing_is_appended_from_nothing(store: Store):
    with store.begin() as tx:
        assert tx.signals.append([], AT) == []


def test_many_at_once_keep_their_order(store: Store):
    with store.begin() as tx:
        accepted = tx.signals.append([new_signal(f"k{n}") for n in range(1200)], AT)
    assert [a.id for a in accepted] == sorted(a.id for a in accepted)
    with store.read() as tx:
        pending = tx.signals.pending(MODEL)
        assert [s.key for s in pending] == [f"k{n}" for n in range(1000)]
        assert [s.key for s in tx.signals.pending(MODEL, limit=2)] == ["k0", "k1"]


def test_pending_holds_what_has_not_ended(store: Store):
    with store.begin() as tx:
        ids = [a.id for a in tx.signals.append([new_signal(f"k{n}") for n in range(4)], AT)]
        tx.signals.append([new_signal("other", model="other")], AT)
        decision = decide(tx)
        tx.signals.answer(
            [
                answer(ids[0], SignalStatus.HANDLED),
                answer(ids[1], SignalStatus.DEFERRED, "Cooling down."),
                answer(ids[3], SignalStatus.SKIPPED),
            ],
            decision,
        )
    with store.read() as tx:
        deferred, waiting = tx.signals.pending(MODEL)
        assert (deferred.id, deferred.status) == (ids[1], SignalStatus.DEFERRED)
        assert (deferred.reason, deferred.decision) == ("Cooling down.", decision)
        assert waiting.id == ids[2]
        assert tx.signals.count_waiting() == 3


@pytest.mark.parametrize("ended", [SignalStatus.HANDLED, SignalStatus.SKIPPED, SignalStatus.FAILED])
def test_an_ended_signal_is_never_answered_again(store: Store, ended: SignalStatus):
    with store.begin() as tx:
        (one, two) = tx.signals.append([new_signal("one"), new_signal("two")], AT)
        tx.signals.answer([answer(one.id, ended)], decide(tx))
    with (
        pytest.raises(Conflict, match=f"Signal {one.id} has ended as {ended}"),
        store.begin() as tx,
    ):
        alike = [answer(s.id, SignalStatus.HANDLED) for s in (two, one)]
        tx.signals.answer(alike, decide(tx))
    with store.read() as tx:
        other = tx.signals.get(two.id)
        assert other is not None
        assert other.status is SignalStatus.OPEN


def test_a_deferred_signal_is_answered_later(store: Store):
    with store.begin() as tx:
        (one,) = tx.signals.append([new_signal()], AT)
        tx.signals.answer([answer(one.id, SignalStatus.DEFERRED)], decide(tx))
    with store.begin() as tx:
        tx.signals.answer([answer(one.id, SignalStatus.HANDLED)], decide(tx))
        assert tx.signals.pending(MODEL) == ()


def test_an_answer_needs_a_signal_and_a_decision(store: Store):
    with pytest.raises(Conflict), store.begin() as tx:
        tx.signals.answer([answer(99, SignalStatus.HANDLED)], decide(tx))
    with store.begin() as tx:
        (one,) = tx.signals.append([new_signal()], AT)
    with pytest.raises(Conflict), store.begin() as tx:
        tx.signals.answer([answer(one.id, SignalStatus.HANDLED)], 99)


FILTERS = {
    "all, newest first": (Query(), [4, 3, 2, 1, 0]),
    "model": (Query(model="other"), [4]),
    "kind": (Query(kinds=("webhook", "drift")), [3]),
    "status": (Query(states=("handled",)), [0]),
    "since is inclusive": (Query(since=AT + timedelta(hours=3)), [4, 3]),
    "until is exclusive": (Query(until=AT + timedelta(hours=1)), [0]),
    "limit": (Query(limit=2), [4, 3]),
    "together": (Query(model=MODEL, states=("open",), limit=1), [3]),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_find(store: Store, query: Query, expected: list[int]):
    with store.begin() as tx:
        for n in range(5):
            kind = SignalKind.WEBHOOK if n == 3 else SignalKind.MANUAL
            model = "other" if n == 4 else MODEL
            tx.signals.append([new_signal(str(n), model, kind=kind)], AT + timedelta(hours=n))
        (first,) = tx.signals.with_key(MODEL, "0")
        tx.signals.answer([answer(first.id, SignalStatus.HANDLED)], decide(tx))
    with store.read() as tx:
        assert [int(s.key) for s in tx.signals.find(query)] == expected
        page = tx.signals.find(Query(limit=2))
        rest = tx.signals.find(Query(before=page[-1].id))
        assert [s.key for s in rest] == ["2", "1", "0"]


def test_text_that_cannot_be_stored_is_mended(bench: Bench):
    if bench.kind == "memory":
        pytest.skip("memory stores anything")
    with bench.store.begin() as tx:
        (one,) = tx.signals.append([new_signal("nul\x00 and \udcff", actor="a\x00b")], AT)
        again = tx.signals.append([new_signal("nul\x00 and \udcff", actor="a\x00b")], AT)
        found = tx.signals.get(one.id)
    assert again[0] == type(one)(id=one.id, fresh=False)
    assert found is not None
    assert found.actor == "a\ufffdb"


@pytest.mark.parametrize("number", [float("nan"), float("inf")], ids=str)
def test_what_is_no_number_is_refused(store: Store, number: float):
    with pytest.raises(InvalidPayload, match=r"payload\.data\.x"), store.begin() as tx:
        tx.signals.append([new_signal(payload={"data": {"x": number}})], AT)


_NEEDED: dict[SignalKind, dict[str, Any]] = {
    SignalKind.MANUAL: {},
    SignalKind.WEBHOOK: {"type": "t"},
}


def test_a_key_belongs_to_its_actor_model_and_kind(store: Store):
    alike = [
        new_signal("k", kind=kind, model=model, actor=actor, payload=payload)
        for kind, payload in _NEEDED.items()
        for model in (MODEL, "other")
        for actor in ("person:ann", "person:bea")
    ]
    with store.begin() as tx:
        first = tx.signals.append(alike, AT)
        again = tx.signals.append([*alike, *alike], AT)
    assert all(answer.fresh for answer in first)
    assert len({answer.id for answer in first}) == len(alike)
    assert [answer.id for answer in again] == 2 * [answer.id for answer in first]
    assert not any(answer.fresh for answer in again)
    with store.read() as tx:
        found = [tx.signals.get(answer.id) for answer in first]
        assert [signal.identity for signal in found if signal] == [s.identity for s in alike]
        mine = [signal for signal in found if signal and signal.model == MODEL]
        assert tx.signals.with_key(MODEL, "k") == tuple(mine)


_EXAMPLES = itertools.count()
_MODELS = ("a", "b", "a-b")
_TEXTS = st.text(alphabet="ab:/\u00e4\u0430\x00\udcff", max_size=3)
_BODIES = st.sampled_from([{}, *({"data": {"x": x}} for x in (1, True, 1.0, "\u00e4", [None]))])
_SENT = st.builds(
    NewSignal,
    key=_TEXTS,
    model=st.sampled_from(_MODELS),
    kind=st.sampled_from([*_NEEDED]),
    actor=st.sampled_from(["person:a", "person:a:b", "webhook:a"]),
    occurred_at=st.sampled_from([AT, AT - timedelta(hours=1)]),
    trigger=st.sampled_from([None, "t"]),
    payload=_BODIES,
)


def _said(signal: NewSignal) -> tuple[Any, ...]:
    body = canonical_json(signal.payload).encode("utf-8", "replace")
    return signal.occurred_at, signal.trigger, body


def _stored(signal: NewSignal, kind: str) -> tuple[str, ...]:
    """The identity as the store keeps it: NUL and lone surrogates are replaced in a database."""
    parts = tuple(str(part) for part in signal.identity)
    if kind == "memory":
        return parts
    return tuple(p.replace("\x00", "\ufffd").encode("utf-8", "replace").decode() for p in parts)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(_SENT, min_size=1, max_size=4), max_size=12))
def test_any_sequence_of_keys_is_what_a_dictionary_says(
    bench: Bench, batches: list[list[NewSignal]]
):
    """Whoever sends what under which key: counted once, answered alike, or refused as a whole."""
    place = next(_EXAMPLES)
    kept: dict[tuple[str, ...], tuple[int, tuple[Any, ...]]] = {}
    for drawn in batches:
        batch = [
            replace(
                signal,
                model=f"{signal.model}{place}",
                payload={**_NEEDED[signal.kind], **signal.payload},
            )
            for signal in drawn
        ]
        wanted, clash = dict(kept), False
        for signal in batch:
            _, (time, *body) = wanted.setdefault(_stored(signal, bench.kind), (0, _said(signal)))
            clash |= _said(signal)[1:] != (*body,)
            clash |= signal.occurred_at not in (AT, time)
        if clash:
            with (
                pytest.raises(Conflict, match="used for something else"),
                bench.store.begin() as tx,
            ):
                accept(tx, batch, AT)
            continue
        with bench.store.begin() as tx:
            answers = accept(tx, batch, AT)
        for signal, answer in zip(batch, answers, strict=True):
            one = _stored(signal, bench.kind)
            assert answer.fresh == (one not in kept)
            assert kept.setdefault(one, (answer.id, _said(signal)))[0] == answer.id
    with bench.store.read() as tx:
        assert sum(tx.signals.count_waiting(f"{m}{place}") for m in _MODELS) == len(kept)
