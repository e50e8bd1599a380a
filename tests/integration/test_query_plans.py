"""What waits is found by the partial indexes that are there for it: SQLite says how it would look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from controller.adapters.memory.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.ports import Query, Transaction
from tests.support.makers import AT

DRIFT = ("drift", "decay", "skew")
ASKED: dict[str, tuple[str, Callable[[Transaction], Any]]] = {
    "how many signals wait": ("ix_signals_waiting", lambda tx: tx.signals.count_waiting()),
    "a model's signals that wait": ("ix_signals_waiting", lambda tx: tx.signals.pending("m")),
    "open signals": ("ix_signals_open", lambda tx: tx.signals.find(Query(states=("open",)))),
    "waiting signals": (
        "ix_signals_waiting", lambda tx: tx.signals.find(Query(states=("deferred", "open")))
    ),
    "models with something to do": ("ix_signals_open", lambda tx: tx.models.due(AT)),
    "drift": ("ix_signals_drift", lambda tx: tx.signals.find(Query(kinds=DRIFT))),
    "a model's drift": (
        "ix_signals_drift", lambda tx: tx.signals.find(Query(model="m", kinds=DRIFT, limit=1))
    ),
    "runs under way": (
        "ix_runs_unended", lambda tx: tx.runs.find(Query(states=("queued", "running")))
    ),
    "runs whose worker is silent": ("ix_runs_unended", lambda tx: tx.runs.reclaim(at=AT)),
    "messages to be sent": ("ix_deliveries_unsent", lambda tx: tx.deliveries.due(AT)),
    "challengers": ("ix_versions_waiting", lambda tx: tx.models.waiting()),
    "letters": ("ix_outbox_waiting", lambda tx: tx.outbox.due("run")),
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    url = f"sqlite:///{Path(tmp_path_factory.mktemp('plans')) / 'incumbent.db'}"
    migrate(url)
    store = SqlStore(url, SystemClock())
    yield store
    store.close()


@pytest.mark.parametrize("what", ASKED)
def test_what_waits_is_found_by_its_index(store: SqlStore, what: str):
    index, ask = ASKED[what]
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            rows = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", given)
            plans.extend(str(row[3]) for row in rows)

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        with store.begin() as tx:
            ask(tx)
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    assert any(index in plan for plan in plans), plans
