"""The SQL adapters on SQLite in memory: the same tables and guards as in a file, one connection, one turn at a time."""

from __future__ import annotations

import threading

import pytest

from controller.adapters.sql.engine import make_engine, read_url
from controller.adapters.sql.schema import bring_up_to_date
from controller.adapters.sql.store import SqlStore
from controller.domain.errors import Conflict, Unavailable
from tests.support.makers import AT, MODEL, decide, enter, new_signal

OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"


def objects(store: SqlStore) -> list[tuple[str, str, str]]:
    with store.read() as tx:
        rows = tx.session.connection.exec_driver_sql(OBJECTS).fetchall()
    return [tuple(row) for row in rows]


def test_it_has_every_table_index_and_guard_of_a_file(sqlite_url: str):
    file, memory = SqlStore(sqlite_url), SqlStore.in_memory()
    assert objects(memory) == objects(file)
    assert any(kind == "trigger" for kind, _, _ in objects(memory))
    file.close()
    memory.close()


def test_each_is_a_database_of_its_own():
    one, other = SqlStore.in_memory(), SqlStore.in_memory()
    with one.begin() as tx:
        tx.signals.append([new_signal()], AT)
    with one.read() as tx:
        assert tx.signals.count_waiting() == 1
    with other.read() as tx:
        assert tx.signals.count_waiting() == 0
    one.close()
    other.close()


def test_a_guard_refuses_and_nothing_is_left():
    store = SqlStore.in_memory()
    with store.begin() as tx:
        enter(tx, 1)
    with pytest.raises(Conflict, match="never changed"), store.begin() as tx:
        tx.session.connection.exec_driver_sql("UPDATE decisions SET actor = 'eve'")
    with pytest.raises(ValueError, match="taken back"), store.begin() as tx:
        decide(tx)
        raise ValueError("taken back")
    with store.read() as tx:
        assert tx.decisions.head()[0] == 1
        assert [v.number for v in tx.registry.versions(MODEL)] == [1]
    store.close()


def test_a_reader_does_not_write_and_a_writer_does_afterwards():
    store = SqlStore.in_memory()
    with pytest.raises(Unavailable, match="in memory is read-only"), store.read() as tx:
        tx.signals.append([new_signal()], AT)
    with store.begin() as tx:
        tx.signals.append([new_signal()], AT)
    store.close()


def test_no_transaction_is_inside_another():
    store = SqlStore.in_memory()
    with store.begin(), pytest.raises(RuntimeError, match="one inside another"), store.read():
        pass
    with store.read(), pytest.raises(RuntimeError, match="one inside another"), store.begin():
        pass
    store.close()


def test_threads_take_turns():
    store, lanes, each = SqlStore.in_memory(), 4, 25

    def write(lane: int) -> None:
        for number in range(each):
            with store.begin() as tx:
                tx.signals.append([new_signal(f"{lane}:{number}")], AT)
            with store.read() as tx:
                tx.signals.count_waiting()

    threads = [threading.Thread(target=write, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as tx:
        assert tx.signals.count_waiting() == lanes * each
    store.close()


def test_a_database_that_is_up_to_date_is_left_alone(sqlite_url: str):
    engine = make_engine(read_url(sqlite_url))
    assert bring_up_to_date(engine) is False
    engine.dispose()
