"""The first step of a decay run: the rows since the champion was judged, and which of them have a label that is due.

Where the policy names a serving log with predictions, only rows that were asked in service count, with the answer
that was given then; else all rows that came, and the champion is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from controller.domain.canonical import format_time, parse_time
from controller.ports import Batch
from workers.failure import Failure
from workers.files import read_columns, read_schema
from workers.jobs import Job
from workers.snapshot import local_file, missing_in, read_tables, times_of

LABELLED = "incumbent_labelled"
LOGGED = "incumbent_logged"
_LOOK_AGAIN = timedelta(days=1)


def since(job: Job, folder: Path) -> Mapping[str, Any]:
    """Writes the rows; returns where, how many, and when a label that is not due yet will be."""
    data = job.spec.data
    if not data.time:
        raise Failure("data.time names no column, so nobody can tell which rows came later")
    start = _moment(parse_time(str(job.spec.details["since"])))
    table = _table(job, folder, start)
    times = times_of(table, data.time)
    keep = ~np.isnat(times) & (times > start)
    table, times = table.filter(pa.array(keep)), times[keep]
    table, logged = _with_log(job, folder, table)
    times = times_of(table, data.time)
    due = times <= _moment(job.ordered_at - data.label_delay)
    labelled = due & ~np.asarray(missing_in(table[data.target]), dtype=bool)
    order = np.argsort(times, kind="stable")
    table = table.append_column(LABELLED, pa.array(labelled)).take(pa.array(order))
    path = folder / "since.parquet"
    pq.write_table(table, path)
    return {
        "path": str(path),
        "rows": table.num_rows,
        "labels": int(labelled.sum()),
        "logged": logged,
        "features": [n for n in table.column_names if n not in (data.target, LABELLED, LOGGED)],
        "look_again": _look_again(job, times[~due]),
    }


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(int(at.timestamp() * 1e6), "us")


def _look_again(job: Job, waiting: Any) -> str | None:
    """When the first label comes due that is not yet; at most once a day, or once a delay if that is shorter."""
    if not waiting.size:
        return None
    first = datetime.fromtimestamp(waiting.min().astype(int) / 1e6, UTC) + job.spec.data.label_delay
    soonest = job.ordered_at + min(job.spec.data.label_delay, _LOOK_AGAIN)
    return format_time(max(first, soonest))


def _table(job: Job, folder: Path, start: np.datetime64) -> pa.Table:
    """All columns that anybody needs, from the batches that may hold later rows."""
    batches = [b for b in job.batches if not _is_earlier(b, start)] or list(job.batches[-1:])
    if not batches:
        raise Failure(f"there is no data yet: {job.spec.data.source} has brought no whole file")
    files = [local_file(batch, folder / "fetched") for batch in batches]
    schemas = [read_schema(path) for path in files]
    data = job.spec.data
    needed = [name for name in (data.target, data.time, data.key) if name]
    for path, schema in zip(files, schemas, strict=True):
        if gone := [name for name in needed if name not in schema.names]:
            raise Failure(f"column {gone[0]} vanished from {path.name}")
    wanted = [name for c in job.candidates for name in c.lineage.get("features") or ()]
    wanted += [name for gate in job.spec.gates if gate.slices for name in gate.slices.by]
    everywhere = [n for n in wanted if all(n in schema.names for schema in schemas)]
    return read_tables(files, list(dict.fromkeys([*everywhere, *needed])))


def _is_earlier(batch: Batch, start: np.datetime64) -> bool:
    last = batch.details.get("time_max")
    return isinstance(last, str) and bool(_moment(parse_time(last)) <= start)


def _with_log(job: Job, folder: Path, table: pa.Table) -> tuple[pa.Table, bool]:
    """Rows that were asked in service, with the answer; the newest one where a key was asked twice."""
    data, served = job.spec.data, job.spec.data.served
    batches = [Batch(**item) for item in job.details.get("served") or ()]
    if served is None or served.prediction is None or data.key is None or not batches:
        return table, False
    columns = [n for n in (data.key, served.prediction, served.version, served.time) if n]
    log = served_rows(batches, columns, folder)
    if served.version:
        number = pa.scalar(str(job.details.get("version")))
        log = log.filter(pc.equal(pc.cast(log[served.version], pa.string()), number))
    keys = pc.cast(log[data.key], pa.string()).to_pylist()
    newest = {key: at for at, key in enumerate(keys) if key is not None}
    asked = pc.cast(table[data.key], pa.string()).to_pylist()
    at_table = [at for at, key in enumerate(asked) if key in newest]
    at_log = [newest[asked[at]] for at in at_table]
    found = table.take(pa.array(at_table, pa.int64()))
    given = log[served.prediction].take(pa.array(at_log, pa.int64()))
    return found.append_column(LOGGED, given), True


def served_rows(batches: Sequence[Batch], columns: Sequence[str], folder: Path) -> pa.Table:
    """These columns of a serving log.

    Raises:
        Failure: a file of it lacks one, or cannot be read.
    """
    tables = []
    for batch in batches:
        path = local_file(batch, folder / "served")
        names = read_schema(path).names
        if gone := [name for name in columns if name not in names]:
            raise Failure(f"the serving log {path.name} has no column {gone[0]}")
        tables.append(read_columns(path, list(dict.fromkeys(columns))))
    return pa.concat_tables(tables, promote_options="permissive")
