"""The training step, in the user's process: data in, the user's function or command, a model file out."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from controller.domain.canonical import to_plain
from workers.contract import Events, TrainingRun
from workers.failure import FULL, Failure
from workers.jobs import Job
from workers.models import PICKLED, find_function, store_object, store_saved
from workers.snapshot import Request, Split, load_split

_STORED = "model.stored"


def train(job: Job, folder: Path) -> Mapping[str, Any]:
    """Returns where the model lies, its format, the last metrics, and what the lineage needs to know."""
    events = Events.from_environment()
    events.send(phase="reading data")
    split = load_split(_request(job, folder))
    by = _by_command if job.spec.command else _by_function
    outcome = by(job, folder, split, events)
    return outcome | {
        "features": list(split.features),
        "schema": dict(split.schema),
        "counts": dict(split.counts),
        "boundary": to_plain(split.boundary),
    }


def _request(job: Job, folder: Path) -> Request:
    return Request(
        data=job.spec.data,
        batches=job.batches,
        as_of=job.ordered_at,
        folder=folder / "fetched",
        window=job.spec.window.total_seconds() if job.spec.window else None,
    )


def _by_function(job: Job, folder: Path, split: Split, events: Events) -> dict[str, Any]:
    code = Path(job.code)
    function = find_function(job.spec.entrypoint or "", code)
    source = _source(function)
    run = TrainingRun(split, _order(job), folder, events)
    events.send(phase="training")
    model = _call(function, run)
    events.send(phase="storing the model")
    stored = folder / _STORED
    try:
        if run.saved:
            kind = store_saved(run.saved, stored)
        elif callable(getattr(model, "predict", None)):
            kind = PICKLED
            store_object(model, stored, code)
        else:
            raise Failure(_no_model(model))
    except OSError as error:
        if error.errno in FULL:
            raise Failure(f"the disk is full: no room to write the model in {folder}.") from error
        raise
    return {
        "stored": str(stored),
        "format": kind,
        "frame": run.data.form,
        "metrics": _last_metrics(run.metrics),
        "artifacts": run.artifacts,
        "source": source,
    }


def _call(function: Callable[..., Any], run: TrainingRun) -> Any:
    """The user's function; what it raises becomes a sentence, and the traceback goes to the output."""
    try:
        return function(run)
    except (Failure, MemoryError):
        raise
    except OSError as error:
        traceback.print_exc()
        if error.errno in FULL:
            raise Failure(
                f"the disk is full: training could not write {error.filename or 'its files'}."
            ) from None
        raise Failure(f"training raised {_described(error)}") from None
    except SystemExit as error:
        raise Failure(
            f"training ended the process with sys.exit({error.code!r}) instead of returning a model."
        ) from None
    except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt of user code is an end of the run as well
        traceback.print_exc()
        raise Failure(f"training raised {_described(error)}") from None


def _described(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _no_model(returned: Any) -> str:
    what = "None" if returned is None else f"a {type(returned).__name__}, which has no predict"
    return (
        f"returned no model: train(run) returned {what}, and run.save_model(path) was not called."
    )


def _last_metrics(metrics: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    for name, (value, step) in metrics.items():
        if not math.isfinite(value):
            raise Failure(
                f"metric {name} is {value} at its last step ({step}): the training diverged or had no data for it."
            )
    return {name: value for name, (value, _) in metrics.items()}


def _order(job: Job) -> dict[str, Any]:
    spec = job.spec
    return {
        "run": job.run,
        "model": spec.model,
        "target": spec.data.target,
        "time": spec.data.time,
        "key": spec.data.key,
        "params": spec.params,
        "seed": spec.seed,
        "search": to_plain(spec.search),
    }


def _source(function: Callable[..., Any]) -> dict[str, Any]:
    """File and digest of the entry point, and of every module of the user's that it brought along."""
    file = inspect.getsourcefile(function)
    if not file:
        return {}
    return {"file": file, "digest": hashlib.sha256(Path(file).read_bytes()).hexdigest()}


# --- any other language -----------------------------------------------------------------------------------------


def command_environment(job: Job, folder: Path, task: str) -> dict[str, str]:
    """What ``command:`` finds in its environment, for both tasks."""
    spec = job.spec
    return {
        **os.environ,
        "INCUMBENT_TASK": task,
        "INCUMBENT_RUN": job.run,
        "INCUMBENT_RUN_DIR": str(folder),
        "INCUMBENT_PARAMS": json.dumps(to_plain(spec.params)),
        "INCUMBENT_SEED": str(spec.seed),
        "INCUMBENT_TARGET": spec.data.target,
        "INCUMBENT_TIME": spec.data.time or "",
        "INCUMBENT_KEY": spec.data.key or "",
    }


def run_command(
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


def _by_command(job: Job, folder: Path, split: Split, events: Events) -> dict[str, Any]:
    import pyarrow.parquet as pq

    data = folder / "data.parquet"
    pq.write_table(split.training, data)
    environment = command_environment(job, folder, "train") | {
        "INCUMBENT_DATA": str(data),
        "INCUMBENT_FEATURES": json.dumps(list(split.features)),
    }
    command = job.spec.command or ()
    events.send(phase="training")
    run_command(command, environment, job.code, "training")
    saved = _found_model(folder)
    metrics = _found_metrics(folder, events)
    stored = folder / _STORED
    return {
        "stored": str(stored),
        "format": store_saved(saved, stored),
        "frame": "parquet",
        "metrics": metrics,
        "artifacts": {},
        "source": _command_source(command, Path(job.code)),
    }


def _found_model(folder: Path) -> Path:
    if (folder / "model").is_dir():
        return folder / "model"
    found = sorted(folder.glob("model.*"))
    if not found:
        raise Failure(
            "returned no model: the command left neither a folder model/ nor a file model.* in its run folder."
        )
    return found[0]


def _found_metrics(folder: Path, events: Events) -> dict[str, float]:
    try:
        held = json.loads((folder / "metrics.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Failure(f"metrics.json cannot be read: {error}.") from error
    if not isinstance(held, dict):
        raise Failure("metrics.json must hold one object of names and numbers.")
    metrics: dict[str, tuple[float, int]] = {}
    for name, value in held.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Failure(f"metrics.json: {name} is {value!r}, not a number.")
        metrics[name] = (float(value), 0)
        events.send(metric=name, value=value if math.isfinite(value) else str(value), step=0)
    return _last_metrics(metrics)


def _command_source(command: tuple[str, ...], code: Path) -> dict[str, Any]:
    """The first word of the command that is a file of the user's."""
    for word in command:
        path = code / word
        if path.is_file() and path.is_relative_to(code):
            return {"file": str(path), "digest": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {}
