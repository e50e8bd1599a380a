"""ClearML's TriggerScheduler, unchanged, over a server of files: models that are published, and jobs that are launched.

What is replaced is what talks to the server: `APIClient`, `Task`, `ClearmlJob`, `get_queue_id`. The scheduler runs as
a service does, which loads its state at the start, and in one row locally, which does not. A launched job always ends
well, so that only the trigger counts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.headtohead.events import EVENTS, Count, add, count, lines, wait

_STATE = "state.json"


def run(folder: Path, python: Path) -> dict[str, Count]:
    """Every failure that concerns a trigger; the others are the business of its server, which is not here."""
    return {
        "launch fails once": _row(folder / "fails", python, "fail"),
        "killed between marking and launching": _row(folder / "kill", python, "kill"),
        "restart with triggers in flight": _row(folder / "restart", python, "restart"),
        "the same, of a scheduler that runs locally": _row(folder / "local", python, "local"),
    }


def _row(folder: Path, python: Path, failure: str) -> Count:
    """Half of the events come at a time: the scheduler's own default is one look in three minutes."""
    folder.mkdir(parents=True)
    events = [f"{failure}-{number}" for number in range(EVENTS)]
    process = _start(folder, python, failure)
    try:
        # It has worked before, so its state is kept.
        add(folder / "events", id="warm", at=datetime.now(UTC).isoformat())
        _looked(folder, process)
        for first in range(0, EVENTS, EVENTS // 2):
            if failure in {"restart", "local"} and first:
                process.kill()  # it is away when the second half comes
                process.wait()
            for event in events[first : first + EVENTS // 2]:
                add(folder / "events", id=event, at=datetime.now(UTC).isoformat())
            if process.poll() is not None:
                process = _start(folder, python, failure)
            if not _looked(folder, process):
                process = _start(folder, python, failure)
                _looked(folder, process)
    finally:
        process.kill()
        process.wait()
    if mistakes := lines(folder / "mistakes"):
        raise RuntimeError(f"the server of files is wrong: {mistakes[0]}")
    return count(folder / "results", events)


def _looked(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    """Wait until it has looked several times more; False if it died meanwhile."""
    before = len(lines(folder / "looks"))
    wait(lambda: process.poll() is not None or len(lines(folder / "looks")) > before + 5, 60)
    return process.poll() is None


def _start(folder: Path, python: Path, failure: str) -> subprocess.Popen[bytes]:
    (folder / "ready").unlink(missing_ok=True)
    log = (folder / "log").open("ab")
    process = subprocess.Popen(
        [str(python), __file__, str(folder), failure], stdout=log, stderr=log, cwd=folder
    )
    log.close()
    wait(lambda: (folder / "ready").exists() or process.poll() is not None, 60)
    if not (folder / "ready").exists():
        raise RuntimeError((folder / "log").read_text()[-2000:])
    return process


# --- inside ClearML's environment --------------------------------------------------------------------------------


class Server:
    """The part of the server that the scheduler asks."""

    def __init__(self, folder: Path, failure: str) -> None:
        self.folder, self.failure = folder, failure
        self.models = self
        self.session = SimpleNamespace(feature_set="basic", check_min_server_version=lambda _: True)

    def get_all(self, **query: Any) -> list[Any]:
        """Models that changed after the time of the query. A mistake of ours must not pass for one of theirs."""
        try:
            return self._get_all(query)
        except Exception as error:
            add(self.folder / "mistakes", error=repr(error))
            raise

    def _get_all(self, query: dict[str, Any]) -> list[Any]:
        after = datetime.fromisoformat(query["_or_"]["datetime"][0].removeprefix(">"))
        after = after.replace(tzinfo=after.tzinfo or UTC)  # it names UTC without saying so
        found = []
        for line in lines(self.folder / "events"):
            at = datetime.fromisoformat(line["at"])
            if at > after:
                found.append(SimpleNamespace(id=line["id"], last_update=at, last_change=at))
        (self.folder / "ready").touch()
        add(self.folder / "looks", found=len(found), after=str(after), now=str(datetime.now(UTC)))
        return found

    def once(self, what: str) -> bool:
        """Whether this happens for the first time, over all lives of the process."""
        mark = self.folder / f"once-{what}"
        known = mark.exists()
        mark.touch()
        return not known

    def launch(self, event: str) -> bool:
        """Put a job into a queue; it ends well at once."""
        if self.failure == "fail" and self.once(event):
            return False
        if self.failure == "kill" and event.endswith(("-2", "-6")) and self.once(event):
            os.kill(os.getpid(), signal.SIGKILL)
        add(self.folder / "results", event=event)
        return True


class Job:
    """A ClearmlJob that is launched at the server of files."""

    server: Server

    def __init__(self, **given: Any) -> None:
        self.event = given["parameter_override"]["model"]

    def task_id(self) -> str:
        return f"task of {self.event}"

    def launch(self, **_: Any) -> bool:
        return self.server.launch(self.event)


class Service:
    """The scheduler's own task, where it keeps its state."""

    folder: Path

    @classmethod
    def current_task(cls) -> Service:
        return cls()

    local = False

    @classmethod
    def running_locally(cls) -> bool:
        return cls.local

    @staticmethod
    def get_project_id(name: str) -> str:
        return name

    @staticmethod
    def _get_default_session() -> None:
        return None

    def reload(self) -> None:
        """Files are always up to date."""

    def upload_artifact(self, *, artifact_object: str, **_: Any) -> None:
        partial = self.folder / f"{_STATE}.tmp"
        partial.write_text(artifact_object)
        partial.rename(self.folder / _STATE)

    @property
    def artifacts(self) -> dict[str, Any]:
        file = self.folder / _STATE
        return {"state": SimpleNamespace(get=file.read_text)} if file.exists() else {}

    def _set_configuration(self, **_: Any) -> None:
        """Only people read it."""

    def _get_configuration_text(self, **_: Any) -> str:
        return ""  # nobody has changed it by hand: what the program says stands


def _serve(folder: Path, failure: str) -> None:
    from clearml.automation import scheduler, trigger

    server = Server(folder, failure)
    Job.server, Service.folder, Service.local = server, folder, failure == "local"
    scheduler.Task = trigger.Task = Service
    scheduler.ClearmlJob = Job
    scheduler.get_queue_id = lambda *_: "queue"
    trigger.APIClient = lambda: server
    one = trigger.TriggerScheduler(pooling_frequency_minutes=0.2 / 60)
    one._log = lambda *said, **_: print(*said, flush=True)  # noqa: SLF001
    one._update_execution_plots = lambda: None  # noqa: SLF001
    one.add_model_trigger(
        schedule_task_id="train",
        schedule_queue="queue",
        name="models",
        trigger_project="models",
        task_parameters={"model": "${model.id}"},
    )
    one.start()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2])
