"""The first step of an evaluation: the holdout rows on which all versions are held against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from controller.domain.canonical import parse_time, to_plain
from workers.jobs import Job
from workers.snapshot import Request, load_split

ROWS = "rows.parquet"


def prepare_holdout(job: Job, folder: Path) -> Mapping[str, Any]:
    """Writes the holdout rows; returns their description and what a constant guess would be."""
    also = dict.fromkeys(name for c in job.candidates for name in c.lineage.get("features") or ())
    by = [name for gate in job.spec.gates if gate.slices for name in gate.slices.by]
    request = Request(
        data=job.spec.data,
        batches=job.batches,
        as_of=job.ordered_at,
        folder=folder / "fetched",
        window=job.spec.window.total_seconds() if job.spec.window else None,
        also=(*also, *by),
        since=parse_time(since) if (since := job.spec.details.get("holdout_since")) else None,
    )
    split = load_split(request)
    rows = folder / ROWS
    pq.write_table(split.holdout, rows)
    with rows.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "rows": str(rows),
        "digest": digest,
        "features": list(split.features),
        "schema": dict(split.schema),
        "counts": dict(split.counts),
        "start": to_plain(split.start),
        "end": to_plain(split.end),
        "baseline": _baseline(split.training[job.spec.data.target], _last(job, split.training)),
    }


def _baseline(labels: pa.ChunkedArray, last: int) -> dict[str, Any]:
    """What one would guess without a model, from the training labels."""
    kind = labels.type
    counted = labels.value_counts()
    most = counted[int(np.argmax(counted.field("counts").to_numpy()))]
    found: dict[str, Any] = {"majority": most["values"].as_py(), "last": labels[last].as_py()}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = pc.cast(labels, pa.float64()).to_numpy()
        found |= {"median": float(np.median(numbers)), "mean": float(np.mean(numbers))}
    if len(counted) <= 1_000:
        total = len(labels)
        found["shares"] = [
            [value["values"].as_py(), value["counts"].as_py() / total] for value in counted
        ]
    return {name: value for name, value in found.items() if _plain(value)}


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_plain(item) for pair in value for item in pair)
    return isinstance(value, (bool, int, float, str))


def _last(job: Job, training: pa.Table) -> int:
    """Index of the newest training row."""
    if not job.spec.data.time:
        return int(training.num_rows) - 1
    newest: int = pc.sort_indices(training[job.spec.data.time])[-1].as_py()
    return newest
