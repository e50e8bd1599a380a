"""What a worker writes into a run's folder for its child, and how the child answers: JSON files, nothing live."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from controller.domain.canonical import to_plain
from controller.domain.codec import load_value
from controller.domain.errors import IntegrityError
from controller.domain.runs import RunSpec
from controller.ports import Batch

MOST_ANSWER = 64 << 20
"""Bytes of what a child answers; user code runs in the child, and may write anything there."""
Task = Literal["train", "prepare", "predict", "judge", "profile", "since", "decay", "skew"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A version that is asked for predictions: ``role`` is challenger, champion or anchor.

    ``lineage`` is the stored document of its training; ``model`` the file that its artifact was copied to.
    """

    role: str
    version: int
    digest: str
    size: int
    model: str
    lineage: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One step of a run, for one child process. ``code`` is the folder that entry points are imported from."""

    task: Task
    run: str
    attempt: int
    ordered_at: datetime
    spec: RunSpec
    batches: tuple[Batch, ...]
    code: str
    candidates: tuple[Candidate, ...] = ()
    role: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def write_job(folder: Path, job: Job) -> None:
    """Into ``job.json``."""
    _write(folder / "job.json", to_plain(job))


def read_job(folder: Path) -> Job:
    """From ``job.json``."""
    return load_value(Job, (folder / "job.json").read_bytes())


def warm() -> None:
    """Build the reader of jobs now: it takes a tenth of a second, which no child should spend."""
    with contextlib.suppress(IntegrityError):
        load_value(Job, b"{}")


def write_answer(folder: Path, answer: Mapping[str, Any]) -> None:
    """Into ``answer.json``, whole or not at all."""
    _write(folder / "answer.json", answer)


def read_answer(folder: Path) -> Mapping[str, Any] | None:
    """From ``answer.json``; None if the child wrote none, or nothing that can be read."""
    file = folder / "answer.json"
    try:
        if file.stat().st_size > MOST_ANSWER:
            return None
        answer = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _write(path: Path, value: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, allow_nan=False))
    partial.replace(path)
