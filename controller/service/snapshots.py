"""Reads one model's snapshot: everything a decision may look at, in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from controller.domain import codec
from controller.domain.canonical import parse_time
from controller.domain.data import served_stream
from controller.domain.errors import IntegrityError
from controller.domain.evidence import Evaluation
from controller.domain.rules import Policy
from controller.domain.runs import Run, RunKind, RunState, RunView
from controller.domain.signals import Signal, SignalKind
from controller.domain.snapshot import DataView, Snapshot
from controller.domain.versions import LIVING, Version, VersionView
from controller.ports import ActiveRules, Query, Transaction
from controller.service.trials import read_holdouts, read_trials

_RECENT = timedelta(days=1)
_ACTIVE = (RunState.QUEUED.value, RunState.RUNNING.value)
_REIGNS = 20


def take_snapshot(tx: Transaction, rules: ActiveRules, policy: Policy, now: datetime) -> Snapshot:
    """The model's state as this transaction sees it."""
    model = rules.model
    state = tx.models.state(model)
    signals = tx.signals.pending(model)
    history = tuple(tx.registry.history(model, _REIGNS))
    named = {reign.version for reign in history} | _named_versions(signals)
    living = tx.registry.versions(model, states=LIVING)
    missing = named - {version.number for version in living}
    others = tx.registry.versions(model, numbers=missing) if missing else []
    versions = sorted([*living, *others], key=lambda v: v.number, reverse=True)
    evaluations = tx.registry.evaluations(model, [v.number for v in versions])
    reports = tuple(_reports(signals))
    return Snapshot(
        model=model,
        generation=state.generation,
        next_version=state.next_version,
        next_run=state.next_run,
        rules=rules.ref,
        signals=tuple(_slim(signal) for signal in signals),
        versions=tuple(_view(v, evaluations.get(v.number)) for v in versions),
        runs=_runs(tx, model, now, _named_runs(signals)),
        history=history,
        data=tx.data.view(model),
        served=tx.data.view(served_stream(model)) if policy.data.served else DataView(),
        hold=state.hold,
        budget=replace(state.budget, levels=_levels(state.budget.levels, living)),
        approvals=tx.models.approvals(model),
        evaluations=reports,
        holdouts=read_holdouts(tx, policy, reports),
        last_fired=state.last_fired,
        recipe_index=state.recipe_index,
        trials=read_trials(tx, policy),
        rest=state.rest,
        rollout=state.rollout,
    )


def _levels(levels: Mapping[str, float], living: list[Version]) -> dict[str, float]:
    known = {str(version.number) for version in living}
    return {key: level for key, level in levels.items() if key in known}


def _named_versions(signals: Iterable[Signal]) -> set[int]:
    found: set[int] = set()
    for signal in signals:
        for key in ("version", "to"):
            value = signal.payload.get(key)
            if isinstance(value, int) and not isinstance(value, bool):
                found.add(value)
    return found


def _named_runs(signals: Iterable[Signal]) -> set[str]:
    return {str(s.payload["run"]) for s in signals if "run" in s.payload}


def _view(version: Version, evaluation: Evaluation | None) -> VersionView:
    return VersionView(
        number=version.number,
        state=version.state,
        run=version.run,
        digest=version.digest,
        recipe=version.recipe,
        created_at=version.created_at,
        data_through=version.data_through,
        metrics=version.metrics,
        evaluation=evaluation,
        verified=version.verified,
        promoted_at=version.promoted_at,
        state_since=version.state_since,
    )


def _runs(tx: Transaction, model: str, now: datetime, named: set[str]) -> tuple[RunView, ...]:
    """All that have not ended, those ordered in the last day, the newest of each kind, those that are named."""
    found = {run.id: run for run in tx.runs.find(Query(model=model, states=_ACTIVE, limit=1000))}
    since = now - _RECENT
    found |= {run.id: run for run in tx.runs.find(Query(model=model, since=since, limit=1000))}
    for kind in RunKind:
        found |= {
            run.id: run for run in tx.runs.find(Query(model=model, kinds=(kind.value,), limit=1))
        }
    for identity in named - set(found):
        run = tx.runs.get(identity)
        if run is not None:
            found[identity] = run
    return tuple(_run_view(run) for run in sorted(found.values(), key=lambda run: run.number))


def _run_view(run: Run) -> RunView:
    return RunView(
        id=run.id,
        number=run.number,
        kind=run.spec.kind,
        state=run.state,
        recipe=run.spec.recipe,
        ordered_at=run.ordered_at,
        ended_at=run.ended_at,
        attempt=run.attempt,
        triggers=tuple(cause.trigger for cause in run.spec.causes),
        version=run.spec.version,
        champion=run.spec.champion,
        data_through=run.spec.data_through,
        reason=run.reason,
        served_through=int(run.spec.details.get("served_through") or 0),
        look_again=_moment(run.result.get("look_again")),
    )


def _moment(text: object) -> datetime | None:
    """A time that a worker told; what is none says nothing."""
    with contextlib.suppress(ValueError):
        return parse_time(text) if isinstance(text, str) else None
    return None


def _reports(signals: Iterable[Signal]) -> Iterator[Evaluation]:
    """The evaluations that finished runs report; what has not the shape of one is left out, and so never passes."""
    for signal in signals:
        report = signal.payload.get("evaluation")
        if signal.kind is not SignalKind.RUN_FINISHED or report is None:
            continue
        with contextlib.suppress(IntegrityError):
            yield codec.load_plain(Evaluation, report)


def _slim(signal: Signal) -> Signal:
    """A report stands in the snapshot once, as an evaluation, not a second time in the signal's payload."""
    if "evaluation" not in signal.payload:
        return signal
    rest = {key: value for key, value in signal.payload.items() if key != "evaluation"}
    return replace(signal, payload=rest)
