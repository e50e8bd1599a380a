"""Training in any other language: a command, told by its environment, that leaves files behind."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.domain.canonical import to_plain
from workers.contract import EventPipe, last_metrics
from workers.failure import Failure
from workers.jobs import Job
from workers.models import store_saved

if TYPE_CHECKING:
    from workers.searching import Fitted, Parts
    from workers.snapshot import Split

_MOST_METRICS = 1 << 20
"""Bytes of metrics.json."""
STORED = "model.stored"
"""The file in the run folder that becomes the version's artifact."""


def command_environment(
    job: Job, folder: Path, task: str, params: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """What ``command:`` finds in its environment, for both tasks."""
    spec = job.spec
    return {
        **os.environ,
        "INCUMBENT_TASK": task,
        "INCUMBENT_RUN": job.run,
        "INCUMBENT_RUN_DIR": str(folder),
        "INCUMBENT_PARAMS": json.dumps(to_plain(spec.params if params is None else params)),
        "INCUMBENT_SEED": str(spec.seed),
        "INCUMBENT_TARGET": spec.data.target,
        "INCUMBENT_TIME": spec.data.time or "",
        "INCUMBENT_KEY": spec.data.key or "",
    }


def run_user_command(
    command: tuple[str, ...], environment: Mapping[str, str], code: str, what: str
) -> None:
    """Run a user's command to its end; a Failure says how it failed."""
    sys.stdout.flush()
    try:
        done = subprocess.run(command, env=dict(environment), cwd=code, check=False)
    except FileNotFoundError:
        raise Failure(f"{what}: the command {command[0]} is not there, seen from {code}.") from None
    except PermissionError:
        raise Failure(f"{what}: the command {command[0]} is not executable.") from None
    if done.returncode < 0:
        raise Failure(f"{what}: the command was killed by signal {-done.returncode}.")
    if done.returncode:
        raise Failure(f"{what}: the command {command[0]} ended with exit code {done.returncode}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingTask:
    """One training at work: its job, its folder, the rows, and the pipe to the worker."""

    job: Job
    folder: Path
    split: Split
    events: EventPipe


def train_by_command(task: TrainingTask, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run the command on all training rows; it must leave a model in the run folder."""
    import pyarrow.parquet as pq

    job, folder = task.job, task.folder
    data = folder / "data.parquet"
    pq.write_table(task.split.training, data)
    environment = command_environment(job, folder, "train", params) | {
        "INCUMBENT_DATA": str(data),
        "INCUMBENT_FEATURES": json.dumps(list(task.split.features)),
    }
    command = job.spec.command or ()
    task.events.send(phase="training")
    run_user_command(command, environment, job.code, "training")
    saved = _found_model(folder)
    metrics = _found_metrics(folder, task.events)
    stored = folder / STORED
    return {
        "stored": str(stored),
        "format": store_saved(saved, stored),
        "frame": "parquet",
        "metrics": metrics,
        "artifacts": {},
        "source": _command_source(command, Path(job.code)),
    }


def trial_of_command(
    task: TrainingTask, params: Mapping[str, Any], parts: Parts, number: int
) -> Fitted:
    """One trial of a command, which is given the validation rows as well and reports the metric on them."""
    import pyarrow.parquet as pq

    from workers.searching import Fitted

    job, place = task.job, task.folder / f"trial-{number}"
    place.mkdir()
    data, validation = place / "data.parquet", place / "validation.parquet"
    pq.write_table(parts.fit.training, data)
    pq.write_table(parts.validation, validation)
    environment = command_environment(job, place, "train", params) | {
        "INCUMBENT_DATA": str(data),
        "INCUMBENT_VALIDATION": str(validation),
        "INCUMBENT_FEATURES": json.dumps(list(parts.fit.features)),
    }
    run_user_command(job.spec.command or (), environment, job.code, "training")
    return Fitted(metrics=_found_metrics(place, EventPipe(None)))


def _found_model(folder: Path) -> Path:
    if (folder / "model").is_dir():
        return folder / "model"
    found = sorted(folder.glob("model.*"))
    if not found:
        raise Failure(
            "returned no model: the command left neither a folder model/ nor a file model.* in its run folder."
        )
    return found[0]


def _found_metrics(folder: Path, events: EventPipe) -> dict[str, float]:
    file = folder / "metrics.json"
    try:
        if file.stat().st_size > _MOST_METRICS:
            raise Failure(f"metrics.json has more than {_MOST_METRICS:,} bytes.")
        held = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise Failure(f"metrics.json cannot be read: {error}.") from error
    if not isinstance(held, dict):
        raise Failure("metrics.json must hold one object of names and numbers.")
    metrics: dict[str, tuple[float, int]] = {}
    for name, value in held.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Failure(f"metrics.json: {name} is {value!r}, not a number.")
        metrics[name] = (float(value), 0)
        events.send(metric=name, value=value if math.isfinite(value) else str(value), step=0)
    return last_metrics(metrics)


def _command_source(command: tuple[str, ...], code: Path) -> dict[str, Any]:
    """The first word of the command that is a file of the user's."""
    for word in command:
        path = code / word
        if path.is_file() and path.is_relative_to(code):
            return {"file": str(path), "digest": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {}
