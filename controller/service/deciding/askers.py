"""Who asked for a version: what the service refuses by, and what a snapshot tells the deciding code."""

from __future__ import annotations

from collections.abc import Iterator

from controller.domain.runs import Run
from controller.domain.signals import Signal, SignalKind
from controller.ports import Transaction

_NAMED_BY = {SignalKind.RUN_FINISHED: "run"}
"""The key of the payload that names an earlier run; ``retry_of`` in all other kinds."""


def askers(tx: Transaction, model: str, version: int) -> frozenset[str]:
    """The people whose signals led to the training of this version."""
    found = tx.registry.versions(model, numbers=(version,))
    run = tx.runs.get(found[0].run) if found else None
    return frozenset(_actors(tx, run)) if run else frozenset()


def _actors(tx: Transaction, run: Run) -> Iterator[str]:
    """Who sent the signals that caused this run, and those that caused the runs that it follows from."""
    waiting, seen = [run.id], {run.id}
    while waiting:
        found = tx.runs.get(waiting.pop())
        numbers = [n for cause in found.spec.causes for n in cause.signals] if found else []
        for signal in filter(None, map(tx.signals.get, numbers)):
            yield signal.actor
            before = _run_before(signal)
            if before and before not in seen:
                seen.add(before)
                waiting.append(before)


def _run_before(signal: Signal) -> str:
    """The run that the signal tries again or tells the end of; empty where there is none."""
    name = signal.payload.get(_NAMED_BY.get(signal.kind, "retry_of"))
    return name if isinstance(name, str) else ""
