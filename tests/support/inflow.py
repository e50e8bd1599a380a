"""Very many signals for an engine on a real database, and what its process holds meanwhile."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.bootstrap import build_engine, parse_rules
from controller.domain.decisions import RulesRef
from controller.domain.errors import Full
from controller.domain.signals import NewSignal, SignalKind
from controller.ports import ActiveRules
from controller.rulefmt import blob_id
from controller.service.deciding.backpressure import accept
from controller.service.rules.active import ActivePolicies

POLICY = """\
version: 1
model: {model}
mode: audit
description: revision {revision}
data: {{source: "none/*.parquet", target: y}}
train: {{entrypoint: "toy:train"}}
triggers:
  - webhook: {{type: labels}}
limits: {{cooldown: 30d}}
promote:
  - {{metric: mae, better_than: champion}}
"""
_TOGETHER = 10
_SENDERS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Flood:
    """What became of signals that came at once. ``quiet`` is how many seconds another model waited for its answer."""

    accepted: int
    refused: int
    answered: int
    sent_in: float
    answered_in: float
    quiet: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What this process holds: resident memory in MB, open files, threads."""

    memory: float
    files: int
    threads: int


class Inflow:
    """An engine over a database with ``models`` models that decide and change nothing (``mode: audit``)."""

    def __init__(self, url: str, models: int) -> None:
        migrate(url)
        self.store = SqlStore(url, SystemClock())
        self.models = [f"m{number:04}" for number in range(models)]
        self.engine = build_engine(self.store, SystemClock())
        self.policies = ActivePolicies(self.store, parse_rules)
        for model in [*self.models, "quiet"]:
            self.enforce(model, 1)
        self._settle()  # a policy that is new in force is looked at once, before anything that comes later

    def enforce(self, model: str, revision: int) -> None:
        """Put another revision of the model's policy in force."""
        text = POLICY.format(model=model, revision=revision)
        ref = RulesRef(path=f"{model}.yaml", blob=blob_id(text.encode()))
        rules = ActiveRules(model=model, ref=ref, text=text, activated_at=datetime.now(UTC))
        with self.store.begin() as tx:
            tx.rules.activate(rules)

    def flood(self, count: int) -> Flood:
        """``count`` signals of mixed kinds from several senders, while the engine decides; until all is answered."""
        began = time.monotonic()
        ended = threading.Event()
        deciding = threading.Thread(target=self._decide_until, args=(ended,))
        deciding.start()
        try:
            with ThreadPoolExecutor(_SENDERS) as senders:
                quiet = senders.submit(self._ask_quietly)
                sent = list(senders.map(self._send, self._parts(count)))
                waited = quiet.result()
            sent_in = time.monotonic() - began
            self._drain()
        finally:
            ended.set()
            deciding.join()
        accepted = sum(sent)
        with self.store.read() as tx:
            waiting = tx.signals.count_waiting()
        return Flood(
            accepted=accepted,
            refused=count - accepted,
            answered=accepted - waiting,
            sent_in=sent_in,
            answered_in=time.monotonic() - began,
            quiet=waited,
        )

    def round(self, number: int) -> int:
        """One signal for each model, and the decisions that follow; how many."""
        now = datetime.now(UTC)
        signals = [_signal(model, f"{number}", now) for model in self.models]
        with self.store.begin() as tx:
            accept(tx, signals, now)
        decisions = self._settle()
        self.policies.read()
        return decisions

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def _settle(self) -> int:
        decisions = 0
        while True:
            report = self.engine.run_once()
            decisions += report.decisions
            if not report.models:
                return decisions

    def _decide_until(self, ended: threading.Event) -> None:
        while not ended.is_set():
            if not self.engine.run_once().decisions:
                ended.wait(0.01)

    def _parts(self, count: int) -> Iterator[list[NewSignal]]:
        now = datetime.now(UTC)
        for start in range(0, count, _TOGETHER):
            model = self.models[start // _TOGETHER % len(self.models)]
            yield [_signal(model, str(n), now) for n in range(start, min(start + _TOGETHER, count))]

    def _send(self, signals: list[NewSignal]) -> int:
        try:
            with self.store.begin() as tx:
                return sum(one.fresh for one in accept(tx, signals, datetime.now(UTC)))
        except Full:
            return 0

    def _ask_quietly(self) -> float:
        began = time.monotonic()
        now = datetime.now(UTC)
        with self.store.begin() as tx:
            accept(tx, [_signal("quiet", "q", now)], now)
        self._until_none("quiet")
        return time.monotonic() - began

    def _drain(self) -> None:
        self._until_none(None)

    def _until_none(self, model: str | None) -> None:
        deadline = time.monotonic() + 3600
        while time.monotonic() < deadline:
            with self.store.read() as tx:
                waiting = tx.signals.count_waiting(model) if model else tx.signals.count_waiting()
            if not waiting:
                return
            time.sleep(0.01)


def _signal(model: str, key: str, now: datetime) -> NewSignal:
    chance = sum(key.encode()) % 97
    if chance == 0:
        kind, actor = SignalKind.RELEASE, "person:ana"
        payload: dict[str, object] = {"reason": "nothing holds it"}
    elif chance % 2:
        kind, actor = SignalKind.METRIC, "webhook:serving"
        payload = {"metric": "mae", "value": 1.0, "n": 10}
    else:
        kind, actor = SignalKind.WEBHOOK, "webhook:others"
        payload = {"type": "of nobody"}
    return NewSignal(
        key=f"{model}:{key}", model=model, kind=kind, occurred_at=now, payload=payload, actor=actor
    )


def held() -> Held:
    """Of this process, now."""
    me = psutil.Process()
    files = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else me.num_fds()
    return Held(
        memory=round(me.memory_info().rss / 1e6, 1), files=files, threads=threading.active_count()
    )


def machine() -> str:
    """The line that each benchmark begins with."""
    return f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
