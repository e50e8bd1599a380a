"""Reads a series for a backtest from a CSV or Parquet file; :mod:`controller.rulefmt.series` says what columns mean."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.domain.errors import NotFound, UserError
from controller.rulefmt.series import SeriesRow, read_rows

MOST_ROWS = 1_000_000


def read_series(path: Path) -> list[SeriesRow]:
    """All rows, in order; UserError with file, row and column for one that cannot be used."""
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    if path.suffix == ".parquet":
        return read_rows(str(path), _parquet(path), 1)
    return read_rows(str(path), _csv(path), 2)


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file, strict=True):
                if None in row or None in row.values():
                    number = len(row) - (None in row)
                    raise UserError(f"{path}: a row has not the {number} cells of the header.")
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no CSV: {error}.") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import duckdb

    from controller.adapters.sources.formats import (
        bounded,
        check_whole,
        connect_reader,
        literal_path,
    )
    from controller.adapters.sources.limits import Unreadable

    try:
        check_whole(path, "parquet", path.name)
    except Unreadable as error:
        raise UserError(f"{path} is no Parquet file: {error}.") from None
    with connect_reader() as connection:
        try:
            with bounded(connection):
                result = connection.execute("SELECT * FROM read_parquet(?)", [literal_path(path)])
                names = [item[0] for item in result.description or ()]
                rows = result.fetchmany(MOST_ROWS + 1)
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise UserError(f"{path} is no Parquet file: {said}.") from error
    if len(rows) > MOST_ROWS:
        raise UserError(f"{path} has more than {MOST_ROWS:,} rows; a series has at most so many.")
    yield from (dict(zip(names, row, strict=True)) for row in rows)
