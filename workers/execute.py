"""The life of a run on a worker: claim it, do it under its lease, report how it ended."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.crashpoints import reach
from controller.domain.errors import IncumbentError, StorageFull, Unavailable
from controller.domain.redact import redact
from controller.domain.runs import RUN_FORMAT, Run, RunKind, RunState
from controller.ports import RunEnd
from workers.evaluating import evaluate_run, verify_run
from workers.failure import Failure
from workers.observing import decay_run, skew_run
from workers.profiling import profile_run
from workers.reporting import Reporter, report_end
from workers.steps import Interrupted, RunSteps, Workplace
from workers.supervise import StopReason
from workers.tracing import RunTrace
from workers.training import lineage_of, store_lineage, train_run

log = logging.getLogger(__name__)


def execute(
    place: Workplace, run_id: str, fence: int, trace: RunTrace | None = None
) -> RunState | None:
    """Answer a doorbell. None: the run was not to be had, or is no longer ours."""
    reach("ring-heard")
    claimed = time.monotonic()
    lease = timedelta(seconds=place.settings.lease)
    with place.store.begin() as tx:
        run = tx.runs.claim(run_id, fence, worker=place.settings.name, lease=lease)
        if run is not None and run.format > RUN_FORMAT:
            # Raised inside, so that the claim is taken back: the run waits for a worker that can read it.
            raise Unavailable(
                f"Its order has format {run.format}, and this worker reads up to {RUN_FORMAT}.",
                hint="A worker of the newer version does it.",
            )
    if run is None:
        log.info("nothing to claim", extra={"action": "claim", "run": run_id, "fence": fence})
        return None
    began = datetime.now(UTC)
    reach("run-claimed")
    with Reporter(place.store, run, place.settings, claimed, place.drain) as reporter:
        end = _perform(place, run, reporter, claimed)
        if trace is not None:
            trace.tell(run, began, end)
        if end is None:
            log.warning("lost the run", extra={"action": "lost", "run": run.id, "fence": run.fence})
            return None
        counted = report_end(place.store, run, end, reporter)
    if not counted:
        log.warning(
            "late result ignored", extra={"action": "fenced", "run": run.id, "fence": run.fence}
        )
        return None
    log.info(
        "run ended", extra={"action": f"run_{end.state.value}", "model": run.model, "run": run.id}
    )
    return end.state


def _perform(place: Workplace, run: Run, reporter: Reporter, claimed: float) -> RunEnd | None:
    """The work itself; None if the run was lost meanwhile. Its folder is gone afterwards."""
    folder = place.settings.home / "runs" / f"{run.id}-{run.fence}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with place.store.read() as tx:
            batches = tuple(tx.data.batches(run.spec.model, run.spec.data_through))
        steps = RunSteps(
            place=place,
            run=run,
            folder=folder,
            reporter=reporter,
            batches=batches,
            deadline=claimed + run.spec.timeout.total_seconds(),
            started=claimed,
        )
        return _guarded(steps)
    except OSError as error:
        return RunEnd(state=RunState.FAILED, reason=_unusable(folder, error))
    except Unavailable as error:  # the database, before there was anything to report
        log.warning("%s", error.sentence(), extra={"action": "give_back", "run": run.id})
        reporter.give_back(counts=True)
        return None
    except IncumbentError as error:
        return RunEnd(state=RunState.FAILED, reason=error.sentence().rstrip("."))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _guarded(steps: RunSteps) -> RunEnd | None:
    try:
        return STEPS[steps.run.spec.kind](steps)
    except Interrupted as interrupted:
        return _interrupted(steps, interrupted.why)
    except Failure as failure:
        return _ended(steps, RunState.FAILED, str(failure).rstrip("."))
    except IncumbentError as error:
        if _worth_another_try(steps, error):
            log.warning("%s", error.sentence(), extra={"action": "give_back", "run": steps.run.id})
            steps.reporter.give_back(counts=True)
            return None
        return _ended(steps, RunState.FAILED, error.sentence().rstrip("."))
    except OSError as error:
        return _ended(steps, RunState.FAILED, _unusable(steps.folder, error))
    except Exception as error:  # a mistake of ours must end the run in words too
        log.exception("the worker made a mistake", extra={"action": "perform", "run": steps.run.id})
        return _ended(
            steps, RunState.FAILED, f"the worker itself failed with {type(error).__name__}: {error}"
        )


def _interrupted(steps: RunSteps, why: StopReason) -> RunEnd | None:
    if why is StopReason.LOST:
        return None
    if why is StopReason.DRAIN:
        steps.reporter.give_back(counts=False)
        return None
    asked = steps.run.reason or _cancel_reason(steps)
    return _ended(steps, RunState.CANCELLED, f"was cancelled{': ' + asked if asked else ''}")


def _worth_another_try(steps: RunSteps, error: IncumbentError) -> bool:
    """Something of ours does not answer: not the training's fault, as long as the run has a try left."""
    ours = isinstance(error, Unavailable) and not isinstance(error, StorageFull)
    return ours and steps.run.tries <= steps.run.spec.retries


def _unusable(folder: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full: no room for the run's files in {folder}"
    return f"the worker could not use {folder}: {error.strerror or error}"


STEPS: Mapping[RunKind, Callable[[RunSteps], RunEnd]] = {
    RunKind.TRAIN: train_run,
    RunKind.EVALUATE: evaluate_run,
    RunKind.VERIFY: verify_run,
    RunKind.PROFILE: profile_run,
    RunKind.DECAY: decay_run,
    RunKind.SKEW: skew_run,
}
"""What a worker does for each kind of run."""


def _cancel_reason(steps: RunSteps) -> str:
    try:
        with steps.place.store.read() as tx:
            held = tx.runs.get(steps.run.id)
    except IncumbentError:
        return ""
    return held.reason if held else ""


def _ended(steps: RunSteps, state: RunState, reason: str) -> RunEnd:
    """A bad end still tells what ran and what it printed, if there is room to store that."""
    reason = redact(reason)
    try:
        used = steps.used()
        result = used | {
            "lineage": store_lineage(steps, lineage_of(steps) | used | {"reason": reason})
        }
    except IncumbentError as error:
        log.warning(
            "no lineage", extra={"action": "lineage", "run": steps.run.id, "why": str(error)}
        )
        result = {}
    return RunEnd(state=state, reason=reason, result=result)
