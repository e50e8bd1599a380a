"""A SQL table or query as a data source: rows beyond a watermark, taken out once into Parquet files.

The watermark is a column that only grows: an id or a time of writing. Rows may come late by ``late`` (in the
watermark's own unit: a count of ids, or seconds): that far behind the newest one, rows are looked at again, and those
that were not seen are taken. Each look's rows are written to a file of the spool folder, which is the batch: a training
run reads it again whatever the database does meanwhile.

The cursor is JSON: the newest watermark, the digests of the rows seen within reach of it, and the columns' types.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from controller.adapters.clouds import foreign_sentence
from controller.adapters.sources.spool import Spool, spooled_batch
from controller.domain.errors import ConfigurationError, Unavailable
from controller.ports import Batch, Poll

TABLE_CURSOR_VERSION = 1
MOST_RECENT = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlOptions:
    """``relation`` is a table (``schema.table``), or ``query`` a SELECT. ``most`` bounds the rows of one batch.

    ``key`` names the column that tells rows apart; without one, the whole row does.
    """

    watermark: str
    relation: str = ""
    query: str = ""
    key: str | None = None
    late: float = 0.0
    time: str | None = None
    most: int = 200_000
    timeout: int = 30


@dataclass(slots=True)
class _Cursor:
    through: Any = None
    recent: list[list[Any]] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> _Cursor:
        held = json.loads(text) if text else {}
        recent = [[_decode(value), seen] for value, seen in held.get("recent", [])]
        return cls(_decode(held.get("through")), recent, held.get("types", {}))

    def write(self) -> str:
        held = {
            "version": TABLE_CURSOR_VERSION,
            "through": _encode(self.through),
            "recent": [[_encode(value), seen] for value, seen in self.recent],
            "types": self.types,
        }
        return json.dumps(held, sort_keys=True, separators=(",", ":"))


class SqlSource:
    """A :class:`~controller.ports.DataSource` over a database by SQLAlchemy URL. ``name`` stands for it in messages."""

    def __init__(self, url: str, options: SqlOptions, spool: Path, *, name: str = "") -> None:
        self._options = options
        self._spool = Spool(spool)
        self._name = name or "the database"
        try:
            self._engine = sa.create_engine(url, poolclass=sa.NullPool, **_driver(url, options))
        except (sa.exc.ArgumentError, ImportError) as error:
            raise ConfigurationError(
                f"{self._name} cannot be opened: {foreign_sentence(error)}."
            ) from error

    def poll(self, cursor: str | None) -> Poll:
        """The rows beyond the cursor; Unavailable if the database does not answer to the end."""
        before = _Cursor.read(cursor)
        try:
            with self._engine.connect() as connection:
                return self._poll(connection, before)
        except sa.exc.SQLAlchemyError as error:
            reason = (
                foreign_sentence(error.orig)
                if isinstance(error, sa.exc.DBAPIError) and error.orig
                else foreign_sentence(error)
            )
            raise Unavailable(f"{self._name} cannot be read: {reason}.") from error

    def _poll(self, connection: sa.Connection, before: _Cursor) -> Poll:
        seen = {digest for _, digest in before.recent}
        recent, taken = list(before.recent), 0
        through, more = before.through, False
        with self._spool.begin() as sheet:
            for row in self._rows(connection, before):
                digest, mark = self._identity(row), row[self._options.watermark]
                if digest in seen:
                    continue
                if taken == self._options.most:
                    more = True
                    break
                sheet.add(row)
                taken += 1
                through = mark if through is None or mark > through else through
                recent.append([mark, digest])
            types = sheet.types(before.types)
            path = sheet.close(types) if taken else None
        after = _Cursor(through, self._reachable(recent, through), types)
        batches = () if path is None else (self._batch(path, through),)
        return Poll(
            batches=batches,
            cursor=after.write(),
            problems=self._problems(connection, after),
            again=timedelta(0) if more else None,
        )

    def _rows(self, connection: sa.Connection, before: _Cursor) -> Iterator[Mapping[str, Any]]:
        """Rows from the watermark's reach on, oldest first, streamed."""
        mark: sa.ColumnClause[Any] = sa.column(self._options.watermark)
        statement = sa.select(sa.text("*")).select_from(self._relation()).order_by(mark)
        start = self._reach(before.through)
        if start is not None:
            statement = statement.where(mark >= sa.literal(start))
        else:
            statement = statement.where(mark.is_not(None))
        streaming = connection.execution_options(stream_results=True, max_row_buffer=1000)
        result = streaming.execute(statement)
        names = list(result.keys())
        if self._options.watermark not in names:
            raise ConfigurationError(
                f"{self._name} has no column {self._options.watermark}.",
                hint=f"It has {', '.join(names[:12])}.",
            )
        for row in result.mappings():
            yield dict(row)

    def _relation(self) -> sa.FromClause:
        if self._options.query:
            return sa.text(self._options.query).columns().subquery("q")
        schema, _, table = self._options.relation.rpartition(".")
        return sa.table(table, schema=schema or None)

    def _reach(self, through: Any) -> Any:
        """How far back a row may still come."""
        late = self._options.late
        if through is None or isinstance(through, str) or not late:
            return through
        if isinstance(through, (datetime, date)):
            return through - timedelta(seconds=late)
        return through - type(through)(late)

    def _reachable(self, recent: Sequence[list[Any]], through: Any) -> list[list[Any]]:
        start = self._reach(through)
        return [item for item in recent if start is None or item[0] >= start]

    def _identity(self, row: Mapping[str, Any]) -> str:
        key = self._options.key
        value = row[key] if key is not None else [[name, _encode(v)] for name, v in row.items()]
        text = json.dumps(_encode(value) if key is not None else value, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _batch(self, path: Path, through: Any) -> Batch:
        batch = spooled_batch(path, self._options.time)
        return replace(batch, details={**batch.details, "watermark": str(through)})

    def _problems(self, connection: sa.Connection, after: _Cursor) -> tuple[str, ...]:
        found = []
        if len(after.recent) > MOST_RECENT:
            found.append(
                f"{self._name}: {len(after.recent):,} rows lie within reach of late ones; lower `late`."
            )
        if self._options.relation and not self._is_indexed(connection):
            found.append(
                f"{self._name}: {self._options.relation} has no index that begins with "
                f"{self._options.watermark}, so every look reads all of it."
            )
        return tuple(found)

    def _is_indexed(self, connection: sa.Connection) -> bool:
        schema, _, table = self._options.relation.rpartition(".")
        inspector = sa.inspect(connection)
        if not inspector.has_table(table, schema or None):
            return True  # a view's indexes are those of its tables
        keys: list[Sequence[str | None]] = [
            inspector.get_pk_constraint(table, schema or None)["constrained_columns"]
        ]
        keys += [index["column_names"] for index in inspector.get_indexes(table, schema or None)]
        keys += [c["column_names"] for c in inspector.get_unique_constraints(table, schema or None)]
        if not any(keys) and table in inspector.get_view_names(schema or None):
            return True
        return any(names[:1] == [self._options.watermark] for names in keys)


def _driver(url: str, options: SqlOptions) -> dict[str, Any]:
    """A driver that gives up in time."""
    kind = sa.make_url(url).get_backend_name()
    if kind == "postgresql":
        limit = f"-c statement_timeout={options.timeout * 1000}"
        return {"connect_args": {"connect_timeout": min(options.timeout, 10), "options": limit}}
    if kind == "sqlite":
        return {"connect_args": {"timeout": options.timeout}}
    return {}


def connection_url(name: str) -> str:
    """The URL of a connection that the operator named: ``INCUMBENT_CONNECTION_<NAME>`` or the same with ``_FILE``."""
    variable = f"INCUMBENT_CONNECTION_{name.upper().replace('-', '_')}"
    if variable.endswith("_FILE"):
        raise ConfigurationError(
            f"a connection may not be called {name}: {variable} names the file of another one."
        )
    place = os.environ.get(f"{variable}_FILE")
    if place:
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(
                f"{variable}_FILE cannot be read: {error.strerror}."
            ) from error
    found = os.environ.get(variable)
    if not found:
        raise ConfigurationError(
            f"there is no connection called {name}.",
            hint=f"Put its SQLAlchemy URL into {variable}.",
        )
    return found


def _encode(value: Any) -> Any:
    """A watermark or key as JSON that keeps its type."""
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(value).hex()}
    return value if isinstance(value, (str, int, float, type(None))) else {"text": str(value)}


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    [(kind, text)] = value.items()
    readers: dict[str, Any] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "decimal": Decimal,
        "bytes": bytes.fromhex,
    }
    return readers.get(kind, str)(text)
