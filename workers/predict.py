"""A version answers for the holdout rows, in a fresh process of its own: loading it is part of the proof."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workers.commands import command_environment, run_user_command
from workers.contract import to_form
from workers.failure import Failure, described
from workers.jobs import Candidate, Job
from workers.models import load_model, unpacked

PREDICTIONS = "predictions.parquet"
_SINGLES = 100
_SINGLES_SECONDS = 0.5


def predict(job: Job, folder: Path) -> Mapping[str, Any]:
    """Writes one prediction a row (and probabilities, if they are wanted); returns latencies and classes."""
    candidate = next(c for c in job.candidates if c.role == job.role)
    rows = pq.read_table(str(job.details["rows"]))
    features = _features(candidate, job, rows.schema)
    if candidate.lineage.get("command"):
        return _by_command(candidate, job, folder, rows.select(features))
    model = _loaded(candidate, Path(job.code))
    form = str(candidate.lineage.get("model", {}).get("frame", "pandas"))
    frame = to_form(rows.select(features), form)
    wanted = bool(job.details["probabilities"])
    if job.details.get("optional"):
        wanted = callable(getattr(model, "predict_proba", None))
    table, classes = _answers(model, frame, rows.num_rows, probabilities=wanted)
    pq.write_table(table, folder / PREDICTIONS)
    singles = _single_rows(rows.select(features), form, model.predict)
    return {
        "predictions": str(folder / PREDICTIONS),
        "classes": classes,
        "latency_ms": singles,
    }


def _features(candidate: Candidate, job: Job, schema: pa.Schema) -> list[str]:
    """The columns that this version was trained on; Failure if serving no longer has them as they were."""
    trained = list(candidate.lineage.get("features") or job.details["features"])
    before: Mapping[str, str] = candidate.lineage.get("schema") or {}
    gone = [name for name in trained if name not in schema.names]
    if gone:
        raise Failure(f"it was trained on column {gone[0]}, which the newest data no longer has")
    for name in trained:
        now = str(schema.field(name).type)
        if name in before and not _fits(before[name], now):
            raise Failure(f"it was trained on column {name} as {before[name]}, which is {now} now")
    return trained


_NUMBERS = ("int", "uint", "float", "double", "halffloat")


def _fits(before: str, now: str) -> bool:
    """Whether a model takes the type: the same, or another width or kind of number, or text."""
    if before == now:
        return True
    if before.startswith(_NUMBERS) and now.startswith(_NUMBERS):
        return True
    texts = ("string", "large_string", "dictionary")
    return before.startswith(texts) and now.startswith(texts)


def _loaded(candidate: Candidate, code: Path) -> Any:
    try:
        model = load_model(Path(candidate.model), candidate.lineage, code)
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        traceback.print_exc()
        raise Failure(f"it cannot be loaded in a fresh process: {described(error)}") from None
    if not callable(getattr(model, "predict", None)):
        raise Failure(f"what was loaded is a {type(model).__name__}, which has no predict")
    return model


def _answers(
    model: Any, frame: Any, rows: int, *, probabilities: bool
) -> tuple[pa.Table, list[Any] | None]:
    columns = {"prediction": _column(_asked(model.predict, frame), rows)}
    classes = None
    if probabilities:
        ask = getattr(model, "predict_proba", None)
        if ask is None:
            raise Failure("a gate needs probabilities, and the model has no predict_proba")
        matrix = np.asarray(_asked(ask, frame), dtype=np.float64)
        if matrix.ndim == 1:
            matrix = np.column_stack([1.0 - matrix, matrix])
        if matrix.shape[0] != rows:
            raise Failure(f"predict_proba gave {matrix.shape[0]:,} answers for {rows:,} rows")
        columns |= {f"p{index}": pa.array(matrix[:, index]) for index in range(matrix.shape[1])}
        known = getattr(model, "classes_", None)
        classes = None if known is None else np.asarray(known).tolist()
    return pa.table(columns), classes


def _asked(ask: Callable[[Any], Any], frame: Any) -> Any:
    try:
        return ask(frame)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        traceback.print_exc()
        raise Failure(f"predict raised {described(error)}") from None


def _column(answers: Any, rows: int) -> pa.Array:
    """One value a row, whatever kind of array the model gave."""
    if isinstance(answers, (pa.Array, pa.ChunkedArray)):
        column = answers.combine_chunks() if isinstance(answers, pa.ChunkedArray) else answers
        shape: tuple[int, ...] = (len(column),)
    else:
        array = np.asarray(answers)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        shape, column = array.shape, None
        if array.ndim == 1 and array.shape[0] == rows:
            try:
                column = pa.array(array.tolist() if array.dtype == object else array)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise Failure(f"predict gave values that are no column: {error}") from None
    if shape != (rows,) or column is None:
        raise Failure(
            f"predict gave an array of the shape {shape} for {rows:,} rows; one value a row is needed"
        )
    return column


def _single_rows(rows: pa.Table, form: str, ask: Callable[[Any], Any]) -> dict[str, float]:
    """Milliseconds of predictions of one row each, as a caller that serves would see them."""
    took: list[float] = []
    until = time.perf_counter() + _SINGLES_SECONDS
    for index in range(min(_SINGLES, rows.num_rows)):
        frame = to_form(rows.slice(index, 1), form)
        began = time.perf_counter()
        ask(frame)
        ended = time.perf_counter()
        took.append((ended - began) * 1e3)
        if ended > until:
            break
    warm = took[1:] if len(took) > 1 else took
    return {"mean": float(np.mean(warm)), "samples": float(len(warm))} | {
        f"p{level}": float(np.percentile(warm, level)) for level in (50, 75, 90, 95, 99)
    }


def _by_command(candidate: Candidate, job: Job, folder: Path, rows: pa.Table) -> Mapping[str, Any]:
    """Any other language: the same command, with ``INCUMBENT_TASK=predict``."""
    model = Path(candidate.model)
    if candidate.lineage.get("model", {}).get("format") == "folder":
        model = unpacked(model)
    features, target = folder / "features.parquet", folder / "answers.parquet"
    pq.write_table(rows, features)
    environment = command_environment(job, folder, "predict") | {
        "INCUMBENT_PARAMS": json.dumps(candidate.lineage.get("params") or {}),
        "INCUMBENT_MODEL": str(model),
        "INCUMBENT_FEATURES": str(features),
        "INCUMBENT_PREDICTIONS": str(target),
    }
    began = time.perf_counter()
    run_user_command(tuple(candidate.lineage["command"]), environment, job.code, "predicting")
    each = (time.perf_counter() - began) * 1e3 / max(1, rows.num_rows)
    try:
        answers = pq.read_table(target)
    except (OSError, pa.ArrowInvalid) as error:
        raise Failure(f"the command left no readable {target.name}: {error}") from None
    if "prediction" not in answers.column_names:
        raise Failure(
            f"{target.name} has no column prediction; it has {', '.join(answers.column_names)}"
        )
    _column(answers["prediction"], rows.num_rows)
    pq.write_table(answers, folder / PREDICTIONS)
    spread = dict.fromkeys(("mean", "p50", "p75", "p90", "p95", "p99"), each)
    return {
        "predictions": str(folder / PREDICTIONS),
        "classes": None,
        "latency_ms": spread | {"samples": 1.0},
    }
