"""One run's steps: each a job for a child process under the run's common limits, with what they used added up."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.domain.durations import format_duration
from controller.domain.redact import redact
from controller.domain.runs import Run
from controller.ports import ArtifactStore, Batch, Store
from workers.draining import Drain
from workers.failure import Failure
from workers.jobs import Job, read_answer, write_job
from workers.launching import Nursery
from workers.reporting import Reporter
from workers.secret_files import VARIABLE
from workers.settings import WorkerSettings, clean_environment
from workers.supervise import Ended, Listeners, ProcessLimits, StopReason, run_child


class Interrupted(Exception):
    """The run must not go on: it was cancelled, or its token is no longer good."""

    def __init__(self, why: StopReason) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """What all runs of a worker process share."""

    settings: WorkerSettings
    store: Store
    artifacts: ArtifactStore
    nursery: Nursery
    drain: Drain


@dataclass(kw_only=True, slots=True)
class Usage:
    """What the user processes of a run used so far."""

    cpu_seconds: float = 0.0
    peak_memory: int = 0
    output: list[bytes] = field(default_factory=list)

    def add(self, ended: Ended) -> None:
        self.cpu_seconds += ended.exit.cpu_seconds
        self.peak_memory = max(self.peak_memory, ended.peak_memory)
        if ended.output:
            self.output.append(ended.output)


@dataclass(kw_only=True, slots=True)
class RunSteps:
    """A claimed run at work. ``deadline`` is a time of the monotonic clock."""

    place: Workplace
    run: Run
    folder: Path
    reporter: Reporter
    batches: tuple[Batch, ...]
    deadline: float
    started: float
    usage: Usage = field(default_factory=Usage)

    def job(self, **fields: Any) -> Job:
        """A job of this run."""
        common = Job(
            task="train",
            run=self.run.id,
            attempt=self.run.attempt,
            ordered_at=self.run.ordered_at,
            spec=self.run.spec,
            batches=self.batches,
            code=str(self.place.settings.code),
        )
        return replace(common, **fields)

    def do(self, name: str, job: Job, *, quiet: bool = False) -> Mapping[str, Any]:
        """Do ``job`` in a folder called ``name``; Failure or Interrupted if it does not bring an answer."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        write_job(folder, job)
        told: list[Mapping[str, Any]] = []

        def hear(event: Mapping[str, Any]) -> None:
            if isinstance(event.get("answer"), dict):
                told.append(event["answer"])
            else:
                self.reporter.event(event)

        ended = run_child(
            self.place.nursery,
            folder,
            self._environment(folder),
            self.place.settings.code,
            ProcessLimits(
                deadline=self.deadline,
                memory=self.run.spec.memory,
                grace=self.place.settings.grace,
            ),
            Listeners(
                on_line=(lambda _: None) if quiet else self.reporter.line,
                on_event=hear,
                stop=self.reporter.stop,
            ),
        )
        self.usage.add(ended)
        return self._answer(folder, ended, told)

    def used(self) -> dict[str, Any]:
        """What goes into every result, good or bad. The output becomes an artifact."""
        return {
            "output": self.place.artifacts.put_bytes(b"".join(self.usage.output)),
            "cpu_seconds": round(self.usage.cpu_seconds, 3),
            "peak_memory": self.usage.peak_memory,
            "seconds": round(time.monotonic() - self.started, 3),
        }

    def _environment(self, folder: Path) -> dict[str, str]:
        secrets = self.place.settings.secrets
        return (
            {"OMP_WAIT_POLICY": "PASSIVE"}
            | clean_environment(os.environ)
            | ({VARIABLE: str(secrets.absolute())} if secrets else {})
            | {
                "INCUMBENT_RUN": self.run.id,
                "INCUMBENT_RUN_DIR": str(folder),
                "TMPDIR": str(self.folder),
            }
        )

    def _answer(
        self, folder: Path, ended: Ended, told: list[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        if ended.stopped in {StopReason.LOST, StopReason.CANCEL, StopReason.DRAIN}:
            raise Interrupted(ended.stopped)
        if ended.stopped is StopReason.TIMEOUT:
            raise Failure(f"ran past its limit of {format_duration(self.run.spec.timeout)}")
        if ended.stopped is StopReason.MEMORY:
            limit = self.run.spec.memory or 0
            raise Failure(
                f"used {_bytes(ended.peak_memory)} of memory, its limit is {_bytes(limit)}"
            )
        if not folder.is_dir():  # before what the training said of it: this is why
            raise Failure(f"its run folder {folder} was deleted while it ran")
        answer = read_answer(folder) or next(iter(told), None)
        if answer is None:
            raise Failure(_ending(ended))
        if modules := answer.get("modules"):
            self.place.nursery.learn([str(name) for name in modules][:2_000])
        if not answer.get("ok"):
            raise Failure(str(answer.get("reason") or "gave no reason")[:1_000])
        return answer


def _ending(ended: Ended) -> str:
    if ended.exit.code < 0:
        hint = " (perhaps the machine ran out of memory)" if ended.exit.code == -9 else ""
        return f"was killed by signal {-ended.exit.code}{hint}"
    said = f": {redact(ended.last_line)[:300]}" if ended.last_line else ""
    return f"ended with exit code {ended.exit.code} and no result{said}"


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count:,} bytes"
