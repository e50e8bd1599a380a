"""The user's process: ``python -m workers.child RUN_DIR``, or forked from the zygote. Reads a job, does one step.

Its answer is a file; its exit code says only that there is one. Whatever goes wrong in user code ends in one
sentence, with the traceback in the captured output.
"""

from __future__ import annotations

import os
import resource
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workers.contract import EventPipe
from workers.failure import FULL, Failure
from workers.jobs import Job, read_job, write_answer
from workers.preload import may_be_learned
from workers.seeding import seed_chance


def main(folder: Path) -> int:
    """Do the job in ``folder``; 0 if there is an answer, good or bad."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = _answer(folder)
    except MemoryError:
        answer = {"ok": False, "reason": "ran out of memory"}
    try:
        write_answer(folder, answer)
    except OSError:  # the disk is full, or the folder is gone: the pipe is still there
        EventPipe.from_environment().send(answer=answer)
    return 0


def _answer(folder: Path) -> Mapping[str, Any]:
    job = read_job(folder)
    _prepare_process(job)
    try:
        result = _step(job)(job, folder)
    except Failure as failure:
        cause = failure.__cause__
        if cause and not isinstance(cause, (FileNotFoundError, ImportError)):
            traceback.print_exception(cause)
        return {"ok": False, "reason": str(failure)}
    except OSError as error:
        if error.errno not in FULL:
            raise
        return {
            "ok": False,
            "reason": f"the disk is full: no room to write in {folder}: free some and retry.",
        }
    return {"ok": True, **result, "modules": may_be_learned(sys.modules)}


def _step(job: Job) -> Callable[[Job, Path], Mapping[str, Any]]:
    """The function for the job's task, imported only now: each needs other libraries."""
    if job.task == "train":
        from workers.train import train

        return train
    if job.task == "prepare":
        from workers.prepare import prepare_holdout

        return prepare_holdout
    if job.task == "predict":
        from workers.predict import predict

        return predict
    if job.task == "judge":
        from workers.judge import judge_sides

        return judge_sides
    if job.task == "since":
        from workers.incremental import since

        return since
    if job.task == "decay":
        from workers.decay import decay

        return decay
    if job.task == "skew":
        from workers.skew import skew

        return skew
    if job.task == "profile":
        from workers.evaluate_batches import evaluate_batches

        return evaluate_batches
    raise Failure(
        f"this worker cannot do a run of the kind {job.task}: its version is older than the controller's."
    )


def _prepare_process(job: Job) -> None:
    """The same chance for the same seed, and the user's code importable."""
    seed_chance(job.spec.seed)
    if job.code not in sys.path:
        sys.path.insert(0, job.code)
    os.environ["INCUMBENT_SEED"] = str(job.spec.seed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
