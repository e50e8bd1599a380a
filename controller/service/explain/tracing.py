"""Tells the trace of each signal: its answer, the runs that followed, and what they led to.

The ids are derived (:mod:`controller.domain.tracing`), so everything here reads what is in the database already and
keeps nothing of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.decisions import Decision, DecisionRecord, StartRun
from controller.domain.errors import IncumbentError
from controller.domain.runs import Run
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.tracing import Span, SpanContext, SpanKind, place_of, trace_named, trace_of
from controller.ports import Clock, Store, Tracer, Transaction

log = logging.getLogger(__name__)

_MOST_SIGNALS = 50
"""Signals of one decision that get spans of their own."""
_DEEPEST = 20
"""Steps back to the beginning; a story has about five."""
_ENDS = frozenset({SignalKind.RUN_FINISHED, SignalKind.RUN_FAILED})
_ABOUT_VERSIONS = frozenset({SignalKind.APPROVAL, SignalKind.REJECT, SignalKind.PROMOTE})


class Tracing:
    """What the engine, the relay and the API tell."""

    def __init__(self, store: Store, clock: Clock, tracer: Tracer) -> None:
        self._store, self._clock, self._tracer = store, clock, tracer

    def decided(self, record: DecisionRecord, decision: Decision) -> None:
        """A decision was written: the signals that it was the first to answer, and the decision itself."""
        try:
            with self._store.read() as tx:
                spans = list(_of_decision(tx, record, decision))
        except IncumbentError as error:
            log.debug("no trace", extra={"action": "trace", "why": error.sentence()})
            return
        for span in spans:
            self._tracer.record(span)

    def rung(self, run: Run) -> Mapping[str, str]:
        """A worker is rung for: the headers that the message carries."""
        try:
            with self._store.read() as tx:
                trace = trace_of_run(tx, run)
        except IncumbentError:
            return {}
        place = place_of(trace, "ring", f"{run.id}:{run.fence}")
        now = self._clock.now()
        self._tracer.record(
            Span(
                name=f"ring {run.spec.queue}",
                place=place,
                parent=place_of(trace, "decision", run.decision),
                start=now,
                end=now + timedelta(microseconds=1),
                kind=SpanKind.PRODUCER,
                attributes={
                    "messaging.system": "celery",
                    "messaging.destination.name": run.spec.queue,
                    "incumbent.run": run.id,
                    "incumbent.model": run.model,
                    "incumbent.fence": run.fence,
                },
            )
        )
        return {"traceparent": place.header}

    def accepted(self, number: int, how: Arrival) -> None:
        """The API accepted a signal."""
        try:
            with self._store.read() as tx:
                signal = tx.signals.get(number)
                trace = trace_of_signal(tx, signal) if signal else ""
        except IncumbentError:
            return
        if trace:
            self._tracer.record(
                Span(
                    name=how.name,
                    place=place_of(trace, "accepted", number),
                    parent=place_of(trace, "signal", number),
                    start=how.start,
                    end=how.end,
                    kind=SpanKind.SERVER,
                    attributes={"incumbent.signal": number},
                    links=() if how.sender is None else (how.sender,),
                )
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """How a signal came in, and the span of who sent it if that was told."""

    name: str
    start: datetime
    end: datetime
    sender: SpanContext | None = None


def trace_of_signal(tx: Transaction, signal: Signal) -> str:
    """The trace that a signal belongs to: its own, or that of the run or version that it tells of."""
    return trace_of(beginning(tx, signal))


def beginning(tx: Transaction, signal: Signal) -> Signal:
    """The signal that began the story which this one belongs to; itself, where it begins one."""
    seen = signal
    for _ in range(_DEEPEST):
        before = _before(tx, seen)
        if before is None or before.id == seen.id:
            break
        seen = before
    return seen


def trace_of_run(tx: Transaction, run: Run) -> str:
    """The trace that a run belongs to."""
    first = _first_cause(tx, run)
    return trace_of_signal(tx, first) if first else trace_named(run.id)


def _before(tx: Transaction, signal: Signal) -> Signal | None:
    """The signal that led to this one, None if it is a beginning."""
    run: Run | None = None
    if signal.kind in _ENDS:
        run = tx.runs.get(str(signal.payload.get("run", "")))
    elif signal.kind in _ABOUT_VERSIONS:
        number = signal.payload.get("version")
        found = (
            tx.registry.versions(signal.model, numbers=(number,)) if isinstance(number, int) else []
        )
        run = tx.runs.get(found[0].run) if found else None
    return None if run is None else _first_cause(tx, run)


def _first_cause(tx: Transaction, run: Run) -> Signal | None:
    numbers = [number for cause in run.spec.causes for number in cause.signals]
    return tx.signals.get(numbers[0]) if numbers else None


def _of_decision(tx: Transaction, record: DecisionRecord, decision: Decision) -> list[Span]:
    # A story goes on with the runs that the decision orders; else with what it answers, ended or not.
    ordered = _ordered_for(decision)
    answered = [answer.signal for answer in decision.answers]
    new = _open_before(record) & set(answered)
    spans: list[Span] = []
    parents: list[SpanContext] = []
    for number in list(dict.fromkeys([*ordered, *answered]))[:_MOST_SIGNALS]:
        signal = tx.signals.get(number)
        if signal is not None:
            span = _of_signal(tx, signal, decision)
            parents.append(span.place)
            if number in new:
                spans.append(span)
    if parents:
        trace, parent = parents[0].trace, parents[0]
    else:
        trace, parent = trace_named(record.hash), None
    spans.append(
        Span(
            name=f"decision {decision.verdict.value}",
            place=place_of(trace, "decision", record.id),
            parent=parent,
            start=decision.decided_at,
            end=decision.decided_at + timedelta(microseconds=1),
            attributes={
                "incumbent.model": decision.model,
                "incumbent.decision": record.id,
                "incumbent.verdict": decision.verdict.value,
                "incumbent.reason": decision.reason,
                "incumbent.champion.before": decision.champion_before or 0,
                "incumbent.champion.after": decision.champion_after or 0,
            },
            links=tuple(place for place in parents[1:] if place.trace != trace),
        )
    )
    return spans


def _ordered_for(decision: Decision) -> list[int]:
    """The first signal of each run that the decision orders."""
    orders = [action for action in decision.actions if isinstance(action, StartRun)]
    causes = [[n for cause in order.spec.causes for n in cause.signals] for order in orders]
    return [numbers[0] for numbers in causes if numbers]


def _open_before(record: DecisionRecord) -> set[int]:
    """Signals that nobody had answered: each is told once, by the decision that answers it first."""
    signals = json.loads(record.snapshot).get("signals", ())
    return {one["id"] for one in signals if one.get("status", "open") == SignalStatus.OPEN.value}


def _of_signal(tx: Transaction, signal: Signal, decision: Decision) -> Span:
    began = beginning(tx, signal)
    trace = trace_of(began)
    parent = None if began.id == signal.id else place_of(trace, "signal", began.id)
    if signal.kind in _ENDS:
        run = tx.runs.get(str(signal.payload.get("run", "")))
        parent = None if run is None else place_of(trace, "run", f"{run.id}:{run.fence}")
    return Span(
        name=f"signal {signal.kind.value}",
        place=place_of(trace, "signal", signal.id),
        parent=parent,
        start=signal.received_at,
        end=max(signal.received_at, decision.decided_at),
        kind=SpanKind.CONSUMER,
        attributes={
            "incumbent.model": signal.model,
            "incumbent.signal": signal.id,
            "incumbent.actor": signal.actor,
        },
    )
