"""Roll back: the champion leaves the seat to a version that sat there before and is proven to answer.

A demand is a person's request or a condition of ``rollback.when`` that is shown to hold. The target is loaded and
asked in a fresh process before the seat moves; where it fails, the next one in line is tried, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from controller.domain.decisions import (
    Action,
    MarkVerified,
    MoveVersion,
    Outcome,
    PlaceHold,
    Result,
    SetChampion,
    Verdict,
)
from controller.domain.durations import format_duration
from controller.domain.runs import Cause, RunKind, RunState, RunView
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.domain.versions import SEATED_BEFORE, VersionState, VersionView
from controller.policy.context import DecisionContext, ReasonResult, answer_all
from controller.policy.decayed import decay_figures
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import order_verification
from controller.policy.watch import describe_condition, nothing_bad, reading_node, readings, unasked

_CAUSE = "rollback"
_FLAP = timedelta(days=7)
"""Two rollbacks within this time are a seat that flaps: automatic promotion rests, whatever the policy says."""

DRILL_CAUSE = SignalKind.DRILL.value
"""What a verification was ordered for, beside the conditions of the policy and people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Demand:
    """Why the champion should leave, who says so, and whether it may go without proof of the target."""

    why: str
    actor: str
    signals: tuple[Signal, ...]
    nodes: tuple[Outcome, ...] = ()
    wanted: int | None = None
    forced: bool = False


def roll_back(context: DecisionContext) -> ReasonResult | None:
    """A person's request comes first, then what the champion's own figures say."""
    requests = context.signals(SignalKind.ROLLBACK)
    if requests:
        return _requested(context, requests[0])
    sent = (s for s in context.signals(SignalKind.METRIC) if s not in context.rollout_figures)
    figures = (*sent, *decay_figures(context))
    if figures:
        return _watched(context, figures)
    drills = context.signals(SignalKind.DRILL)
    if drills:
        return _drill(context, drills[0])
    return _verifications_without_demand(context)


def _drill(context: DecisionContext, signal: Signal) -> ReasonResult:
    """A person's drill: the run is ordered, and its end answers the signal."""
    wanted = signal.payload.get("to")
    demand = _Demand(why=DRILL_CAUSE, actor=signal.actor, signals=(signal,))
    ended = _ended_verifications(context, demand)
    broken = {run.version for run, _ in ended if run.state is not RunState.DONE}
    number = wanted if isinstance(wanted, int) else None
    target = target_of(context, number, without=broken)
    if target is None:
        return _no_target(demand, broken, ended)
    done = next(
        (r for r, _ in ended if r.version == target.number and r.state is RunState.DONE), None
    )
    if done is None:
        return _verify_first(context, target, demand, ended)
    tried = [f"v{run.version} ({run.reason})" for run, _ in ended if run.state is not RunState.DONE]
    sentence = (
        f"a rollback to v{target.number} would work, it answered in {done.id}; {context.seat_stays}"
    )
    if tried:
        sentence += f"; {', '.join(tried)} could not be loaded"
    return ReasonResult(
        node=Outcome(name=DRILL_CAUSE, result=Result.DONE, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(MarkVerified(version=target.number),),
        answers=(*answer_all((signal,), SignalStatus.HANDLED, sentence), *_close(ended)),
    )


def _requested(context: DecisionContext, signal: Signal) -> ReasonResult:
    payload = signal.payload
    why = str(payload.get("reason") or "no reason given")
    seen, wanted = payload.get("expect_version"), payload.get("to")
    champion = context.champion
    if champion is None:
        return _refused((signal,), "there is no champion to roll back")
    if seen is not None and seen != champion.number:
        return _refused((signal,), f"v{seen} is no longer the champion, v{champion.number} is")
    demand = _Demand(
        why=why,
        actor=signal.actor,
        signals=(signal,),
        wanted=wanted if isinstance(wanted, int) else None,
        forced=bool(payload.get("force")),
    )
    return _meet(context, champion, demand)


def _watched(context: DecisionContext, figures: tuple[Signal, ...]) -> ReasonResult | None:
    """Each figure against each condition; the first condition that is shown to hold is a demand."""
    champion = context.champion
    about = tuple(s for s in figures if _is_about(s, champion))
    found, booked = readings(context, about, champion.number if champion else None)
    bad = next((r for r in found if r.bad), None)
    if bad is not None and champion is not None:
        demand = _Demand(
            why=f"{describe_condition(bad.condition)}: {bad.sentence}",
            actor="system",
            signals=(bad.signal,),
            nodes=tuple(reading_node(r) for r in found),
        )
        return _meet(context, champion, demand)
    return nothing_bad("watch", figures, found, booked, lambda s: _ignored(s, champion))


def _is_about(signal: Signal, champion: VersionView | None) -> bool:
    number = signal.payload.get("version")
    return champion is not None and (number is None or number == champion.number)


def _ignored(signal: Signal, champion: VersionView | None) -> str:
    if not _is_about(signal, champion):
        return f"it is about v{signal.payload.get('version')}, which is not the champion"
    return unasked(signal)


def _meet(context: DecisionContext, champion: VersionView, demand: _Demand) -> ReasonResult:
    """Verify the target, then move; with ``force`` move at once."""
    ended = _ended_verifications(context, demand)
    broken = {run.version for run, _ in ended if run.state is not RunState.DONE}
    target = target_of(context, demand.wanted, without=broken)
    if target is None:
        return _no_target(demand, broken, ended)
    proven = any(run.version == target.number and run.state is RunState.DONE for run, _ in ended)
    if demand.forced or proven:
        return seat_earlier(context, champion, target, demand, ended)
    return _verify_first(context, target, demand, ended)


def _verify_first(
    context: DecisionContext,
    target: VersionView,
    demand: _Demand,
    ended: tuple[tuple[RunView, Signal | None], ...],
) -> ReasonResult:
    running = next(
        (
            run
            for run in context.snapshot.runs
            if run.kind is RunKind.VERIFY and run.version == target.number and not run.state.ended
        ),
        None,
    )
    cause = Cause(trigger=_CAUSE, signals=tuple(s.id for s in demand.signals), sentence=demand.why)
    order = None if running else order_verification(context, target, cause)
    name = running.id if running else order.run if order else ""
    then = (
        context.seat_stays
        if demand.why == DRILL_CAUSE
        else f"then v{target.number} becomes champion again"
    )
    sentence = f"{name} verifies that v{target.number} still answers; {then}"
    skipped = [run for run, _ in ended if run.state is not RunState.DONE]
    if skipped:
        sentence += f" (v{skipped[-1].version} could not be loaded: {skipped[-1].reason})"
    return ReasonResult(
        node=Outcome(
            name="roll back", result=Result.PENDING, sentence=sentence, children=demand.nodes
        ),
        verdict=Verdict.NONE if order else None,
        actions=(order,) if order else (),
        answers=(
            *answer_all(demand.signals, SignalStatus.DEFERRED, sentence),
            *_close(ended),
        ),
    )


def seat_earlier(
    context: DecisionContext,
    champion: VersionView,
    target: VersionView,
    demand: _Demand,
    ended: tuple[tuple[RunView, Signal | None], ...],
) -> ReasonResult:
    """Move the seat, reject the version that failed, and rest automatic promotion if the policy says so."""
    by = "rolled back" if demand.actor == "system" else f"{demand.actor} rolled back"
    sentence = f"{by} from v{champion.number} to v{target.number}: {demand.why}"
    actions: list[Action] = [
        MoveVersion(
            version=champion.number,
            before=VersionState.CHAMPION,
            after=VersionState.REJECTED,
            reason=sentence,
        ),
        SetChampion(
            version=target.number,
            generation=context.snapshot.generation,
            previous=champion.number,
            reason=sentence,
            cause="rollback",
        ),
    ]
    if not demand.forced:
        actions.append(MarkVerified(version=target.number))
    flaps = _rolled_back_lately(context)
    rests = context.policy.rollback.then == "hold" or flaps > 0
    if rests and context.snapshot.hold is None:
        why = (
            f"after {flaps + 1} rollbacks in {format_duration(_FLAP)}"
            if flaps
            else "after a rollback"
        )
        actions.append(PlaceHold(reason=f"{why}: {sentence}", actor=demand.actor))
    return ReasonResult(
        node=Outcome(
            name="roll back",
            result=Result.DONE,
            sentence=sentence,
            values={"to": target.number, "actor": demand.actor, "forced": demand.forced},
            children=demand.nodes,
        ),
        verdict=Verdict.ROLLBACK,
        actions=(*actions, *context.notices("rolled_back", sentence)),
        answers=(*answer_all(demand.signals, SignalStatus.HANDLED, sentence), *_close(ended)),
        champion_after=target.number,
    )


def _rolled_back_lately(context: DecisionContext) -> int:
    """How many reigns a rollback ended of late; a model that trades places is for a person to look at."""
    since = context.now - _FLAP
    return sum(
        reign.ended_by == "rollback" and reign.until is not None and reign.until >= since
        for reign in context.snapshot.history
    )


def target_of(
    context: DecisionContext, wanted: int | None = None, without: set[int | None] | None = None
) -> VersionView | None:
    """Who takes the seat back: ``wanted``, or the newest earlier champion that is proven to answer.

    The order is that of who really sat there, never that of version numbers or archive dates.
    """
    champion = context.champion
    seated = [
        view
        for reign in context.snapshot.history
        if (view := context.snapshot.version(reign.version)) is not None
        and view.state in SEATED_BEFORE
        and (champion is None or view.number != champion.number)
        and view.number not in (without or set())
    ]
    if wanted is not None:
        return next((view for view in seated if view.number == wanted), None)
    if context.policy.rollback.to == "last_verified":
        return next((view for view in seated if view.verified), None)
    return next(iter(seated), None)


def _ended_verifications(
    context: DecisionContext, demand: _Demand
) -> tuple[tuple[RunView, Signal | None], ...]:
    """Verifications that ended and were ordered for the demand or after it, each with its signal if that is still open.

    What was ordered for it is told by its signals: a clock that was ahead when they came and was corrected would
    otherwise let every verification look older than the demand, and order them for ever.
    """
    since = min(signal.received_at for signal in demand.signals)
    demanded = {signal.id for signal in demand.signals}
    reports = {str(s.payload.get("run")): s for s in _verify_signals(context)}
    return tuple(
        (run, reports.get(run.id))
        for run in context.snapshot.runs
        if run.kind is RunKind.VERIFY
        and run.state.ended
        and (run.ordered_at >= since or demanded.intersection(run.asked_by))
    )


def _verify_signals(context: DecisionContext) -> tuple[Signal, ...]:
    return tuple(
        signal
        for signal in context.signals(SignalKind.RUN_FINISHED, SignalKind.RUN_FAILED)
        if signal.payload.get("kind") == RunKind.VERIFY.value
    )


def _close(ended: tuple[tuple[RunView, Signal | None], ...]) -> tuple[SignalAnswer, ...]:
    return tuple(
        SignalAnswer(
            signal=signal.id,
            status=SignalStatus.HANDLED,
            reason=f"v{run.version} answered"
            if run.state.succeeded
            else f"v{run.version} did not answer: {run.reason}",
        )
        for run, signal in ended
        if signal is not None
    )


def _verifications_without_demand(context: DecisionContext) -> ReasonResult | None:
    """A drill, or a verification whose demand is gone: what was learnt is kept."""
    signals = _verify_signals(context)
    if not signals:
        return None
    signal = signals[0]
    run = context.snapshot.run(str(signal.payload.get("run")))
    number = run.version if run else None
    version = context.snapshot.version(number) if number is not None else None
    good = signal.kind is SignalKind.RUN_FINISHED and version is not None
    sentence = (
        f"v{number} answered in a fresh process"
        if good
        else f"v{number} did not answer: {signal.payload.get('reason') or 'no reason given'}"
    )
    return ReasonResult(
        node=Outcome(name="verify", result=Result.DONE if good else Result.FAIL, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(MarkVerified(version=version.number),)
        if good and version
        else context.notices("failed", f"the rollback target failed its check: {sentence}"),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
    )


def _no_target(
    demand: _Demand, broken: set[int | None], ended: tuple[tuple[RunView, Signal | None], ...]
) -> ReasonResult:
    if broken:
        tried = ", ".join(f"v{number}" for number in sorted(n for n in broken if n is not None))
        sentence = f"there is no version to roll back to: {tried} could not be loaded"
    else:
        named = f" to v{demand.wanted}" if demand.wanted is not None else ""
        sentence = (
            f"cannot roll back{named}: the target must have been champion before and still exist"
        )
    finding = _refused(demand.signals, sentence, demand.nodes)
    return ReasonResult(
        node=finding.node,
        verdict=finding.verdict,
        actions=finding.actions,
        answers=(*finding.answers, *_close(ended)),
    )


def _refused(
    signals: tuple[Signal, ...], sentence: str, nodes: tuple[Outcome, ...] = ()
) -> ReasonResult:
    return ReasonResult(
        node=Outcome(name="roll back", result=Result.BLOCKED, sentence=sentence, children=nodes),
        verdict=Verdict.NONE,
        answers=answer_all(signals, SignalStatus.FAILED, sentence),
    )


ROLL_BACK = Reason(
    key="roll_back",
    doc="Makes an earlier version champion again, if a person asks for it or a condition of `rollback.when` holds.",
    rank="a bad champion harms now",
    verdicts=frozenset({Verdict.NONE, Verdict.ROLLBACK}),
    at_rest=True,
    evaluate=roll_back,
)
