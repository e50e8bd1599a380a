from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isnan
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from controller.adapters.sources.open import open_source
from controller.adapters.sources.sql_table import SqlOptions, SqlSource, _Cursor, connection_url
from controller.domain.errors import ConfigurationError, Unavailable
from controller.domain.rules import SourceKey
from controller.ports import Poll


class Shop:
    """A database with a table of events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'shop.db'}"
        self.engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        self.run("CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER, x TEXT)")

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    def add(self, *rows: tuple[int, int]) -> None:
        for number, at in rows:
            self.run(f"INSERT INTO events VALUES ({number}, {at}, 'x{number}')")

    def source(self, **options: Any) -> SqlSource:
        asked = SqlOptions(**({"watermark": "at", "relation": "events"} | options))
        return SqlSource(self.url, asked, self.folder / "spool", name="sql:shop/events")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def ids(poll: Poll) -> list[int]:
    return [row["id"] for batch in poll.batches for row in pq.read_table(batch.uri).to_pylist()]


def test_rows_that_share_the_newest_watermark_are_all_brought_once(shop):
    shop.add((1, 10), (2, 10))
    first = shop.source().poll(None)
    shop.add((3, 10), (4, 11))
    second = shop.source().poll(first.cursor)
    assert (ids(first), ids(second)) == ([1, 2], [3, 4])
    assert shop.source().poll(second.cursor).batches == ()


def test_late_row_within_reach_is_seen(shop):
    shop.add((1, 10), (2, 100))
    first = shop.source(late=50).poll(None)
    shop.add((3, 60))
    second = shop.source(late=50).poll(first.cursor)
    assert ids(second) == [3]
    assert shop.source(late=50).poll(second.cursor).batches == ()


def test_late_row_beyond_reach_is_not_seen(shop):
    shop.add((1, 10), (2, 100))
    first = shop.source(late=50).poll(None)
    shop.add((3, 40))
    assert shop.source(late=50).poll(first.cursor).batches == ()


def test_changed_row_is_brought_again_unless_a_key_tells_rows_apart(shop):
    shop.add((1, 10))
    whole, keyed = shop.source().poll(None), shop.source(key="id").poll(None)
    shop.run("UPDATE events SET x = 'changed'")
    assert ids(shop.source().poll(whole.cursor)) == [1]
    assert ids(shop.source(key="id").poll(keyed.cursor)) == []


def test_many_rows_come_in_parts(shop):
    shop.add(*[(i, i // 2) for i in range(7)])
    cursor, parts = None, []
    for _ in range(4):
        poll = shop.source(most=3).poll(cursor)
        parts.append(ids(poll))
        cursor = poll.cursor
        if poll.again is None:
            break
        assert poll.again == timedelta(0)
    assert parts == [[0, 1, 2], [3, 4, 5], [6]]


def test_row_without_a_watermark_waits_for_one(shop):
    shop.run("INSERT INTO events VALUES (1, NULL, 'x')")
    first = shop.source().poll(None)
    assert first.batches == ()
    shop.run("UPDATE events SET at = 5")
    assert ids(shop.source().poll(first.cursor)) == [1]


def test_query_is_a_source(shop):
    shop.add((1, 10), (2, 20), (3, 30))
    query = "SELECT id, at FROM events WHERE id <> 2"
    poll = shop.source(relation="", query=query).poll(None)
    assert ids(poll) == [1, 3]
    assert dict(poll.batches[0].schema) == {"id": "BIGINT", "at": "BIGINT"}


def test_spooled_rows_stay_when_the_table_changes(shop):
    shop.add((1, 10))
    [batch] = shop.source().poll(None).batches
    shop.run("DELETE FROM events")
    assert pq.read_table(batch.uri).to_pylist() == [{"id": 1, "at": 10, "x": "x1"}]
    assert batch.details["watermark"] == "10"


def test_table_without_an_index_on_the_watermark_is_told(shop):
    shop.add((1, 10))
    [problem] = shop.source().poll(None).problems
    assert problem == (
        "sql:shop/events: events has no index that begins with at, so every look reads all of it."
    )
    shop.run("CREATE INDEX by_time ON events (at)")
    assert shop.source().poll(None).problems == ()
    assert shop.source(watermark="id").poll(None).problems == ()


def test_watermark_that_is_no_column_is_named(shop):
    shop.add((1, 10))
    with pytest.raises(Unavailable, match="cannot be read: no such column: moment"):
        shop.source(relation="", query="SELECT id FROM events", watermark="moment").poll(None)


def test_database_that_goes_away_in_the_middle_leaves_nothing_half_done(shop, monkeypatch):
    shop.add(*[(i, i) for i in range(5)])
    source = shop.source()
    real = source._identity

    def failing(row):
        if row["id"] == 3:
            raise sa.exc.OperationalError("SELECT", {}, Exception("server closed the connection"))
        return real(row)

    monkeypatch.setattr(source, "_identity", failing)
    with pytest.raises(Unavailable, match="cannot be read: server closed the connection"):
        source.poll(None)
    assert list((shop.folder / "spool").iterdir()) == []
    assert ids(shop.source().poll(None)) == [0, 1, 2, 3, 4]


def test_password_is_in_no_message(tmp_path):
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:9/x"
    source = SqlSource(url, SqlOptions(watermark="id", relation="t"), tmp_path, name="sql:shop/t")
    with pytest.raises(Unavailable) as raised:
        source.poll(None)
    assert raised.value.message.startswith("sql:shop/t cannot be read: ")
    assert "s3cret" not in raised.value.sentence()


def test_values_of_every_kind_survive(shop, monkeypatch):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    row = {
        "at": 1,
        "truth": True,
        "many": 2**62,
        "huge": 2**80,
        "half": 0.5,
        "nothing": None,
        "nan": float("nan"),
        "money": Decimal("1.25"),
        "day": date(2026, 1, 2),
        "zoned": moment,
        "plain": moment.replace(tzinfo=None),
        "text": "ü\"'\n",
        "raw": b"\x00\xff",
        "deep": {"a": [1]},
    }
    source = shop.source()
    monkeypatch.setattr(source, "_rows", lambda *_: iter([row]))
    [batch] = source.poll(None).batches
    [found] = pq.read_table(batch.uri).to_pylist()
    assert isnan(found.pop("nan"))
    assert found == {
        **{name: value for name, value in row.items() if name != "nan"},
        "huge": float(2**80),
        "money": 1.25,
        "raw": "00ff",
        "deep": '{"a": [1]}',
    }
    assert batch.schema["plain"] == "TIMESTAMP"
    assert batch.schema["zoned"] == "TIMESTAMP WITH TIME ZONE"


@pytest.mark.parametrize(
    "value",
    [
        7,
        1.5,
        "2026-01-01",
        datetime(2026, 1, 2, tzinfo=UTC),
        date(2026, 1, 2),
        Decimal("1.5"),
        None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_watermark_keeps_its_type(value):
    assert _Cursor.read(_Cursor(through=value).write()).through == value


# --- addresses ------------------------------------------------------------------------------------------------


def opened(address: str, folder: Path) -> Any:
    return open_source(SourceKey(address=address), base=folder, spool=folder)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("sql:shop/t", "cannot be read"),
        ("sql:shop?watermark=id", "cannot be read"),
        ("sql:/t?watermark=id", "cannot be read"),
        ("sql:shop/t?watermark=id&query=SELECT", "cannot be read"),
        ("sql:shop/t?watermark=id&kee=id", "has kee=, which is unknown"),
        ("sql:shop/t?watermark=id&late=soon", "has late=soon"),
        ("sql:nowhere/t?watermark=id", "no connection called nowhere"),
        ("sql:shop-file/t?watermark=id", "names the file of another one"),
        ("iceberg:lake", "names no table"),
        ("nothing://x/*.csv", "may not be read"),
    ],
)
def test_address_that_means_nothing_is_told_in_one_sentence(
    tmp_path, monkeypatch, address, sentence
):
    monkeypatch.setenv("INCUMBENT_CONNECTION_SHOP", "sqlite://")
    with pytest.raises(ConfigurationError) as raised:
        opened(address, tmp_path)
    assert sentence in raised.value.message


def test_address_of_a_table(tmp_path, monkeypatch):
    monkeypatch.setenv("INCUMBENT_CONNECTION_MY_SHOP", "sqlite://")
    source = opened("sql:my-shop/main.events?watermark=at&key=id&late=2h", tmp_path)
    assert source._options == SqlOptions(
        watermark="at", relation="main.events", key="id", late=7200
    )


def test_connection_may_be_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "url").write_text("sqlite://\n")
    monkeypatch.setenv("INCUMBENT_CONNECTION_SHOP_FILE", str(tmp_path / "url"))
    assert connection_url("shop") == "sqlite://"
