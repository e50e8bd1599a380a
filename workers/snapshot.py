"""The data snapshot of a run: which rows of which files, split into what may be trained on and what judges.

The files are named with their digests in the order; what no longer matches is refused with one sentence that names
the file. The holdout is the newest labelled part; training rows end before it begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from controller.adapters.sources.reach import WEB, Reach
from controller.domain.errors import Unavailable
from controller.domain.rules import DataSection
from controller.ports import Batch
from controller.settings import load_settings
from workers.failure import Failure
from workers.files import read_columns, read_schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Which rows are wanted. ``as_of`` is the time of the order: later labels than that minus the delay are unknown.

    ``since`` begins the holdout where an earlier look began it, so that a later look sees the same rows and more.
    ``also`` are columns that somebody else than this policy's features needs (an older champion's).
    """

    data: DataSection
    batches: tuple[Batch, ...]
    as_of: datetime
    folder: Path
    window: float | None = None
    also: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The rows: ``training`` and ``holdout`` hold ``columns``; both have labels. Counts say what was left out."""

    training: pa.Table
    holdout: pa.Table
    features: tuple[str, ...]
    schema: Mapping[str, str]
    counts: Mapping[str, int]
    boundary: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    notes: tuple[str, ...] = field(default=())


def load_split(request: Request) -> Split:
    """Read, check and split; raises :class:`Failure` with one sentence about data that cannot be used."""
    if not request.batches:
        raise Failure(f"there is no data yet: {request.data.source} has brought no whole file.")
    files = [local_file(batch, request.folder) for batch in request.batches]
    columns, features = _columns(request, files)
    table = read_tables(files, columns)
    return _split(request, table, features)


# --- files ----------------------------------------------------------------------------------------------------


def local_file(batch: Batch, folder: Path) -> Path:
    """The batch's file, verified; what is remote is fetched first."""
    path = Path(batch.uri.removeprefix("file://"))
    if "://" in batch.uri and not batch.uri.startswith("file://"):
        path = _fetch(batch, folder)
    name = path.name
    try:
        size = path.stat().st_size
        if size != batch.size:
            raise Failure(
                f"{name} has {size:,} bytes, but had {batch.size:,} when it was taken in: "
                "restore it, or let the source see it again as new data."
            )
        if len(batch.digest) == 64 and _digest(path) != batch.digest:
            raise Failure(
                f"{name} is not the file that was taken in: its digest no longer matches; "
                "restore it, or let the source see it again as new data."
            )
    except FileNotFoundError as error:
        raise Failure(
            f"{name} is gone from {path.parent}: restore it, or quarantine its batch."
        ) from error
    except PermissionError as error:
        raise Failure(f"{name} cannot be read: permission denied for the worker's user.") from error
    return path


def _fetch(batch: Batch, folder: Path) -> Path:
    import fsspec

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{batch.sequence}-{batch.uri.rpartition('/')[2]}"
    reach = _reach(batch.uri)
    if reach is not None and (reason := reach.reason(batch.uri)):
        raise Failure(f"{batch.uri} is not fetched: {reason}.")
    try:
        with (
            reach.guard(batch.uri) if reach else nullcontext(),
            fsspec.open(batch.uri, "rb", **(reach.options(batch.uri) if reach else {})) as source,
            target.open("wb") as copy,
        ):
            left = batch.size
            while left >= 0 and (chunk := source.read(1 << 20)):
                left -= len(chunk)  # one piece too many is enough for the sizes to differ
                copy.write(chunk)
    except FileNotFoundError as error:
        raise Failure(f"{batch.uri} is gone: restore it, or quarantine its batch.") from error
    except Unavailable as error:
        raise Failure(f"{batch.uri} is not fetched: {error.sentence()}") from error
    return target


def _reach(uri: str) -> Reach | None:
    """What the controller held to when it took a web address in: a name may lead elsewhere by now."""
    if uri.partition("://")[0] not in WEB:
        return None
    listed = load_settings().source_places.split(",")
    return Reach(tuple(place.strip() for place in listed if place.strip()))


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- columns --------------------------------------------------------------------------------------------------


def _columns(request: Request, files: Sequence[Path]) -> tuple[list[str], tuple[str, ...]]:
    """All columns to read, and the features among them.

    Without ``features`` in the policy these are all columns of the newest file but the target. A column that an older
    file has and the newest lacks has vanished; one that only newer files have is not used until all have it.
    """
    data = request.data
    schemas = {path: read_schema(path) for path in files}
    newest = schemas[files[-1]]
    required = [name for name in (data.target, data.time, data.key, data.holdout.group) if name]
    if data.features is not None:
        required += data.features
        features = tuple(data.features)
    else:
        for path in files[:-1]:
            if gone := [name for name in schemas[path].names if name not in newest.names]:
                raise Failure(_vanished(gone[0], files[-1], f"it is still in {path.name}"))
        common = [n for n in newest.names if all(n in schema.names for schema in schemas.values())]
        features = tuple(name for name in common if name != data.target)
    for path, schema in schemas.items():
        if missing := [name for name in dict.fromkeys(required) if name not in schema.names]:
            has = ", ".join(schema.names[:12]) + (" …" if len(schema.names) > 12 else "")
            raise Failure(_vanished(missing[0], path, f"the file has {has}"))
    wanted = [*features, *required, *(n for n in request.also if n in newest.names)]
    return list(dict.fromkeys(wanted)), features


def _vanished(column: str, path: Path, has: str) -> str:
    return (
        f"column {column} vanished from {path.name} ({has}): "
        "restore it, quarantine the batch, or change the policy's data section."
    )


def read_tables(files: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """These columns of all files; Failure names a column whose type changed between two of them."""
    tables = [read_columns(path, columns) for path in files]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        for column in columns:
            kinds: dict[str, str] = {}
            for table, path in zip(tables, files, strict=True):
                kinds.setdefault(str(table.schema.field(column).type), path.name)
            if len(kinds) > 1:
                found = " and ".join(f"{kind} in {name}" for kind, name in list(kinds.items())[:2])
                raise Failure(f"column {column} changed its type: {found}.") from None
        raise


# --- rows -----------------------------------------------------------------------------------------------------


def _split(request: Request, table: pa.Table, features: tuple[str, ...]) -> Split:
    data = request.data
    counts = {"rows": table.num_rows}
    times = times_of(table, data.time) if data.time else None
    keep = np.ones(table.num_rows, dtype=bool)
    if times is not None:
        untimed = np.isnat(times)
        counts["without_time"] = int(untimed.sum())
        keep &= ~untimed
        if data.label_delay:
            known = np.datetime64(int((request.as_of - data.label_delay).timestamp() * 1e6), "us")
            late = keep & (times > known)
            counts["label_not_due"] = int(late.sum())
            keep &= ~late
    labelled = keep & ~np.asarray(missing_in(table[data.target]))
    judging, boundary = _holdout(request, table, times, keep)
    training = labelled & ~judging
    if request.window and times is not None and boundary is not None:
        oldest = boundary - np.timedelta64(int(request.window * 1e6), "us")
        outside = training & (times < oldest)
        counts["before_window"] = int(outside.sum())
        training &= ~outside
    counts["unlabelled"] = int((keep & ~labelled & ~judging).sum())
    counts["holdout"] = int(judging.sum())
    counts["holdout_unlabelled"] = int((judging & ~labelled).sum())
    judging &= labelled
    counts["holdout_labelled"] = int(judging.sum())
    counts["training"] = int(training.sum())
    _enough(request, counts)
    spans = times[judging] if times is not None else None
    return Split(
        training=table.filter(pa.array(training)),
        holdout=table.filter(pa.array(judging)),
        features=features,
        schema={field.name: str(field.type) for field in table.schema},
        counts=counts,
        boundary=_moment(boundary),
        start=_moment(spans.min()) if spans is not None and spans.size else None,
        end=_moment(spans.max()) if spans is not None and spans.size else None,
    )


def _holdout(request: Request, table: pa.Table, times: Any, keep: Any) -> tuple[Any, Any]:
    """Which rows judge, and (by time) the last moment of training."""
    holdout = request.data.holdout
    share = holdout.fraction if holdout.fraction is not None else 0.2
    if holdout.by == "group" and holdout.group:
        return keep & _chosen_groups(table[holdout.group], share), None
    if times is None or (holdout.by == "rows" and holdout.last is None):
        first = table.num_rows - round(share * table.num_rows)
        return keep & (np.arange(table.num_rows) >= first), None
    if not keep.any():
        return keep, None
    # The newest label decides, not the newest row: rows whose label is missing do not move the boundary.
    labelled = times[keep & ~np.asarray(missing_in(table[request.data.target]))]
    if not labelled.size:
        return np.zeros_like(keep), None
    if request.since is not None:
        boundary = np.datetime64(int(request.since.timestamp() * 1e6) - 1, "us")
    elif holdout.last is not None:
        boundary = labelled.max() - np.timedelta64(int(holdout.last.total_seconds() * 1e6), "us")
    else:
        boundary = np.sort(labelled)[max(0, labelled.size - 1 - round(share * labelled.size))]
    return keep & (times > boundary), boundary


def _chosen_groups(groups: pa.ChunkedArray, share: float) -> Any:
    """Whole groups, chosen by the digest of their value: the same ones in every run and on every machine."""
    encoded = groups.combine_chunks().dictionary_encode()
    chosen = [
        int(hashlib.sha256(str(value).encode()).hexdigest()[:8], 16) < share * 2**32
        for value in encoded.dictionary.to_pylist()
    ]
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray([*chosen, False])[indices]


def _enough(request: Request, counts: Mapping[str, int]) -> None:
    least = request.data.holdout.min_rows
    if counts["holdout_labelled"] < least:
        raise Failure(
            f"holdout has {counts['holdout_labelled']:,} labelled rows, at least {least:,} are needed: "
            "wait for more labels, lengthen data.holdout, or lower its min_rows."
        )
    if not counts["training"]:
        raise Failure(
            f"no rows are left to train on: of {counts['rows']:,} rows {counts['holdout']:,} are holdout, "
            f"{counts['unlabelled']:,} have no label, {counts.get('before_window', 0):,} lie before the window."
        )


def missing_in(column: pa.ChunkedArray) -> pa.Array:
    """True where a label is null or NaN."""
    empty = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    return empty.combine_chunks() if isinstance(empty, pa.ChunkedArray) else empty


def times_of(table: pa.Table, name: str) -> Any:
    """The time column as ``datetime64[us]`` in UTC; a time without a zone is taken as UTC."""
    column = table[name]
    kind = column.type
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = pc.cast(column, pa.timestamp("us", "UTC"))
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            column = pc.cast(column, pa.timestamp("us"), safe=False)
        else:
            raise Failure(
                f"column {name} is {kind}, not a time: convert it, or name another data.time."
            )
    except pa.ArrowInvalid as error:
        raise Failure(f"column {name} holds something that is not a time: {error}.") from error
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = pc.cast(column, pa.timestamp("us", "UTC"))
    return column.combine_chunks().to_numpy(zero_copy_only=False).astype("datetime64[us]")


def _moment(value: Any) -> datetime | None:
    return None if value is None else value.astype("datetime64[us]").item().replace(tzinfo=UTC)
