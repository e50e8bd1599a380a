"""The last step of a decay run: each question of the policy answered from the rows and the champion's record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from controller.domain.canonical import to_plain
from controller.domain.codec import load_plain
from controller.domain.decay import MetricWatch
from controller.evidence.scored import Scored, ScoredSide
from controller.evidence.stored import read_scored
from controller.evidence.watching import RowsSince, answer_watch, estimates, metric_history
from workers.incremental import LABELLED, LOGGED
from workers.jobs import Job
from workers.judge import numbers_of, read_side
from workers.snapshot import times_of


def decay(job: Job, folder: Path) -> Mapping[str, Any]:
    """Readings, estimates, and the metrics by day, window and slice."""
    del folder
    watches = load_plain(tuple[MetricWatch, ...], job.spec.details["watches"])
    record = read_scored(Path(str(job.details["record"])).read_bytes())
    rows = pq.read_table(str(job.details["rows"]))
    sides = {role: read_side(held) for role, held in dict(job.details["sides"]).items()}
    if job.details.get("logged"):
        sides["champion"] = _logged(rows, record)
    names = [name for gate in job.spec.gates if gate.slices for name in gate.slices.by]
    found = RowsSince(
        truth=numbers_of(rows[job.spec.data.target]),
        times=times_of(rows, str(job.spec.data.time)),
        labelled=np.asarray(rows[LABELLED].to_numpy(zero_copy_only=False), dtype=bool),
        sides=sides or {"champion": ScoredSide(name="champion", values=np.zeros(0))},
        record=record,
        version=job.spec.version or 0,
        slices={
            name: np.asarray([str(v) for v in rows[name].to_pylist()])
            for name in dict.fromkeys(names)
            if name in rows.column_names
        },
    )
    return {
        "readings": to_plain([answer_watch(found, watch) for watch in watches]),
        "estimates": estimates(found, watches),
        "history": to_plain(metric_history(found, watches)),
    }


def _logged(rows: pa.Table, record: Scored) -> ScoredSide:
    """What the serving log says that was answered: values, or probabilities of the second class."""
    values = numbers_of(rows[LOGGED])
    classes = record.sides["challenger"].classes
    numeric = values.dtype.kind == "f" and values.size
    if classes is not None and len(classes) == 2 and numeric and _is_share(values):
        labels = np.asarray(classes)[(values >= 0.5).astype(int)]
        return ScoredSide(
            name="champion",
            values=labels,
            probabilities=np.column_stack([1.0 - values, values]),
            classes=classes,
        )
    return ScoredSide(name="champion", values=values)


def _is_share(values: Any) -> bool:
    return bool(np.all((values >= 0.0) & (values <= 1.0)) and np.any((values > 0) & (values < 1)))
