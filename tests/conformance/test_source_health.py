"""What every keeper of the sources' health does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from controller.ports import SourceState, Store
from controller.service.sources.health import KeptHealth
from tests.support.makers import AT, HOUR, MODEL


def state(model: str = MODEL, **changes: Any) -> SourceState:
    values: dict[str, Any] = {"model": model, "source": "data/*.parquet", "checked_at": AT}
    return SourceState(**(values | changes))


def test_the_newest_state_of_each_model_is_kept(store: Store):
    failing = state(error="it is away.", failures=2, good_at=AT, checked_at=AT + HOUR)
    with store.begin() as tx:
        tx.sources.note([state("zeta", problems=("a.csv is not data: it is empty.",)), state()])
        tx.sources.note([failing])
        tx.sources.note([])
    with store.read() as tx:
        found = tx.sources.all()
    assert found == [failing, state("zeta", problems=("a.csv is not data: it is empty.",))]


def test_states_of_other_models_are_forgotten(store: Store):
    with store.begin() as tx:
        tx.sources.note([state("a"), state("b")])
    with store.begin() as tx:
        tx.sources.forget(["b"])
    with store.read() as tx:
        assert [item.model for item in tx.sources.all()] == ["b"]


def test_an_unchanged_state_is_written_once_a_minute(store: Store):
    health = KeptHealth(store)
    health.note([state()])
    health.note([state(checked_at=AT + timedelta(seconds=30))])
    assert [item.checked_at for item in health.all()] == [AT]
    health.note([state(checked_at=AT + timedelta(seconds=61))])
    assert [item.checked_at for item in health.all()] == [AT + timedelta(seconds=61)]


def test_a_changed_state_is_written_at_once(store: Store):
    health = KeptHealth(store)
    health.note([state()])
    health.note([state(error="away.", failures=1)])
    assert [item.error for item in health.all()] == ["away."]
    health.forget([])
    assert health.all() == []
    health.note([state(error="away.", failures=2)])
    assert [item.failures for item in health.all()] == [2]


def test_the_newest_hint_of_each_model_is_kept(store: Store):
    with store.begin() as tx:
        assert tx.hints.hinted() == {}
        tx.hints.hint(["b", "a"], AT)
    with store.begin() as tx:
        tx.hints.hint(["a"], AT + HOUR)
    with store.read() as tx:
        assert tx.hints.hinted() == {"a": AT + HOUR, "b": AT}
