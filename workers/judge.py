"""The last step of an evaluation: metrics and evidence from the predictions, and the one file that holds them all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from controller.adapters.plugins import Plugin, PluginGroup, find_plugin
from controller.domain.canonical import to_plain
from controller.domain.errors import ConfigurationError
from controller.domain.metrics import Direction, Metric, MetricKind, PredictionType, find_metric
from controller.evidence.panel import panel
from controller.evidence.scored import OwnMetric, Scored, ScoredSide
from controller.evidence.stored import evidence_from, read_scored, write_scored
from workers.jobs import Job
from workers.plugins import load_plugin

SCORED = "scored.parquet"


def judge_sides(job: Job, folder: Path) -> Mapping[str, Any]:
    """``details`` of the job: ``rows`` (the holdout's file), ``baseline``, and ``sides`` by role as they answered."""
    rows = pq.read_table(str(job.details["rows"]))
    sides = {role: read_side(held) for role, held in dict(job.details["sides"]).items()}
    path = folder / SCORED
    facts = (job.run, sides, dict(job.details["baseline"]))
    write_scored(path, _rows(job, rows), _groups(job, rows), facts)
    scored = replace(read_scored(path.read_bytes()), own=_own_metrics(job))
    return {
        "evidence": to_plain(evidence_from(scored, job.spec.gates)),
        "metrics": {role: _metrics(scored, side) for role, side in scored.sides.items()},
        "panel": panel(scored),
        "predictions": str(path),
    }


def _own_metrics(job: Job) -> dict[str, OwnMetric]:
    """The metrics of the gates that a package of the team brings, loaded here, in the child of the run."""
    names = {gate.metric for gate in job.spec.gates if find_metric(gate.metric) is None}
    plugins = [find_plugin(PluginGroup.METRICS, name) for name in sorted(names)]
    return {plugin.name: _own_metric(plugin) for plugin in plugins if plugin is not None}


def _own_metric(plugin: Plugin) -> OwnMetric:
    facts = plugin.facts
    metric = Metric(
        name=plugin.name,
        direction=Direction.LOWER if facts.get("lower_is_better", True) else Direction.HIGHER,
        kinds=frozenset({MetricKind.REGRESSION}),
        prediction=PredictionType.VALUE,
        mean_of_losses=True,
        title=plugin.title,
        given=True,
    )
    try:
        return OwnMetric(metric=metric, package=plugin.package, loss=load_plugin(plugin).loss)
    except ConfigurationError as error:
        problem = error.message.rstrip(".")
        return OwnMetric(metric=metric, package=plugin.package, problem=problem)


def _rows(job: Job, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    data = job.spec.data
    columns = {"key": data.key, "time": data.time, "y": data.target}
    return {name: rows[column] for name, column in columns.items() if column}


def _groups(job: Job, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    by = dict.fromkeys(name for gate in job.spec.gates if gate.slices for name in gate.slices.by)
    return {name: rows[name] for name in by if name in rows.column_names}


def read_side(held: Mapping[str, Any]) -> ScoredSide:
    """One version's answers as the step ``predict`` left them."""
    if held.get("problem"):
        return ScoredSide(name=str(held["name"]), problem=str(held["problem"]))
    answers = pq.read_table(str(held["predictions"]))
    columns = [name for name in answers.column_names if name[:1] == "p" and name[1:].isdigit()]
    matrix = np.column_stack([numbers_of(answers[name]) for name in columns]) if columns else None
    classes = held.get("classes")
    return ScoredSide(
        name=str(held["name"]),
        values=numbers_of(answers["prediction"]),
        probabilities=matrix,
        classes=tuple(classes) if classes is not None else None,
        measured=dict(held["measured"]),
    )


def numbers_of(column: pa.ChunkedArray) -> Any:
    """A column as numpy has it, (rows,)."""
    return column.combine_chunks().to_numpy(zero_copy_only=False)


# --- metrics, by scikit-learn ---------------------------------------------------------------------------------


def _metrics(scored: Scored, side: ScoredSide) -> dict[str, float]:
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
