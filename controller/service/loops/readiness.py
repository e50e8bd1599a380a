"""Whether this process can do its work now, as named conditions: for `/readyz`, `doctor` and whoever watches.

The database is asked by trying: a row is written and taken back, so that a database that only reads, takes no
connection or has no room says so in its own words. Nothing here raises.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.domain.errors import IncumbentError
from controller.ports import DOORBELL, ClockJump, Store, Transaction
from controller.service.deciding.backpressure import INBOX, OUTBOX
from controller.service.loops.leadership import who_leads
from controller.service.loops.loop import Health

LEAST_ROOM = 64 << 20
"""Bytes that must be free where the process writes: below that the next artifact may not fit."""

_NAMED = 10
"""Models at rest that are named; of more only their number is said."""

SILENT_SECONDS = 60.0
"""Seconds without a good round after which a loop counts as stuck, whether or not it said why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One thing that must hold: its name, whether it does, a sentence, and what to do where it does not.

    ``needed``: the process can't do its work without it. One that is not needed says what is wrong and stops nobody.
    """

    name: str
    ok: bool
    sentence: str
    hint: str = ""
    needed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What a process depends on.

    ``folders`` is where it writes; ``loops`` are its own loops, None in a process that has none; ``shared`` says that
    several controllers may share the database, so that one of them must lead; ``jump`` gives the clock's last jump.
    Without ``names`` no model is named and no error of one is repeated: for an answer that anybody may read while
    owners are isolated.
    """

    store: Store
    folders: Sequence[Path] = ()
    loops: Callable[[], Sequence[Health]] | None = None
    shared: bool = False
    names: bool = True
    jump: Callable[[], ClockJump | None] = lambda: None
    inbox: int = INBOX
    outbox: int = OUTBOX


def conditions(watched: Watched) -> list[Condition]:
    """All conditions, in the order in which a cause comes before its effects."""
    found = [*_rooms(watched.folders), *_clock(watched.jump()), *_database(watched)]
    if watched.loops is not None:
        found += _loops(watched.loops(), names=watched.names)
    return found


def ready(found: Sequence[Condition]) -> bool:
    """Whether every condition holds that is needed."""
    return all(condition.ok or not condition.needed for condition in found)


class _TakenBackError(Exception):
    """Ends a transaction that was only tried."""


def _try_to_write(store: Store) -> None:
    with store.begin() as tx:
        tx.counters.add("probes")
        raise _TakenBackError


def _database(watched: Watched) -> Iterator[Condition]:
    try:
        _try_to_write(watched.store)
    except _TakenBackError:
        yield Condition(name="database", ok=True, sentence="answers and takes writes")
    except IncumbentError as error:
        yield Condition(name="database", ok=False, sentence=error.message, hint=error.hint)
    try:
        with watched.store.read() as tx:
            yield from _queues(tx, watched)
            yield from _doorbells(tx, names=watched.names)
            yield _models(tx, names=watched.names)
            if watched.shared:
                yield _lead(tx)
    except IncumbentError as error:
        sentence = error.message if watched.names else "failed; `incumbent doctor` says why."
        yield Condition(name="reading", ok=False, sentence=sentence, hint=error.hint)


def _queues(tx: Transaction, watched: Watched) -> Iterator[Condition]:
    counts = {name: tx.signals.count_waiting(name) for name in tx.rules.models()}
    full = [name for name, count in counts.items() if count >= watched.inbox]
    whose = ", ".join(full) if watched.names else _many(len(full))
    yield Condition(
        name="inbox",
        ok=not full,
        sentence=f"is full for {whose}: {counts[full[0]]:,} signals wait."
        if full
        else f"{sum(counts.values()):,} signals wait",
        hint="`incumbent status` says what they wait for." if full else "",
    )
    for topic, count in sorted(tx.outbox.depth().items()):
        yield Condition(
            name=f"outbox of {topic}",
            ok=count < watched.outbox,
            sentence=f"{count:,} wait to be taken" + ("" if count < watched.outbox else ": full."),
        )


def _doorbells(tx: Transaction, *, names: bool) -> Iterator[Condition]:
    """Whether the broker takes what workers are to hear: what waits goes on by itself, so nobody is stopped."""
    failing = [letter for letter in tx.outbox.failing() if letter.topic == DOORBELL]
    if failing:
        yield Condition(
            name="broker",
            ok=False,
            sentence=failing[-1].last_error if names else "workers cannot be told of every run.",
            hint="Runs wait in the database and are announced again.",
            needed=False,
        )


def _many(count: int) -> str:
    return f"{count:,} model" + ("" if count == 1 else "s")


def _models(tx: Transaction, *, names: bool) -> Condition:
    """Models that rest in error, and why. The others are decided, so the process is ready all the same."""
    resting = [state for state in tx.models.all(troubled=True) if state.error]
    told = "; ".join(f"{state.model} is stopped: {state.error}" for state in resting[:_NAMED])
    more = f"; and {len(resting) - _NAMED} more" if len(resting) > _NAMED else ""
    if not names:
        told, more = f"{_many(len(resting))} at rest, not decided because of an error", ""
    return Condition(
        name="models",
        ok=not resting,
        sentence=f"{told}{more}" if resting else "all are decided",
        hint="`incumbent doctor` says what can be done." if resting else "",
        needed=False,
    )


def _lead(tx: Transaction) -> Condition:
    lead = who_leads(tx)
    missing = lead.leader is None
    hint = "Start one with `incumbent controller` or `incumbent up`." if missing else ""
    return Condition(name="controller", ok=not missing, sentence=lead.sentence(), hint=hint)


def _rooms(folders: Sequence[Path]) -> Iterator[Condition]:
    for folder in folders:
        there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), None)
        if there is None:
            continue
        free = shutil.disk_usage(there).free
        ok = free >= LEAST_ROOM
        yield Condition(
            name=f"disk of {folder.name or folder}",
            ok=ok,
            sentence=f"{free / 1e6:,.0f} MB are free at {folder}{'' if ok else '.'}",
            hint="" if ok else "Make room; what waits goes on by itself then.",
        )


def _clock(jump: ClockJump | None) -> Iterator[Condition]:
    if jump is not None and jump.is_news(datetime.now(UTC)):
        yield Condition(
            name="clock",
            ok=False,
            sentence=jump.sentence(),
            hint="Keep it right by NTP. Due times are planned anew by themselves; nothing is lost or done twice.",
            needed=False,
        )


def _loops(health: Sequence[Health], *, names: bool) -> Iterator[Condition]:
    for loop in health:
        stuck = loop.silent_for > SILENT_SECONDS
        if not loop.error and not stuck:
            continue
        error = loop.error if names or not loop.error else "failed; its log says why."
        sentence = error or f"has had no good round for {loop.silent_for:.0f} s."
        yield Condition(name=f"loop {loop.name}", ok=False, sentence=sentence)
    if not any(loop.error or loop.silent_for > SILENT_SECONDS for loop in health):
        yield Condition(name="loops", ok=True, sentence=f"{len(health)} run")
