"""`incumbent plan` over 100,000 recorded decisions: wall and processor seconds, peak memory, decisions a second.

The history is made by the engine itself on the memory store (data come, trainings run, evaluations report evidence for
four gates; challengers win, lose and wait), then copied into SQLite until the log is long enough:
the records are whole and sealed, only repeated. COUNT=10000 makes it shorter.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.decisions import DecisionRecord
from controller.ports import ActiveRules, NewDecision
from tests.support.command import PATH, Desk
from tests.support.house import FAILS, PASSES, UNDECIDED

COUNT = int(os.environ.get("COUNT", "100000"))
POLICY = """\
version: 1
model: flight-delay
data: {source: "data/*.parquet", time: time_hour, target: arr_delay}
train: {entrypoint: "flights:train"}
triggers:
  - new_data: {rows: 20000}
limits: {cooldown: 6h}
deprecate: {keep: 3, after: 30d}
promote:
  - {name: better, metric: mae, better_than: champion}
  - {name: absolute, metric: mae, at_most: 20}
  - {name: fast, metric: latency_ms_p95, at_most: 50}
  - {name: bias, metric: mae, not_worse_than: champion, margin: 1%}
"""
CHANGES = {
    "a threshold": ("at_most: 50}", "at_most: 14}"),
    "a threshold and a trigger": ("rows: 20000", "rows: 45000"),
    "a margin that was not tested": ("margin: 1%", "margin: 0.5%"),
}


def recorded() -> list[DecisionRecord]:
    """Some hundred decisions of a model's life."""
    app_context = Desk()
    app_context.enforce(POLICY)
    house = app_context.house
    for month in range(60):
        outcome = (PASSES, FAILS, UNDECIDED)[month % 3]
        house.data(8_000, f"early-{month}")
        house.tick()
        house.clock.advance(timedelta(days=15))
        house.data(15_000, f"late-{month}")
        house.work(outcome)
        house.clock.advance(timedelta(days=16))
    return house.records()


def fill(home: Path) -> int:
    """Write COUNT decisions into SQLite; the bytes of a snapshot on average."""
    url = f"sqlite:///{home / 'incumbent.db'}"
    migrate(url)
    store = SqlStore(url, SystemClock())
    records = recorded()
    age = records[-1].decided_at - records[0].decided_at + timedelta(days=1)
    rules = records[0].rules
    with store.begin() as tx:
        tx.rules.activate(
            ActiveRules(
                model=records[0].model, ref=rules, text=POLICY, activated_at=records[0].decided_at
            )
        )
    written = 0
    while written < COUNT:
        with store.begin() as tx:
            for record in records[: COUNT - written]:
                tx.decisions.record(
                    NewDecision(
                        model=record.model,
                        decided_at=record.decided_at + age * (written // len(records)),
                        rules=record.rules,
                        snapshot=record.snapshot,
                        decision=record.decision,
                    )
                )
        written += min(len(records), COUNT - written)
    store.close()
    return sum(len(record.snapshot) for record in records) // len(records)


def measure(home: Path, rules: Path) -> str:
    """One call of the command: wall, processor, memory."""
    command = [str(Path(sys.executable).with_name("incumbent")), "plan", "--rules", str(rules)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environment = {**os.environ, "INCUMBENT_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    summary = next(line for line in done.stdout.splitlines() if "decisions change" in line)
    return (
        f"{wall:6.1f} s wall {cpu:6.1f} s processor {COUNT / wall:8,.0f} decisions/s "
        f"{after.ru_maxrss / 1024:5.0f} MB  {summary.strip()}"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        home, rules = Path(place, "home"), Path(place, PATH).parent
        home.mkdir()
        rules.mkdir()
        size = fill(home)
        print(f"{COUNT:,} decisions, {size:,} bytes a snapshot on average", flush=True)
        for what, change in CHANGES.items():
            (rules / "flight-delay.yaml").write_text(POLICY.replace(*change))
            print(f"{what:<30} {measure(home, rules)}", flush=True)


if __name__ == "__main__":
    main()
