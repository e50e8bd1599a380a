"""A plain Celery task with `acks_late`, and the trigger that one writes beside it: launch, then mark as seen.

The other order (mark, then launch) loses where this one doubles. The settings are those of the documentation for tasks
that must not be lost: late acknowledgement, reject on a lost worker, one message at a time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import redis

from benchmarks.headtohead.events import EVENTS, Count, add, count, lines, settle, wait
from tests.support.brokers import Server, valkey

ROOT = Path(__file__).resolve().parents[2]

APP = """\
import os, time
from pathlib import Path
from celery import Celery
from benchmarks.headtohead.events import add

app = Celery("plain", broker=os.environ["BROKER"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600} | (
        # An hour in seconds: the timeout is scaled down, and with it the pause between two looks (100 s by default).
        {"visibility_timeout": 3, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
        if "SCALED" in os.environ
        else {}
    ),
)

@app.task
def train(event, seconds):
    time.sleep(seconds)
    add(Path(os.environ["RESULTS"]), event=event)
"""


def run(folder: Path) -> dict[str, Count]:
    """Every failure."""
    (folder / "plain.py").write_text(APP)
    broker = valkey(folder / "valkey")
    broker.start()
    try:
        return {
            "launch fails once": _launch_fails(folder, broker),
            "killed between marking and launching": _killed_between(folder, broker),
            "broker loses its messages": _flushed(folder, broker),
            "outlives the visibility timeout": _outlives(folder, broker),
            "restart with triggers in flight": _restarted(folder, broker),
        }
    finally:
        broker.close()


class Row:
    """The processes of one row."""

    def __init__(self, folder: Path, broker: Server, name: str, **more: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.name, self.root = name, folder
        self.events = [f"{name}-{number}" for number in range(EVENTS)]
        self.results = self.folder / "results"
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{folder}",
            "BROKER": broker.url,
            "RESULTS": str(self.results),
            **more,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        with redis.Redis.from_url(broker.url) as client:
            client.flushall()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, slots: int = 2) -> subprocess.Popen[bytes]:
        command = ("-m", "celery", "-A", "plain", "worker", "-c", str(slots), "--without-mingle")
        return self.start(*command, "--without-gossip")

    def trigger(self, *flags: str) -> subprocess.Popen[bytes]:
        return self.start(__file__, str(self.folder), *flags)

    def tell(self, events: list[str], pause: float = 0.05) -> None:
        for event in events:
            add(self.folder / "events", event=event)
            time.sleep(pause)

    def sent(self, number: int, seconds: float = 60) -> bool:
        return wait(lambda: _cursor(self.folder) >= number, seconds)

    def end(self, quiet: float = 4, most: float = 60) -> Count:
        wait(lambda: len({x["event"] for x in lines(self.results)}) == EVENTS, 20)
        settle(self.results, quiet, most)
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return count(self.results, self.events)


def _launch_fails(folder: Path, broker: Server) -> Count:
    row = Row(folder, broker, "fails")
    row.trigger()
    broker.kill()
    row.tell(row.events)
    time.sleep(3)
    broker.start()
    row.worker()
    return row.end()


def _killed_between(folder: Path, broker: Server) -> Count:
    row = Row(folder, broker, "kill")
    row.worker()
    for _ in range(2):
        dying = row.trigger("--die-at", str(_cursor(row.folder) + 3))
        row.tell([e for e in row.events if e not in _told(row)][: EVENTS // 2])
        dying.wait(60)
    row.trigger()
    return row.end()


def _told(row: Row) -> set[str]:
    return {str(line["event"]) for line in lines(row.folder / "events")}


def _flushed(folder: Path, broker: Server) -> Count:
    row = Row(folder, broker, "flush")
    row.trigger()
    row.tell(row.events)
    row.sent(EVENTS)
    with redis.Redis.from_url(broker.url) as client:
        client.flushall()
    row.worker()
    return row.end()


def _outlives(folder: Path, broker: Server) -> Count:
    row = Row(folder, broker, "outlives", SCALED="1", SECONDS="12")
    for _ in range(2):
        row.worker(slots=EVENTS)  # only a worker with a free slot looks for what seems lost
    row.trigger()
    row.tell(row.events)
    return row.end(quiet=25, most=150)


def _restarted(folder: Path, broker: Server) -> Count:
    row = Row(folder, broker, "restart")
    row.worker()
    first = row.trigger()
    row.tell(row.events[: EVENTS // 2], 0.2)
    first.kill()
    first.wait()
    row.tell(row.events[EVENTS // 2 :])
    row.trigger()
    return row.end()


# --- the trigger's process -----------------------------------------------------------------------------------------


def _cursor(folder: Path) -> int:
    file = folder / "cursor"
    return int(file.read_text()) if file.exists() else 0


def _serve(folder: Path, die_at: int) -> None:
    sys.path.insert(0, str(folder.parent))
    from plain import train  # type: ignore[import-not-found]

    while True:
        for number, line in list(enumerate(lines(folder / "events"), 1))[_cursor(folder) :]:
            try:
                train.delay(line["event"], float(os.environ.get("SECONDS", "0.1")))
            except Exception as error:  # noqa: BLE001 - it is not marked, so the next round tries again
                print(f"not launched: {error}", flush=True)
                break
            if number == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            partial = folder / "cursor.tmp"
            partial.write_text(str(number))
            partial.rename(folder / "cursor")
        time.sleep(0.1)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
