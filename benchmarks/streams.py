"""How soon a decision reaches everybody who listens, over real sockets: ``python -m benchmarks.streams [COUNT]``.

One server process, COUNT connections from another one (default 5,000; both ends of each are open files, so that
``ulimit -n`` of 20,000 carries about 19,000), and decisions that are written to the database beside them.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.serving import Serving
from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.canonical import canonical_json
from tests.support.makers import MODEL, new_decision

AT_ONCE = 200
"""Connections that are being made at the same time."""
DECISIONS = 5
BODY: dict[str, object] = {
    "verdict": "none",
    "reason": "Nothing to do.",
    "champion_before": None,
    "champion_after": None,
    "challenger": None,
    "code": "5",
    "actions": [],
}


class Reader:
    """One stream: when it was answered, and when it heard of each decision."""

    def __init__(self) -> None:
        self.open_at = 0.0
        self.heard: dict[int, float] = {}

    async def read(self, port: int, gate: asyncio.Semaphore) -> None:
        """Connect and listen until the connection ends."""
        async with gate:
            incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
            outgoing.write(b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await incoming.readuntil(b"still here")
            self.open_at = time.monotonic()
        try:
            while line := await incoming.readline():
                if line.startswith(b"id: "):
                    self.heard[int(line[4:])] = time.monotonic()
        finally:
            outgoing.close()


def memory(pid: int) -> float:
    """The process's own part of memory, in megabytes."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024


def decided(store: SqlStore) -> int:
    """One more decision; its number."""
    with store.begin() as tx:
        record = tx.decisions.record(
            new_decision(MODEL, decision=canonical_json(BODY), decided_at=datetime.now(UTC))
        )
    return record.id


async def listen(serving: Serving, store: SqlStore, count: int) -> None:
    """Open all streams, then write decisions and see who hears of them."""
    gate = asyncio.Semaphore(AT_ONCE)
    readers = [Reader() for _ in range(count)]
    before, began = memory(serving.pid), time.monotonic()
    tasks = [asyncio.create_task(reader.read(serving.port, gate)) for reader in readers]
    while not all(reader.open_at for reader in readers):
        broken = [task for task in tasks if task.done()]
        if broken:
            raise RuntimeError(f"{len(broken)} streams ended: {broken[0].exception()}")
        await asyncio.sleep(0.1)
    took = time.monotonic() - began
    print(f"{count:,} streams open after {took:.1f} s, {count / took:,.0f} a second", flush=True)
    print(f"the server's memory: {before:.0f} MB before, {memory(serving.pid):.0f} MB with them")
    for _ in range(DECISIONS):
        number = await asyncio.to_thread(decided, store)
        written = time.monotonic()
        while not all(number in reader.heard for reader in readers):
            await asyncio.sleep(0.05)
        spans = sorted(reader.heard[number] - written for reader in readers)
        print(
            f"decision {number}: the first heard of it after {spans[0]:.2f} s,"
            f" half after {statistics.median(spans):.2f} s, the last after {spans[-1]:.2f} s",
            flush=True,
        )
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main(count: int) -> None:
    """Prints the figures."""
    print(f"load when it began: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="incumbent-streams-") as folder:
        url = f"sqlite:///{Path(folder) / 'incumbent.db'}"
        migrate(url)
        store = SqlStore(url, SystemClock())
        serving = Serving(url, Path(folder), api_streams=str(count))
        try:
            asyncio.run(listen(serving, store, count))
        finally:
            serving.stop()
            store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
