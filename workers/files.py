"""Reads the columns of one data file as Arrow, whatever its format; a damaged file is one sentence with its name."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from workers.failure import Failure


def read_schema(path: Path) -> pa.Schema:
    """The file's columns and types."""
    with _told(path):
        kind = _kind(path)
        if kind == "parquet":
            import pyarrow.parquet as pq

            return pq.read_schema(path)
        if kind == "arrow":
            with pa.memory_map(str(path)) as source:
                return pa.ipc.open_file(source).schema
        return _read_text(path, kind, None).schema


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """These columns, in this order, all rows."""
    with _told(path):
        kind = _kind(path)
        if kind == "parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(path, memory_map=True) as source:
                table = source.read(columns=list(columns))
        elif kind == "arrow":
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
        else:
            table = _read_text(path, kind, columns)
        return table.select(list(columns))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (
        pa.ArrowInvalid,
        pa.ArrowIOError,
        pa.ArrowNotImplementedError,
        MemoryError,
        EOFError,
        gzip.BadGzipFile,
    ) as error:
        first = str(error).splitlines()[0].rstrip(".")
        raise Failure(
            f"{path.name} cannot be read, it may be cut or damaged: {first}; "
            "write it again whole, or quarantine its batch."
        ) from error


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    for kind, endings in (
        ("parquet", (".parquet", ".pq")),
        ("arrow", (".arrow", ".feather", ".ipc")),
        ("csv", (".csv", ".tsv")),
        ("json", (".json", ".jsonl", ".ndjson")),
    ):
        if name.endswith(endings):
            return kind
    raise Failure(f"{path.name} has an ending that names no format that is known.")


def _read_text(path: Path, kind: str, columns: Sequence[str] | None) -> pa.Table:
    with _opened(path) as stream:
        if kind == "json":
            import pyarrow.json as pj

            return pj.read_json(stream)
        import pyarrow.csv as pv

        options: Any = pv.ConvertOptions(
            include_columns=list(columns) if columns else None, strings_can_be_null=True
        )
        parse = pv.ParseOptions(delimiter=_delimiter(path))
        return pv.read_csv(stream, parse_options=parse, convert_options=options)


def _opened(path: Path) -> BinaryIO:
    return (
        cast("BinaryIO", gzip.open(path, "rb"))
        if path.name.lower().endswith(".gz")
        else path.open("rb")
    )


def _delimiter(path: Path) -> str:
    """The sign among ``, ; tab |`` that the first line has most of."""
    with _opened(path) as stream:
        line = stream.readline(1 << 20)
    return max((b",", b";", b"\t", b"|"), key=line.count).decode()
