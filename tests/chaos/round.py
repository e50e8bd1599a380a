"""One round: an installation under load is broken until enough was killed, comes to rest, and is audited."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from controller.adapters.sql.engine import read_url
from controller.adapters.sql.tables import runs_table, signals_table
from controller.domain.canonical import canonical_json
from controller.domain.errors import IncumbentError
from tests.chaos.audit import Books, Findings, examine, read_books, verify_all
from tests.chaos.clients import Client, Person, Reader, Seen, Source, waiting
from tests.chaos.nemesis import Nemesis, Struck
from tests.chaos.processes import end
from tests.chaos.site import Shape, Site

PATIENCE = 120.0
"""Seconds after a fault within which work must be done again."""
REST = 300.0
"""Seconds after the last one within which all must have come to its end."""

_LAST = 0.25
"""Chance that a fault is the last one before recovery is waited for."""


@dataclass
class Plan:
    """How much of it."""

    kills: int
    seconds: float
    seed: int
    models: int = 10
    pace: float = 1.0
    """Seconds between two signals of a source, on average."""


@dataclass
class Outcome:
    """What came of a round. Times in seconds."""

    shape: Shape
    findings: Findings
    struck: Sequence[Struck]
    answered: list[float] = field(default_factory=list)
    """From each fault to the first decision about a signal that was accepted after it."""
    trained: list[float] = field(default_factory=list)
    """From each fault to the end of the first run that was claimed after it."""
    seconds: float = 0.0
    drained: float = 0.0


class Watch:
    """Looks from outside whether work is done again."""

    def __init__(self, site: Site) -> None:
        self._engine = create_engine(read_url(site.database), pool_pre_ping=True)

    def since(self, moment: float) -> tuple[float | None, float | None]:
        """When, after ``moment``, a signal that came later was answered, and a run that was claimed later ended."""
        at = datetime.fromtimestamp(moment, UTC)
        answered = select(func.count()).where(
            signals_table.c.received_at > at, signals_table.c.decision.is_not(None)
        )
        ended = select(func.min(runs_table.c.ended_at)).where(
            runs_table.c.started_at > at, runs_table.c.state == "done"
        )
        with self._engine.connect() as connection:
            first = connection.execute(ended).scalar()
            some = connection.execute(answered).scalar()
        now = time.time()
        return (now if some else None), (first.timestamp() if first is not None else None)

    def close(self) -> None:
        self._engine.dispose()


def play(shape: Shape, plan: Plan, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Break one installation and audit it."""
    models = tuple(f"m{number:02d}" for number in range(plan.models))
    seen = Seen()
    began = time.monotonic()
    with Site(shape, folder, models) as site:
        watch, rng = Watch(site), Random(f"{plan.seed}:{shape.name}")
        clients = _clients(site, seen, plan)
        outcome = Outcome(shape, Findings(), ())
        nemesis = Nemesis(site, rng)
        try:
            if _recovered(watch, time.time())[1] is None:
                outcome.findings.broken.append("it did not begin to work before any fault")
            _break(nemesis, watch, plan, outcome, say)
            _rest(site, clients, outcome, say)
        finally:
            watch.close()
            for client in clients:
                client.stopping.set()
        outcome.struck = nemesis.struck
        _audit(site, models, seen, outcome)
    outcome.seconds = time.monotonic() - began
    return outcome


def _clients(site: Site, seen: Seen, plan: Plan) -> list[Client]:
    clients: list[Client] = [
        Source(site, seen, f"source:{plan.seed}:0", plan.pace * 2),
        Source(site, seen, f"source:{plan.seed}:1", plan.pace * 2),
        Person(site, seen, f"person:{plan.seed}", plan.pace * 4),
        Reader(site, seen, f"reader:{plan.seed}:0", 0.1),
        Reader(site, seen, f"reader:{plan.seed}:1", 0.1),
    ]
    for client in clients:
        client.start()
    return clients


def _break(
    nemesis: Nemesis, watch: Watch, plan: Plan, outcome: Outcome, say: Callable[[str], None]
) -> None:
    began = time.monotonic()
    while nemesis.kills < plan.kills and time.monotonic() - began < plan.seconds:
        struck = _volley(nemesis)
        if not struck:
            continue
        over = max(fault.over for fault in struck)
        answered, trained = _recovered(watch, over)
        what = " + ".join(fault.what for fault in struck)
        if answered is None or trained is None:
            missing = "decided" if answered is None else "trained"
            sentence = f"{what}: nothing was {missing} for {PATIENCE:g} s after it"
            outcome.findings.broken.append(sentence)
            say(f"  no recovery after {what}")
            continue
        outcome.answered.append(answered - over)
        outcome.trained.append(trained - over)
        say(
            f"  {nemesis.kills:4d} {what}: decides again {answered - over:.1f} s,"
            f" trains {trained - over:.1f} s"
        )
        _end_strays(nemesis)


def _volley(nemesis: Nemesis) -> list[Struck]:
    """Faults at random moments, so that many strike while others are not yet overcome."""
    struck: list[Struck] = []
    while True:
        time.sleep(nemesis.rng.random() * 1.5)
        struck += nemesis.strike()
        if nemesis.rng.random() < _LAST:
            return struck


def _end_strays(nemesis: Nemesis) -> None:
    """Sooner or later somebody clears away what a dead parent left behind."""
    if nemesis.rng.random() < 0.3 and nemesis.site.keeper.strays:
        count = end(nemesis.site.keeper.strays)
        nemesis.site.keeper.strays.clear()
        if count:
            now = time.time()
            nemesis.struck.append(Struck("orphans: kill -9", now, now, 1))


def _recovered(watch: Watch, moment: float) -> tuple[float | None, float | None]:
    """When something that came after ``moment`` was answered, and when a run that began after it ended."""
    deadline = time.monotonic() + PATIENCE
    answered = trained = None
    while (answered is None or trained is None) and time.monotonic() < deadline:
        with contextlib.suppress(SQLAlchemyError):  # the database itself may be what is away
            first, second = watch.since(moment)
            answered, trained = answered or first, trained or second
        time.sleep(0.1)
    return answered, trained


def _rest(
    site: Site, clients: Sequence[Client], outcome: Outcome, say: Callable[[str], None]
) -> None:
    """No more faults and no more news: everything must come to its end."""
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(30)
    began = time.monotonic()
    store = site.store()
    try:
        left = (1, 1, 1)
        quiet = 0
        while quiet < 10 and time.monotonic() - began < REST:
            time.sleep(0.2)
            try:
                left = waiting(store)
            except IncumbentError:
                continue
            quiet = 0 if any(left) else quiet + 1
    finally:
        store.close()
    outcome.drained = time.monotonic() - began
    say(f"  at rest after {outcome.drained:.1f} s; left {left}")


def _audit(site: Site, models: Sequence[str], seen: Seen, outcome: Outcome) -> None:
    store = site.store()
    try:
        books = read_books(store, models, site.attempts())
    finally:
        store.close()
    found = examine(books, seen)
    _keep_books(books, site.folder)
    complaint = verify_all(site.home, site.database)
    if complaint:
        found.broken.append(complaint)
    found.broken += outcome.findings.broken
    outcome.findings = found


def _keep_books(books: Books, folder: Path) -> None:
    """What was decided and what ran, beside the logs: the home's file system is gone afterwards."""
    with (folder / "decisions.jsonl").open("w", encoding="utf-8") as kept:
        kept.writelines(f"{record.decision}\n" for record, _ in books.records)
    with (folder / "runs.jsonl").open("w", encoding="utf-8") as kept:
        kept.writelines(f"{canonical_json(run)}\n" for run in books.runs)


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile; NaN of nothing."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


def tell(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)
