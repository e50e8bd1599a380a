"""Reads one model's snapshot: everything a decision may look at, in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeGuard

from controller.domain import codec
from controller.domain.canonical import parse_time
from controller.domain.data import served_stream
from controller.domain.errors import IntegrityError
from controller.domain.evidence import Evaluation
from controller.domain.rules import Policy
from controller.domain.runs import Run, RunKind, RunState, RunView
from controller.domain.signals import Signal, SignalKind
from controller.domain.snapshot import (
    AliasView,
    ApprovalView,
    DataView,
    KeepView,
    Snapshot,
    UseView,
)
from controller.domain.use import Alias
from controller.domain.versions import (
    LIVING,
    SEATED_BEFORE,
    UNDECIDED,
    Version,
    VersionState,
    VersionView,
)
from controller.policy.approvals import said_by_people
from controller.ports import ActiveRules, Query, Transaction
from controller.service.deciding.askers import askers
from controller.service.deciding.foreign_moves import read_moves
from controller.service.deciding.records import read_records
from controller.service.deciding.trials import read_holdouts, read_trials
from controller.service.deciding.views import ALL, View

_RECENT = timedelta(days=1)
_ACTIVE = (RunState.QUEUED.value, RunState.RUNNING.value)
_REIGNS = 20
_NAMES = 20
_MOST_VERSION = 2**31 - 1
"""The database numbers versions with 32 bits; what is beyond names none."""
_LONGEST_NAME = 1000
"""Characters; longer texts name no run and no alias."""


def take_snapshot(
    tx: Transaction, rules: ActiveRules, policy: Policy, now: datetime, view: View = ALL
) -> Snapshot:
    """The model's state as this transaction sees it; ``view`` says which signals are looked into.

    Of a model that rests only that is read which a person's wish needs.
    """
    model = rules.model
    state = tx.models.state(model)
    signals, aside = view.select(tx, model)
    history = tuple(tx.registry.history(model, _REIGNS))
    named = {reign.version for reign in history} | _named_versions(signals)
    living = tx.registry.versions(model, states=_in_play(policy))
    missing = named - {version.number for version in living}
    others = tx.registry.versions(model, numbers=missing) if missing else []
    versions = sorted([*living, *others], key=lambda v: v.number, reverse=True)
    seen = _judged(versions, {reign.version for reign in history})
    evaluations = tx.registry.evaluations(model, seen) if seen and not view.resting else {}
    reports = tuple(_reports(signals))
    approvals = tuple(tx.models.approvals(model))
    spoken = _spoken_about(signals, approvals)
    return Snapshot(
        model=model,
        generation=state.generation,
        next_version=state.next_version,
        next_run=state.next_run,
        rules=rules.ref,
        signals=tuple(_slim(signal) for signal in signals),
        versions=tuple(_view(tx, v, evaluations.get(v.number), spoken) for v in versions),
        runs=_runs(tx, model, now, _named_runs(signals)),
        history=history,
        data=tx.data.view(model),
        served=tx.data.view(served_stream(model)) if policy.data.served else DataView(),
        hold=state.hold,
        budget=replace(state.budget, levels=_levels(state.budget.levels, living)),
        approvals=approvals,
        evaluations=reports,
        holdouts=read_holdouts(tx, policy, reports),
        last_fired=state.last_fired,
        recipe_index=state.recipe_index,
        trials=read_trials(tx, policy),
        rest=state.rest,
        rollout=state.rollout,
        aliases=tuple(
            AliasView(name=alias.name, generation=alias.generation, version=alias.version)
            for alias in _aliases(tx, model, signals)
        ),
        uses=tuple(_uses(tx, model, versions, now)),
        keeps=tuple(
            KeepView(version=keep.version, reason=keep.reason, actor=keep.actor)
            for keep in tx.keeps.of(model)
        ),
        moves=read_moves(tx, model, signals, now),
        records=read_records(tx, policy, signals, history, versions),
        set_aside=aside,
        resting=view.resting,
    )


def _in_play(policy: Policy) -> frozenset[VersionState]:
    """States whose versions are all read; of those that left the seat only where the policy retires them."""
    return LIVING if policy.deprecate is not None else LIVING - SEATED_BEFORE


def _judged(versions: Iterable[Version], seated: set[int]) -> list[int]:
    """The versions whose evaluation a decision may look at: those in play, the champion, the anchor's line."""
    return [
        version.number
        for version in versions
        if version.state in UNDECIDED or version.number in seated
    ]


def _aliases(tx: Transaction, model: str, signals: Iterable[Signal]) -> list[Alias]:
    """Those that point somewhere, and those that a signal names: what was taken away has a generation too."""
    found = {alias.name: alias for alias in tx.aliases.of(model)}
    for signal in signals:
        name = signal.payload.get("alias")
        if signal.kind is SignalKind.ALIAS and _is_name(name) and name not in found:
            alias = tx.aliases.get(model, name)
            if alias is not None:
                found[name] = alias
    return [found[name] for name in sorted(found)]


def _uses(
    tx: Transaction, model: str, versions: Iterable[Version], now: datetime
) -> Iterator[UseView]:
    """Who uses what has left the seat; of many consumers the first names and their number."""
    left = {version.number for version in versions if version.state in SEATED_BEFORE}
    leases = tx.consumers.of(model, live_at=now) if left else []
    for number in sorted(left):
        using = [lease for lease in leases if lease.version == number]
        if using:
            yield UseView(
                version=number,
                consumers=tuple(lease.name for lease in using[:_NAMES]),
                count=len(using),
                until=max(lease.until for lease in using),
            )


def _levels(levels: Mapping[str, float], living: list[Version]) -> dict[str, float]:
    known = {str(version.number) for version in living}
    return {key: level for key, level in levels.items() if key in known}


def _named_versions(signals: Iterable[Signal]) -> set[int]:
    found: set[int] = set()
    for signal in signals:
        found |= {n for key in ("version", "to") if _is_version(n := signal.payload.get(key))}
        listed = signal.payload.get("versions")
        if signal.kind is SignalKind.RETAIN and isinstance(listed, (list, tuple)):
            found |= {n for n in listed if _is_version(n)}
    return found


def _spoken_about(signals: Iterable[Signal], said: Iterable[ApprovalView]) -> set[int]:
    """The versions that somebody approved or approves: of these it matters who asked for them."""
    now = (s.payload.get("version") for s in signals if s.kind is SignalKind.APPROVAL)
    before = {word.version for word in said_by_people(said)}
    return before | {number for number in now if _is_version(number)}


def _is_version(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= _MOST_VERSION


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def _named_runs(signals: Iterable[Signal]) -> set[str]:
    return {name for signal in signals if _is_name(name := signal.payload.get("run"))}


def _view(
    tx: Transaction, version: Version, evaluation: Evaluation | None, spoken: set[int]
) -> VersionView:
    """A version; of those that left the seat, p-values stand for the whole evaluation."""
    open_ = version.state in UNDECIDED or version.state is VersionState.CHAMPION
    archived = version.state is VersionState.ARCHIVED
    return VersionView(
        number=version.number,
        state=version.state,
        run=version.run,
        digest=version.digest,
        recipe=version.recipe,
        created_at=version.created_at,
        data_through=version.data_through,
        metrics=version.metrics,
        evaluation=evaluation if open_ else None,
        passes={e.gate: e.p_pass for e in evaluation.evidence} if evaluation and not open_ else {},
        sunset=version.sunset,
        removed=archived and _is_removed(tx, version),
        was_rejected=archived and _was_rejected(tx, version),
        verified=version.verified,
        promoted_at=version.promoted_at,
        state_since=version.state_since,
        asked_by=_askers(tx, version) if version.number in spoken else (),
    )


def _askers(tx: Transaction, version: Version) -> tuple[str, ...]:
    """Of versions that still may be approved."""
    if version.state not in UNDECIDED:
        return ()
    return tuple(sorted(askers(tx, version.model, version.number)))


def _is_removed(tx: Transaction, version: Version) -> bool:
    return any(one.version == version.number for one in tx.keeps.removals(version.model))


def _was_rejected(tx: Transaction, version: Version) -> bool:
    ended = {VersionState.REJECTED, VersionState.FAILED}
    return any(fact.after in ended for fact in tx.facts.of(version.model, version.number))


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


def _asked_by(run: Run) -> tuple[int, ...]:
    if run.spec.kind is not RunKind.VERIFY:
        return ()
    return tuple(signal for cause in run.spec.causes for signal in cause.signals)


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
        asked_by=_asked_by(run),
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
