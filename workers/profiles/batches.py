"""Opens a batch for counting: every format becomes pieces that DuckDB reads column by column.

Parquet on the local disk is read where it lies. CSV, JSON lines, Arrow files and everything behind
an fsspec file system is copied once into a temporary Parquet file, so that each source is
parsed once, however many statements follow, and memory stays at the engine's limit. Files of
one batch may differ in their columns: each distinct schema is a piece of its own, and a column
that is missing from half of the files is missing from half of the rows.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import duckdb

from controller.domain.errors import NotFound, UserError
from workers.profiles.expressions import quote, text_literal
from workers.profiles.failures import explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILES_AT_ONCE = 200
"""Files of one statement: each is opened once a column, so that many are counted in turns."""


class Format(StrEnum):
    """The formats of files."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON_LINES = "jsonl"
    ARROW = "arrow"

    @property
    def is_text(self) -> bool:
        """Whether types are guessed from text."""
        return self in {Format.CSV, Format.JSON_LINES}


_SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".json": Format.JSON_LINES,
    ".arrow": Format.ARROW,
    ".feather": Format.ARROW,
    ".ipc": Format.ARROW,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanEngine:
    """DuckDB's settings, said outright: its defaults take every core and 80 % of the memory."""

    threads: int = 2
    memory: str = "400MB"
    directory: Path | None = None
    """Where it spills and where text formats are staged; the system's place for temporary files if None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchData:
    """The rows of a batch: files (of one format), or a table in memory (``pyarrow.Table``).

    ``format`` is taken from the files' names where it is None. ``filesystem`` is an fsspec file
    system that opens ``paths``; without one they are local. ``delimiter`` is that of CSV, and
    found out where None.
    """

    paths: tuple[str, ...] = ()
    format: Format | None = None
    delimiter: str | None = None
    filesystem: Any = None
    table: Any = None

    @classmethod
    def of(cls, *paths: str | Path) -> BatchData:
        """The local files of ``paths``; a directory stands for the files in it."""
        return cls(paths=tuple(str(path) for path in paths))

    @property
    def title(self) -> str:
        """A name for messages."""
        if self.table is not None:
            return "the table"
        more = len(self.paths) - 1
        return (self.paths[0] if self.paths else "the batch") + (
            f" and {more} more" if more > 0 else ""
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Rows of one schema. ``relation`` is what follows FROM; ``schema`` maps names to SQL types.

    ``typed`` is False where the types were guessed from text.
    """

    relation: str
    schema: Mapping[str, str]
    title: str
    typed: bool = True


@dataclass(frozen=True, slots=True)
class Scan:
    """An open batch: its connection, its pieces, and what the connection must be told before it closes."""

    connection: duckdb.DuckDBPyConnection
    pieces: tuple[Piece, ...]
    title: str

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with explained(self.title):
            return self.connection.execute(query).fetchall()


@contextmanager
def open_batch(
    data: BatchData, engine: ScanEngine, text_columns: frozenset[str] = frozenset()
) -> Iterator[Scan]:
    """A scan of ``data``; ``text_columns`` are read as text from formats that carry no types.

    Raises:
        NotFound: a file is not there.
        UserError: a file cannot be read: cut, encrypted, of another format.
    """
    with tempfile.TemporaryDirectory(prefix="incumbent-", dir=engine.directory) as scratch:
        connection = connect_scan(engine, Path(scratch))
        try:
            opener = _Opener(connection, data, Path(scratch), text_columns)
            yield Scan(connection, tuple(opener.pieces()), data.title)
        finally:
            connection.close()


def connect_scan(engine: ScanEngine, scratch: Path) -> duckdb.DuckDBPyConnection:
    """A private DuckDB in memory that spills to ``scratch`` and loads nothing from the network."""
    connection = duckdb.connect(
        config={
            "threads": engine.threads,
            "memory_limit": engine.memory,
            "temp_directory": str(scratch / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("SET enable_external_file_cache = false")  # memory is better spent on groups
    return connection


@dataclass(slots=True)
class _Opener:
    connection: duckdb.DuckDBPyConnection
    data: BatchData
    scratch: Path
    text_columns: frozenset[str]
    staged: int = field(default=0)

    def pieces(self) -> Iterator[Piece]:
        if self.data.table is not None:
            with explained(self.data.title):
                self.connection.register("rows_in_memory", self.data.table)
            yield self._piece("rows_in_memory", self.data.title)
            return
        paths = self._paths()
        kind = self.data.format or _format_of(paths)
        if kind is Format.PARQUET and self.data.filesystem is None:
            yield from self._parquet_pieces(paths)
            return
        for path in paths:
            yield self._staged(path, kind)

    def _paths(self) -> list[str]:
        if self.data.filesystem is not None:
            return list(self.data.paths)
        found: list[str] = []
        for name in self.data.paths:
            path = Path(name)
            if path.is_dir():
                inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in _SUFFIXES]
                if not inside:
                    raise NotFound(
                        f"the folder {name} holds no data file;",
                        hint="expected Parquet, CSV, JSON lines or Arrow files.",
                    )
                found += map(str, inside)
            elif path.exists():
                found.append(name)
            else:
                raise NotFound(
                    f"the file {name} does not exist;", hint="check the path of the batch."
                )
        if not found:
            raise UserError("the batch names no file;", hint="give at least one path.")
        return found

    def _parquet_pieces(self, paths: list[str]) -> Iterator[Piece]:
        """Files of one schema together, up to ``FILES_AT_ONCE``."""
        groups: list[tuple[dict[str, str], list[str]]] = []
        for path in paths:
            with explained(path):
                schema = self._schema(f"read_parquet([{text_literal(path)}])")
            if groups and groups[-1][0] == schema and len(groups[-1][1]) < FILES_AT_ONCE:
                groups[-1][1].append(path)
            else:
                groups.append((schema, [path]))
        for schema, members in groups:
            listed = ", ".join(map(text_literal, members))
            yield Piece(
                relation=f"read_parquet([{listed}])",
                schema=schema,
                title=members[0] if len(members) == 1 else f"{members[0]} and others",
            )

    def _piece(self, relation: str, title: str, *, typed: bool = True) -> Piece:
        return Piece(relation=relation, schema=self._schema(relation), title=title, typed=typed)

    def _schema(self, relation: str) -> dict[str, str]:
        described = self.connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        return {row[0]: "NULL" if row[1] == '"NULL"' else row[1] for row in described}

    def _staged(self, path: str, kind: Format) -> Piece:
        """The file as a temporary Parquet file of ours."""
        target = self.scratch / f"staged-{self.staged}.parquet"
        self.staged += 1
        with explained(path):
            if self.data.filesystem is None:
                self._copy(path, path, kind, target)
            else:
                local = self.scratch / f"fetched-{self.staged}{Path(path).suffix}"
                self.data.filesystem.get_file(path, str(local))
                self._copy(str(local), path, kind, target)
                local.unlink()
            return self._piece(
                f"read_parquet([{text_literal(str(target))}])",
                path,
                typed=not kind.is_text,
            )

    def _copy(self, path: str, title: str, kind: Format, target: Path) -> None:
        if kind.is_text and Path(path).stat().st_size == 0:
            raise UserError(
                f"{title} is empty, not even a header line;", hint="leave the file out."
            )
        match kind:
            case Format.ARROW:
                self._copy_arrow(path, target)
            case Format.PARQUET:
                self._write(f"read_parquet([{text_literal(path)}])", target)
            case Format.CSV:
                self._copy_csv(path, target)
            case Format.JSON_LINES:
                options = "format = 'newline_delimited', sample_size = -1, records = true"
                self._write(f"read_json({text_literal(path)}, {options})", target)
            case _:
                assert_never(kind)

    def _copy_csv(self, path: str, target: Path) -> None:
        """Types are guessed from the first rows; a value that breaks the guess makes all columns text."""
        options = "header = true, null_padding = false"
        if self.data.delimiter is not None:
            options += f", delim = {text_literal(self.data.delimiter)}"
        reader = f"read_csv({text_literal(path)}, {options}"
        names = self._schema(f"{reader}, all_varchar = true)")
        as_text = [f"{quote_key(name)}: 'VARCHAR'" for name in names if name in self.text_columns]
        types = f", types = {{{', '.join(as_text)}}}" if as_text else ""
        try:
            self._write(f"{reader}{types})", target)
        except duckdb.ConversionException:
            self._write(f"{reader}, all_varchar = true)", target)

    def _copy_arrow(self, path: str, target: Path) -> None:
        import pyarrow as pa

        with pa.memory_map(path) as source:
            try:
                reader = pa.ipc.open_file(source)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
                stream = pa.RecordBatchReader.from_batches(reader.schema, batches)
            except pa.ArrowInvalid:
                source.seek(0)
                stream = pa.ipc.open_stream(source)
            self.connection.register("arrow_stream", stream)
            self._write("arrow_stream", target)
            self.connection.unregister("arrow_stream")

    def _write(self, relation: str, target: Path) -> None:
        self.connection.execute(
            f"COPY (SELECT * FROM {relation}) TO {text_literal(str(target))} "
            "(FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 60000)"
        )


def quote_key(name: str) -> str:
    """A key of a DuckDB struct literal."""
    return quote(name)


def _format_of(paths: list[str]) -> Format:
    kinds = {_SUFFIXES.get(Path(path.removesuffix(".gz")).suffix.lower()) for path in paths}
    if len(kinds) > 1:
        raise UserError(
            f"the batch mixes formats ({', '.join(sorted(k.value if k else 'unknown' for k in kinds))});",
            hint="profile the files of each format as a batch of its own and add the profiles.",
        )
    kind = kinds.pop()
    if kind is None:
        raise UserError(
            f"{paths[0]} has no known ending;",
            hint="say the format: parquet, csv, jsonl or arrow.",
        )
    return kind
