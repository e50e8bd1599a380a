"""The last step of an evaluation: metrics and evidence from the predictions, and the one file that holds them all."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from controller.domain.canonical import to_plain
from controller.domain.evidence import GateEvidence
from controller.domain.rules import SERVABLE
from controller.evidence.scored import Scored, Side, all_evidence
from workers.jobs import Job

SCORED = "scored.parquet"
FORMAT = 1


def judge(job: Job, folder: Path) -> Mapping[str, Any]:
    """``details`` of the job: ``rows`` (the holdout's file), ``baseline``, and ``sides`` by role as they answered."""
    rows = pq.read_table(str(job.details["rows"]))
    sides = {role: _read_side(held) for role, held in dict(job.details["sides"]).items()}
    scored = _scored(job, rows, sides)
    evidence = (_servable(sides["challenger"]), *all_evidence(scored, job.spec.gates))
    path = folder / SCORED
    pq.write_table(_table(job, rows, sides), path)
    return {
        "evidence": to_plain(evidence),
        "metrics": {role: _metrics(scored, side) for role, side in sides.items()},
        "predictions": str(path),
    }


def _servable(challenger: Side) -> GateEvidence:
    """The gate that is always on: loaded in a fresh process, answered for every row of the holdout."""
    return GateEvidence(
        gate=SERVABLE,
        metric=SERVABLE,
        method="load",
        challenger=0.0 if challenger.problem else 1.0,
        p_pass=1.0 if challenger.problem else 0.0,
        problem=challenger.problem or None,
    )


def _read_side(held: Mapping[str, Any]) -> Side:
    if held.get("problem"):
        return Side(name=str(held["name"]), problem=str(held["problem"]))
    answers = pq.read_table(str(held["predictions"]))
    columns = [name for name in answers.column_names if name[:1] == "p" and name[1:].isdigit()]
    matrix = np.column_stack([_numpy(answers[name]) for name in columns]) if columns else None
    classes = held.get("classes")
    return Side(
        name=str(held["name"]),
        values=_numpy(answers["prediction"]),
        probabilities=matrix,
        classes=tuple(classes) if classes is not None else None,
        measured=dict(held["measured"]),
    )


def _scored(job: Job, rows: pa.Table, sides: Mapping[str, Side]) -> Scored:
    data = job.spec.data
    by = dict.fromkeys(name for gate in job.spec.gates if gate.slices for name in gate.slices.by)
    return Scored(
        run=job.run,
        y=_numpy(rows[data.target]),
        sides=sides,
        baseline=dict(job.details["baseline"]),
        time=_times(rows[data.time]) if data.time else None,
        groups={name: _numpy(rows[name]) for name in by if name in rows.column_names},
    )


def _times(column: pa.ChunkedArray) -> Any:
    """Times as numpy reads them: without a zone, in UTC."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz))
    elif pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _numpy(column: pa.ChunkedArray) -> Any:
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _table(job: Job, rows: pa.Table, sides: Mapping[str, Side]) -> pa.Table:
    """Key, time, label, what each version answered, and the columns that gates slice by: all that evidence needs."""
    data = job.spec.data
    columns: dict[str, Any] = {}
    if data.key:
        columns["key"] = rows[data.key]
    if data.time:
        columns["time"] = rows[data.time]
    columns["y"] = rows[data.target]
    for role, side in sides.items():
        if side.values is not None:
            columns[role] = pa.array(
                side.values.tolist() if side.values.dtype == object else side.values
            )
        if side.probabilities is not None:
            for index in range(side.probabilities.shape[1]):
                columns[f"{role}_p{index}"] = pa.array(side.probabilities[:, index])
    for gate in job.spec.gates:
        for name in gate.slices.by if gate.slices else ():
            if name in rows.column_names:
                columns[f"slice_{name}"] = rows[name]
    facts = {
        "format": FORMAT,
        "run": job.run,
        "baseline": job.details["baseline"],
        "sides": {
            role: {
                "name": side.name,
                "problem": side.problem,
                "classes": side.classes,
                "measured": side.measured,
            }
            for role, side in sides.items()
        },
    }
    return pa.table(columns).replace_schema_metadata({"incumbent": json.dumps(to_plain(facts))})


# --- metrics, by scikit-learn ---------------------------------------------------------------------------------


def _metrics(scored: Scored, side: Side) -> dict[str, float]:
    """The usual metrics of the task, and what was measured; what cannot be computed is left out."""
    if side.problem or side.values is None:
        return {}
    from sklearn import metrics as sk

    y, p = scored.y, side.values
    found: dict[str, Callable[[], float]] = {}
    if y.dtype.kind == "f" or (y.dtype.kind in "iu" and p.dtype.kind == "f"):
        found = {
            "mae": lambda: sk.mean_absolute_error(y, p),
            "rmse": lambda: sk.root_mean_squared_error(y, p),
            "r2": lambda: sk.r2_score(y, p),
        }
    else:
        found = {
            "accuracy": lambda: sk.accuracy_score(y, p),
            "f1_macro": lambda: sk.f1_score(y, p, average="macro"),
        }
    if side.probabilities is not None and side.classes is not None:
        classes, matrix = list(side.classes), side.probabilities
        found["log_loss"] = lambda: sk.log_loss(y, matrix, labels=classes)
        if len(classes) == 2:
            found["roc_auc"] = lambda: sk.roc_auc_score(y == classes[1], matrix[:, 1])
    values = dict(side.measured)
    for name, compute in found.items():
        with contextlib.suppress(ValueError, TypeError):
            values[name] = float(compute())
    return {name: value for name, value in values.items() if math.isfinite(value)}
