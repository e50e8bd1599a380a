"""The training step, in the user's process: data in, the user's function or command, a model file out."""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.domain.canonical import to_plain
from workers.commands import STORED, TrainingTask, train_by_command, trial_of_command
from workers.contract import EventPipe, TrainingRun, last_metrics
from workers.failure import FULL, Failure, described
from workers.jobs import Job
from workers.models import PICKLED, find_function, store_object, store_saved
from workers.seeding import seed_chance
from workers.snapshot import Request, load_split

if TYPE_CHECKING:
    from workers.searching import Fit, Fitted, Found, Parts


def train(job: Job, folder: Path) -> Mapping[str, Any]:
    """Returns where the model lies, its format, the last metrics, and what the lineage needs to know."""
    events = EventPipe.from_environment()
    events.send(phase="reading data")
    split = load_split(_request(job, folder))
    task = TrainingTask(job=job, folder=folder, split=split, events=events)
    if job.spec.command:
        found = _searched(task, partial(trial_of_command, task))
        outcome = train_by_command(task, found.params if found else job.spec.params)
    else:
        function = find_function(job.spec.entrypoint or "", Path(job.code))
        found = _searched(task, partial(_trial_of_function, task, function))
        outcome = _by_function(task, function, found.params if found else job.spec.params)
    return outcome | {
        **({"params": dict(found.params), "search": to_plain(found)} if found else {}),
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


def _by_function(
    task: TrainingTask, function: Callable[..., Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    job, folder, events = task.job, task.folder, task.events
    code = Path(job.code)
    source = _source(function)
    run = TrainingRun(task.split, _order(job, params), folder, events)
    events.send(phase="training")
    model = _call(function, run)
    events.send(phase="storing the model")
    stored = folder / STORED
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
        "metrics": last_metrics(run.metrics),
        "artifacts": run.artifacts,
        "source": source,
    }


def _searched(task: TrainingTask, fit: Fit) -> Found | None:
    """The best parameters, if the recipe searches; chance begins anew afterwards, as if these had been given."""
    spec = task.job.spec
    if spec.search is None:
        return None
    from workers.searching import Order, search_parameters

    order = Order(search=spec.search, params=spec.params, seed=spec.seed, data=spec.data)
    found = search_parameters(order, task.split, fit, task.events)
    seed_chance(spec.seed)
    return found


def _trial_of_function(
    task: TrainingTask,
    function: Callable[..., Any],
    params: Mapping[str, Any],
    parts: Parts,
    number: int,
) -> Fitted:
    """One trial, muted: what it logs is about a part of the rows."""
    from workers.searching import Fitted

    place = task.folder / f"trial-{number}"
    place.mkdir()
    run = TrainingRun(parts.fit, _order(task.job, params), place, EventPipe(None))
    model = _call(function, run)
    return Fitted(metrics=last_metrics(run.metrics), model=model, form=run.data.form)


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
        raise Failure(f"training raised {described(error)}") from None
    except SystemExit as error:
        raise Failure(
            f"training ended the process with sys.exit({error.code!r}) instead of returning a model."
        ) from None
    except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt of user code is an end of the run as well
        traceback.print_exc()
        raise Failure(f"training raised {described(error)}") from None


def _no_model(returned: Any) -> str:
    what = "None" if returned is None else f"a {type(returned).__name__}, which has no predict"
    return (
        f"returned no model: train(run) returned {what}, and run.save_model(path) was not called."
    )


def _order(job: Job, params: Mapping[str, Any]) -> dict[str, Any]:
    spec = job.spec
    return {
        "run": job.run,
        "model": spec.model,
        "target": spec.data.target,
        "time": spec.data.time,
        "key": spec.data.key,
        "params": params,
        "seed": spec.seed,
        "search": to_plain(spec.search),
    }


def _source(function: Callable[..., Any]) -> dict[str, Any]:
    """File and digest of the entry point, and of every module of the user's that it brought along."""
    file = inspect.getsourcefile(function)
    if not file:
        return {}
    return {"file": file, "digest": hashlib.sha256(Path(file).read_bytes()).hexdigest()}
