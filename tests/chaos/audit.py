"""What must be true when it is over: the database held against what clients were told and what trainings wrote down.

Every finding is a sentence. ``lost`` and ``doubled`` are counted apart, since they are what the promise is about.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.adapters.sql.store import SqlStore
from controller.domain import codec
from controller.domain.decisions import Decision, DecisionRecord, SetChampion, StartRun
from controller.domain.runs import Run, RunKind, RunState
from controller.domain.signals import Signal, SignalStatus
from controller.domain.versions import Version, VersionState
from controller.ports import Query
from tests.chaos.clients import Seen
from tests.chaos.linear import Operation, find_violation
from tests.chaos.processes import environment

_ALL = 10_000_000


@dataclass
class Books:
    """Everything that the installation says of itself, and the ledger of its trainings."""

    signals: Sequence[Signal]
    runs: Sequence[Run]
    records: Sequence[tuple[DecisionRecord, Decision]]
    versions: Mapping[str, Sequence[Version]]
    seats: Mapping[str, tuple[int, int | None]]
    batches: Mapping[str, set[str]]
    letters: int
    attempts: Sequence[Mapping[str, Any]]


@dataclass
class Findings:
    """``lost`` and ``doubled`` effects, other broken promises, and figures for the report."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def all(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.broken]


def read_books(
    store: SqlStore, models: Sequence[str], attempts: Sequence[Mapping[str, Any]]
) -> Books:
    """All of it on one snapshot."""
    with store.read() as tx:
        records = [(r, codec.load_value(Decision, r.decision)) for r in tx.decisions.walk()]
        states = {state.model: state for state in tx.models.all()}
        return Books(
            signals=tx.signals.find(Query(limit=_ALL)),
            runs=tx.runs.find(Query(limit=_ALL)),
            records=records,
            versions={model: tx.registry.versions(model) for model in models},
            seats={m: (s.generation, s.champion) for m, s in states.items()},
            batches={model: {b.uri for b in tx.data.batches(model)} for model in models},
            letters=sum(tx.outbox.depth().values()),
            attempts=attempts,
        )


def examine(books: Books, seen: Seen) -> Findings:
    """Hold all against all."""
    found = Findings()
    _signals(books, seen, found)
    _answers(books, found)
    _runs(books, found)
    _ledger(books, found)
    champions = _seats(books, found)
    _histories(books, seen, champions, found)
    found.figures |= {
        "signals acknowledged to somebody": len(seen.acknowledged),
        "signals answered": sum(s.status.ended for s in books.signals),
        "decisions": len(books.records),
        "trainings ordered": sum(r.spec.kind is RunKind.TRAIN for r in books.runs),
        "runs given up after their last attempt": sum(r.state is RunState.DEAD for r in books.runs),
        "runs that failed": sum(r.state is RunState.FAILED for r in books.runs),
        "versions registered": sum(len(v) for v in books.versions.values()),
        "changes of champion": sum(generation for generation, _ in books.seats.values()),
        "reads of a champion": sum(len(o) for o in seen.operations.values()),
        "words of a person, answered": len(seen.words),
    }
    return found


def _signals(books: Books, seen: Seen, found: Findings) -> None:
    """What was acknowledged is there, once, under the number that was given."""
    by_key = Counter(signal.identity for signal in books.signals)
    ids = {signal.key: signal.id for signal in books.signals}
    for key, number in seen.acknowledged.items():
        if key not in ids:
            found.lost.append(f"signal {number} ({key}) was acknowledged and is not in the inbox")
        elif ids[key] != number:
            found.broken.append(f"{key} was acknowledged as {number} and is {ids[key]}")
    found.doubled += [
        f"{identity} is in the inbox {n} times" for identity, n in by_key.items() if n > 1
    ]
    found.broken += seen.disagreements
    for path, model in seen.files.items():
        if not any(uri.endswith(Path(path).name) for uri in books.batches.get(model, ())):
            found.lost.append(f"the file {path} was never taken in")


def _answers(books: Books, found: Findings) -> None:
    """Exactly one end a signal, written by exactly one decision, and at most one training caused by it."""
    ends: Counter[int] = Counter()
    causes: dict[int, list[str]] = defaultdict(list)
    for record, decision in books.records:
        for answer in decision.answers:
            ends[answer.signal] += answer.status.ended
        for action in decision.actions:
            if isinstance(action, StartRun) and action.spec.kind is RunKind.TRAIN:
                for number in {n for cause in action.spec.causes for n in cause.signals}:
                    causes[number].append(f"{action.run} (decision {record.id})")
    for signal in books.signals:
        if not signal.status.ended and signal.status is not SignalStatus.DEFERRED:
            found.lost.append(f"signal {signal.id} ({signal.kind}) never had an answer")
        elif not signal.status.ended and "pending" not in signal.reason:
            found.lost.append(f"signal {signal.id} is put off for ever: {signal.reason}")
        if signal.status.ended and ends[signal.id] != 1:
            found.doubled.append(f"signal {signal.id} was ended by {ends[signal.id]} decisions")
    found.doubled += [
        f"signal {number} caused {', '.join(runs)}"
        for number, runs in causes.items()
        if len(runs) > 1
    ]


def _runs(books: Books, found: Findings) -> None:
    """Every order has its end, every trained model its version, none two."""
    for run in books.runs:
        if not run.state.ended:
            found.lost.append(f"{run.id} never ended: {run.state}")
    if books.letters:
        found.lost.append(f"{books.letters} letters were never settled")
    trained = {
        r.id for r in books.runs if r.spec.kind is RunKind.TRAIN and r.state is RunState.DONE
    }
    brought = Counter(v.run for versions in books.versions.values() for v in versions)
    found.lost += [f"{run} was trained and is no version" for run in sorted(trained - set(brought))]
    found.doubled += [f"{run} brought {n} versions" for run, n in brought.items() if n > 1]
    found.broken += [
        f"a version of {run}, which did not end well" for run in set(brought) - trained
    ]
    orders = Counter(
        action.run
        for _, decision in books.records
        for action in decision.actions
        if isinstance(action, StartRun)
    )
    known = {run.id for run in books.runs}
    found.lost += [f"{run} was ordered and is not there" for run in sorted(set(orders) - known)]
    found.broken += [f"{run} is there and nobody ordered it" for run in sorted(known - set(orders))]
    found.doubled += [f"{run} was ordered {n} times" for run, n in orders.items() if n > 1]


def _ledger(books: Books, found: Findings) -> None:
    """What the trainings themselves wrote: each attempt ran once, and the result of exactly one of them counts."""
    begun = Counter(line["attempt"] for line in books.attempts if line["phase"] == "begin")
    ended = {line["attempt"]: line for line in books.attempts if line["phase"] == "end"}
    found.doubled += [f"attempt {name} ran {n} times" for name, n in begun.items() if n > 1]
    runs = {run.id: run for run in books.runs}
    found.broken += [
        f"a training of {line['run']}, which nobody ordered"
        for line in books.attempts
        if line["run"] not in runs
    ]
    counted: Counter[int] = Counter()
    for versions in books.versions.values():
        for version in versions:
            run = runs.get(version.run)
            line = ended.get(f"{version.run}-{run.fence}") if run else None
            nonce = run.result.get("metrics", {}).get("nonce") if run else None
            if line is None:
                found.lost.append(f"v{version.number} of {version.run} has no line in the ledger")
            elif int(nonce or -1) != line["nonce"]:
                found.broken.append(f"{version.run} counts another result than its fence brought")
            counted[int(nonce or -1)] += 1
    found.doubled += [f"one training counts as {n} versions" for n in counted.values() if n > 1]
    again = Counter(line["run"] for line in books.attempts if line["phase"] == "begin")
    found.figures["trainings that began"] = sum(begun.values())
    found.figures["honest repetitions of a training"] = sum(n - 1 for n in again.values())


def _seats(books: Books, found: Findings) -> dict[str, dict[int, int | None]]:
    """The log walked: each change follows the one before, and ends at the seat as it is."""
    champions: dict[str, dict[int, int | None]] = defaultdict(lambda: {0: None})
    for record, decision in books.records:
        for action in decision.actions:
            if not isinstance(action, SetChampion):
                continue
            model = champions[record.model]
            generation = max(model)
            if action.generation != generation or action.previous != model[generation]:
                found.broken.append(
                    f"decision {record.id} replaces v{action.previous} of generation {action.generation},"
                    f" and v{model[generation]} of generation {generation} sat there"
                )
            model[generation + 1] = action.version
    for name, (generation, champion) in books.seats.items():
        walked = champions[name]
        if (max(walked), walked[max(walked)]) != (generation, champion):
            found.broken.append(f"{name}: the log ends at {max(walked)}, the seat at {generation}")
        seated = [
            v.number for v in books.versions.get(name, ()) if v.state is VersionState.CHAMPION
        ]
        if seated != ([] if champion is None else [champion]):
            found.broken.append(f"{name}: champions {seated}, the seat says {champion}")
    return champions


def _histories(
    books: Books, seen: Seen, champions: Mapping[str, Mapping[int, int | None]], found: Findings
) -> None:
    """Linearizability per model: reads of clients, decisions as writes, words of a person as acknowledged ones."""
    told = {signal: ended for signal, _, ended in seen.words}
    writes: dict[str, list[Operation]] = defaultdict(list)
    for record, decision in books.records:
        for action in decision.actions:
            if isinstance(action, SetChampion):
                heard = [told[a.signal] for a in decision.answers if a.signal in told]
                writes[record.model].append(
                    Operation(
                        record.decided_at.timestamp(),
                        min(heard, default=float("inf")),
                        action.generation + 1,
                        action.version,
                        write=True,
                    )
                )
    checked = 0
    for model, known in champions.items():
        operations = [*writes[model], *seen.operations.get(model, [])]
        checked += len(operations)
        violation = find_violation(operations, known)
        if violation:
            found.broken.append(f"{model} is not linearizable: {violation}")
    found.figures["operations checked for linearizability"] = checked


def verify_all(home: Path, database: str) -> str:
    """`incumbent verify --all`; what it complained of, empty if the chain is whole."""
    program = str(Path(sys.executable).with_name("incumbent"))
    done = subprocess.run(
        [program, "verify", "--all", "--json"],
        env=environment(INCUMBENT_HOME=str(home), INCUMBENT_DATABASE_URL=database),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode == 0:
        return ""
    try:
        return f"verify --all: {json.dumps(json.loads(done.stdout))[:500]}"
    except ValueError:
        return f"verify --all ended with {done.returncode}: {done.stderr[-500:]}"
