"""The one step of a skew run: served rows against the training profile, and row by row where a key allows it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from controller.domain.canonical import to_plain
from controller.domain.decay import SkewReport
from controller.domain.drift import DriftReport, DriftVerdict
from controller.domain.errors import IncumbentError
from controller.domain.layouts import Layout
from controller.domain.profiles import Profile
from controller.evidence.drift import DriftOptions, compare_profiles
from controller.evidence.inputs import Unusable
from controller.evidence.skew import row_skew
from controller.ports import Batch
from workers.evaluate_batches import columns_of, judged_of, reference_of
from workers.failure import Failure
from workers.files import read_columns, read_schema
from workers.incremental import served_rows
from workers.jobs import Job
from workers.profiles import BatchData, ScanEngine, make_profile
from workers.snapshot import local_file

MISMATCH = "mismatch_rate"
ALERT = 0.01
"""From this share of rows that differ on, a feature's verdict is an alert: one in a hundred was computed otherwise."""
MOST_KEYS = 2_000_000


def skew(job: Job, folder: Path) -> Mapping[str, Any]:
    """Distances, rates of mismatch, and the sentences for people."""
    try:
        return _skew(job, folder)
    except IncumbentError as error:
        raise Failure(error.sentence().rstrip(".")) from error


def _skew(job: Job, folder: Path) -> Mapping[str, Any]:
    engine = ScanEngine(threads=min(2, os.cpu_count() or 1), directory=folder)
    reference = reference_of(job, folder, engine)
    if reference is None:
        raise Failure("there is no training data to compare with")
    files = [local_file(batch, folder / "served") for batch in job.batches]
    features = _features(job, reference[0], files)
    layout, before = narrowed(*reference, features)
    current = make_profile(BatchData.of(*files), layout, engine)
    report = compare_profiles(layout, before, current, DriftOptions())
    rows, problem = _by_row(job, folder, features)
    columns, judged = columns_of(report), judged_of(report)
    reasons, verdict = list(report.reasons), report.verdict
    for found in rows.features if rows else ():
        if found.rate is None:
            continue
        columns.setdefault(found.feature, {})[MISMATCH] = found.rate
        if found.rate >= ALERT:
            verdict = DriftVerdict.ALERT
            # Rows that differ are counted, not sampled: neither chance nor history explains them.
            judged[found.feature] = {"verdict": verdict.value}
            reasons.append(
                f"{found.feature}: {found.mismatches:,} of {found.rows:,} rows "
                f"({found.rate:.1%}) are not what the data give"
            )
    return {
        "rows": current.rows,
        "columns": columns,
        "judged": judged,
        "verdict": verdict.value,
        "reasons": reasons,
        "problem": None if columns else _nothing(report),
        "matched": rows.matched if rows else 0,
        "report": {**to_plain(report), "rows_by_key": to_plain(rows), "rows_problem": problem},
        "reference": None
        if job.details.get("known")
        else {"layout": reference[0].to_json(), "profile": reference[1].to_json()},
    }


def _nothing(report: DriftReport) -> str:
    return "; ".join(report.reasons) or "nothing could be compared"


def _features(job: Job, layout: Layout, files: Sequence[Path]) -> list[str]:
    """What the policy calls features; else all columns of the data that the log has too."""
    data = job.spec.data
    if data.features is not None:
        return [name for name in data.features if name in layout.by_name]
    served = set(read_schema(files[-1]).names)
    kept = [c.name for c in layout.columns if c.name not in (data.target, data.time, data.key)]
    found = [name for name in kept if name in served]
    if not found:
        raise Failure(f"the serving log {files[-1].name} has none of the features of the data")
    return found


def narrowed(layout: Layout, profile: Profile, names: Sequence[str]) -> tuple[Layout, Profile]:
    """Both for these columns alone."""
    wanted = set(names)
    part = Layout(columns=tuple(c for c in layout.columns if c.name in wanted), rows=layout.rows)
    columns = tuple(c for c in profile.columns if c.name in wanted)
    return part, replace(profile, layout=part.digest, columns=columns, extra=())


def _by_row(job: Job, folder: Path, features: Sequence[str]) -> tuple[SkewReport | None, str]:
    """The comparison by key, or why there is none."""
    key = job.spec.data.key
    names = read_schema(local_file(job.batches[-1], folder / "served")).names
    if key is None or key not in names:
        return None, "the rows have no key in common"
    logged = [name for name in features if name in names]
    log = served_rows(job.batches, [key, *logged], folder)
    log = _one_a_key(log, key)
    if log.num_rows > MOST_KEYS:
        log = log.slice(log.num_rows - MOST_KEYS)
    known = _known(job, folder, [key, *logged], log[key])
    try:
        found = row_skew(_plain(known), _plain(log), key=key, features=logged)
    except Unusable as error:
        return None, error.sentence()
    return found, ""


def _one_a_key(table: pa.Table, key: str) -> pa.Table:
    """The newest row of each key; rows without one are left out."""
    newest = {value: at for at, value in enumerate(table[key].to_pylist()) if value is not None}
    return table.take(pa.array(sorted(newest.values()), pa.int64()))


def _known(job: Job, folder: Path, columns: Sequence[str], keys: pa.ChunkedArray) -> pa.Table:
    """The data's rows with one of these keys."""
    wanted = pc.cast(keys, pa.string()).combine_chunks()
    parts = []
    for item in job.details.get("data") or ():
        path = local_file(Batch(**item), folder / "fetched")
        if any(name not in read_schema(path).names for name in columns):
            continue
        table = read_columns(path, columns)
        mine = pc.cast(table[columns[0]], pa.string())
        parts.append(table.filter(pc.is_in(mine, value_set=wanted)))
    if not parts:
        return pa.table({name: [] for name in columns})
    return _one_a_key(pa.concat_tables(parts, promote_options="permissive"), columns[0])


def _plain(table: pa.Table) -> dict[str, Any]:
    return {
        name: table[name].combine_chunks().to_numpy(zero_copy_only=False)
        for name in table.column_names
    }
