"""Those who use an installation while it is being broken: sources, a person, and readers of the champion.

Each writes down what it was told, outside the installation; the audit holds the database against it.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

from controller.adapters.sql.store import SqlStore
from controller.domain.errors import IncumbentError
from controller.domain.signals import NewSignal, SignalKind
from controller.ports import Query, Transaction
from tests.chaos.linear import Operation
from tests.chaos.site import Site

Value = TypeVar("Value")


@dataclass
class Seen:
    """What the clients were told."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    """Key of each signal whose acceptance somebody was told of, and the id that it was given."""
    disagreements: list[str] = field(default_factory=list)
    operations: dict[str, list[Operation]] = field(default_factory=dict)
    words: list[tuple[int, float, float]] = field(default_factory=list)
    """A person's words: signal, when it was spoken, when its answer was read."""
    files: dict[str, str] = field(default_factory=dict)
    """URI of each data file that was brought, and its model."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client(threading.Thread):
    """Does one thing again and again until it is told to stop."""

    def __init__(self, site: Site, seen: Seen, seed: str, pause: float) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.site, self.seen, self.rng, self.pause = site, seen, Random(seed), pause
        self.stopping = threading.Event()
        self.name_of_me = seed
        self.count = 0
        self._store: SqlStore | None = None

    def run(self) -> None:
        while not self.stopping.wait(self.rng.random() * 2 * self.pause):
            self.once()
        if self._store is not None:
            self._store.close()

    @abstractmethod
    def once(self) -> None:
        """The one thing."""

    def written(self, work: Callable[[Transaction], Value]) -> Value | None:
        """``work`` in a transaction, again until somebody says that it is committed; None when time is over."""
        return self._again(work, write=True)

    def read(self, work: Callable[[Transaction], Value]) -> Value | None:
        """``work`` on one snapshot."""
        return self._again(work, write=False)

    def _again(self, work: Callable[[Transaction], Value], *, write: bool) -> Value | None:
        while True:
            try:
                if self._store is None:
                    self._store = self.site.store()
                with self._store.begin() if write else self._store.read() as tx:
                    return work(tx)
            except IncumbentError:
                if self.stopping.wait(0.2):
                    return None

    def tell(self, model: str, kind: SignalKind, key: str, **payload: Any) -> int | None:
        """Append a signal until its acceptance is acknowledged, and write that down."""
        now = datetime.now(UTC)
        person = kind not in {SignalKind.WEBHOOK, SignalKind.MANUAL}
        new = NewSignal(
            key=key,
            model=model,
            kind=kind,
            occurred_at=now,
            payload=payload,
            actor="person:ana" if person else "webhook:chaos",
        )
        accepted = self.written(lambda tx: tx.signals.append([new], now)[0].id)
        if accepted is None:
            return None
        with self.seen.lock:
            known = self.seen.acknowledged.setdefault(key, accepted)
            if known != accepted:
                self.seen.disagreements.append(f"{key} is signal {known} and signal {accepted}")
        return accepted


class Source(Client):
    """Sends events, some of them twice, and now and then a file."""

    def once(self) -> None:
        self.count += 1
        model = self.rng.choice(self.site.models)
        if self.rng.random() < 0.05:
            path = self.site.bring(model, f"{self.name_of_me}-{self.count}".replace(":", "-"))
            with self.seen.lock:
                self.seen.files[str(path)] = model
            return
        key = f"{self.name_of_me}:{self.count}"
        self.tell(model, SignalKind.WEBHOOK, key, type="chaos", data={"number": self.count})
        if self.rng.random() < 0.15:  # it was not sure that it was heard
            self.tell(model, SignalKind.WEBHOOK, key, type="chaos", data={"number": self.count})


class Person(Client):
    """Rolls back, promotes by hand, holds and releases, and waits for each answer."""

    def once(self) -> None:
        self.count += 1
        model = self.rng.choice(self.site.models)
        versions = self.read(lambda tx: [v.number for v in tx.registry.versions(model, limit=5)])
        if not versions:
            return
        roll = self.rng.random()
        payload: dict[str, Any] = {"reason": "chaos"}
        kind = SignalKind.RELEASE
        if roll < 0.4:
            kind, payload = SignalKind.ROLLBACK, payload | {"force": True}
        elif roll < 0.8:
            kind, payload = SignalKind.PROMOTE, payload | {"version": self.rng.choice(versions)}
        began = time.time()
        signal = self.tell(model, kind, f"{self.name_of_me}:{self.count}", **payload)
        if signal is None:
            return
        while not self.stopping.is_set():
            held = self.read(lambda tx: tx.signals.get(signal))
            if held is not None and held.status.ended:
                with self.seen.lock:
                    self.seen.words.append((signal, began, time.time()))
                return
            time.sleep(0.05)


class Reader(Client):
    """Asks who the champion is, as whoever serves predictions does."""

    def once(self) -> None:
        model = self.rng.choice(self.site.models)
        began = time.time()
        state = self._one_read(model)
        ended = time.time()
        if state is None:
            return
        seen = Operation(began, ended, state.generation, state.champion)
        with self.seen.lock:
            self.seen.operations.setdefault(model, []).append(seen)

    def _one_read(self, model: str) -> Any:
        """Not tried again: the time of the try that was answered is what counts."""
        try:
            if self._store is None:
                self._store = self.site.store()
            with self._store.read() as tx:
                return next((s for s in tx.models.all() if s.model == model), None)
        except IncumbentError:
            return None


def waiting(store: SqlStore) -> tuple[int, int, int]:
    """Signals without their end, runs without theirs, and letters."""
    with store.read() as tx:
        signals = tx.signals.find(Query(states=("open", "deferred"), limit=100_000))
        runs = tx.runs.find(Query(states=("queued", "running"), limit=100_000))
        return len(signals), len(runs), sum(tx.outbox.depth().values())
