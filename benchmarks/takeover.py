"""How long nobody leads: after the leader was killed, and after it was told to stop. Real processes, one PostgreSQL.

``python -m benchmarks.takeover [TIMES]``
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from tests.support.brokers import valkey
from tests.support.controllers import Controllers, controllers
from tests.support.postgres import PostgresServer


def seconds_without_a_leader(group: Controllers, number: signal.Signals) -> float:
    """End the leader, and wait for the next one."""
    first = group.leads(*group.running)
    others = [name for name in group.running if name != first]
    began = time.monotonic()
    group.send(first, number)
    while group.leader() not in others:
        time.sleep(0.005)
    taken = time.monotonic() - began
    group.running.pop(first).wait(60)
    return taken


def main() -> int:
    """Prints the figures."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    server = PostgresServer()
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        broker = valkey(Path(folder) / "valkey")
        broker.start()
        names = (f"c{number}" for number in count())
        with controllers(Path(folder), server, broker.url) as group:
            group.start(next(names))
            for word, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGTERM)):
                taken = []
                for _ in range(times):
                    group.start(next(names))
                    taken.append(seconds_without_a_leader(group, number))
                print(
                    f"{word}: n={times} p50={statistics.median(taken):.2f} s"
                    f" max={max(taken):.2f} s (load {os.getloadavg()[0]:.1f})",
                    flush=True,
                )
        broker.close()
    server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
