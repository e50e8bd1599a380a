"""The recorded history of a model as a series: its signals, and what its trainings brought.

A candidate stands at the time when its training was ordered. Its evidence becomes values with 95 % intervals, so gates
are judged as for a normal distribution; `plan` is exact where that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import NormalDist

from controller.domain import codec
from controller.domain.errors import NotFound
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import SERVABLE
from controller.domain.runs import RunKind, RunView
from controller.domain.signals import TRAINING_CAUSES, Signal, SignalKind
from controller.domain.snapshot import Snapshot
from controller.ports import Transaction
from controller.rulefmt.series import SeriesRow
from controller.rulefmt.testcandidates import Against, RuleTestCandidate, RuleTestMetric
from controller.rulefmt.testcases import RuleTestEvent

_HALF_WIDTH = NormalDist().inv_cdf(0.975)
_PLAYED = TRAINING_CAUSES - {SignalKind.SCHEDULE} | {SignalKind.METRIC}


def recorded_series(tx: Transaction, model: str) -> list[SeriesRow]:
    """The rows of one model's log; NotFound if it holds none."""
    rows: list[SeriesRow] = []
    trainings: dict[str, RunView] = {}
    newest = 0
    for record in tx.decisions.walk(model=model):
        snapshot = codec.load_value(Snapshot, record.snapshot)
        trainings |= {run.id: run for run in snapshot.runs if run.kind is RunKind.TRAIN}
        new = [s for s in snapshot.signals if s.id > newest]
        newest = max([newest, *(s.id for s in new)])
        events = tuple(_events(new))
        if events:
            rows.append(SeriesRow(at=record.decided_at, events=events))
        rows += _candidates(snapshot, trainings)
    if not rows:
        raise NotFound(f"Nothing is recorded of {model}.", hint="Give a --series instead.")
    return sorted(rows, key=lambda row: (row.at, row.candidate is None))


def _events(signals: list[Signal]) -> Iterator[RuleTestEvent]:
    for signal in signals:
        profiled = signal.kind is SignalKind.RUN_FINISHED and "columns" in signal.payload
        kind = SignalKind.DRIFT if profiled else signal.kind
        if kind not in _PLAYED:
            continue
        yield RuleTestEvent(
            at=timedelta(0),
            kind=kind.value,
            payload=signal.payload,
            actor=signal.actor,
            trigger=signal.trigger,
        )


def _candidates(snapshot: Snapshot, trainings: dict[str, RunView]) -> Iterator[SeriesRow]:
    for evaluation in snapshot.evaluations:
        version = snapshot.version(evaluation.version)
        training = trainings.get(version.run) if version is not None else None
        if training is None:
            continue
        ended: datetime = training.ended_at or training.ordered_at
        takes = max(ended - training.ordered_at, timedelta(0))
        yield SeriesRow(at=training.ordered_at, candidate=_candidate(evaluation, takes))


def _candidate(evaluation: Evaluation, takes: timedelta) -> RuleTestCandidate:
    metrics: dict[str, RuleTestMetric] = {}
    for evidence in evaluation.evidence:
        if evidence.gate == SERVABLE:
            continue
        before = metrics.get(
            evidence.metric, RuleTestMetric(value=evidence.challenger, rows=evidence.n)
        )
        metrics[evidence.metric] = RuleTestMetric(
            value=before.value,
            rows=before.rows,
            against={**before.against, **_against(evidence)},
        )
    servable = evaluation.for_gate(SERVABLE)
    return RuleTestCandidate(
        takes=takes, servable=servable is not None and servable.challenger == 1.0, metrics=metrics
    )


def _against(evidence: GateEvidence) -> dict[str, Against]:
    if evidence.reference is None:
        return {}
    who = evidence.reference_name.partition(" ")[0]
    error = evidence.details.get("standard_error")
    if not isinstance(error, (int, float)):
        low, high = evidence.interval_low, evidence.interval_high
        wide = low is not None and high is not None and 0.5 < evidence.confidence < 1
        error = (
            ((high or 0.0) - (low or 0.0)) / (2 * NormalDist().inv_cdf(evidence.confidence))
            if wide
            else None
        )
    if error is None or evidence.difference is None:
        return {who: Against(value=evidence.reference)}
    half = _HALF_WIDTH * float(error)
    interval = (evidence.difference - half, evidence.difference + half)
    return {who: Against(value=evidence.reference, interval=interval)}
