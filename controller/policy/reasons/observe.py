"""Observe: the champion is held against the labels that came since, and the serving log against the training data.

Looks are ordered when there is something new to see: data, served rows, or labels that came due. What a look found
stays for the triggers (``train``) and the conditions (``roll_back``); people are told here, after one batch, and
before a trigger that asks for more of them fires. An estimate that was made before labels came may alert, and nothing
else: neither trigger nor condition reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from controller.domain.decisions import Outcome, Result, StartRun, Verdict
from controller.domain.run_kinds import run_work
from controller.domain.runs import Cause, RunKind, RunView
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.versions import VersionView
from controller.policy.context import DecisionContext, ReasonResult, answer_all, earliest, finished
from controller.policy.phrase import format_number, listing
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import order_decay, order_skew, watches
from controller.policy.triggers.registry import measures

PAUSE = timedelta(minutes=1)
"""The least time between two looks of a kind, so that a source that drips does not keep a worker busy."""


def observe(context: DecisionContext) -> ReasonResult | None:
    """Tell people what was seen, then order the next look."""
    told = _tell(context)
    if told is not None:
        return told
    champion = context.champion
    if champion is None:
        return None
    for look in (_decay, _skew):
        order, _ = look(context, champion)
        if order is not None:
            return _ordered(context, order)
    wake = earliest(*(look(context, champion)[1] for look in (_decay, _skew)))
    if wake is None:
        return None
    sentence = f"{context.seat} is evaluated again when new rows or labels arrive"
    node = Outcome(name="observe", result=Result.IDLE, sentence=sentence)
    return ReasonResult(node=node, wake_at=wake)


# --- looks ----------------------------------------------------------------------------------------------------


def _ordered(context: DecisionContext, order: StartRun) -> ReasonResult:
    sentence = f"{order.run} checks {context.seat} on {run_work(order.spec.kind).rows}"
    return ReasonResult(
        node=Outcome(name="observe", result=Result.DONE, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
        answers=answer_all(context.signals(SignalKind.SERVED), SignalStatus.HANDLED, sentence),
    )


_Look = tuple[StartRun | None, Any]
"""What to order now, or when to think of it again."""


def _decay(context: DecisionContext, champion: VersionView) -> _Look:
    judged = champion.evaluation
    if judged is None or judged.predictions is None or not context.policy.data.time:
        return None, None
    if not watches(context):
        return None, None
    runs = [
        run
        for run in context.snapshot.runs
        if run.kind is RunKind.DECAY and run.version == champion.number
    ]
    seen = context.snapshot.data.through, context.snapshot.served.through
    last = max(runs, key=lambda run: run.number, default=None)
    if last is None:
        fresh = seen[0] > champion.data_through or bool(context.policy.data.label_delay)
        return (_decay_order(context, champion) if fresh else None), None
    if not last.state.ended:
        return None, None
    # A look from beyond the pause was ordered by a clock that was wrong, and so was its next one planned.
    due = context.now if last.ordered_at > context.now + PAUSE else last.look_again
    if seen > (last.data_through, last.served_through) or _came(context, due):
        return _after_pause(context, last, lambda: _decay_order(context, champion))
    return None, due


def _came(context: DecisionContext, due: Any) -> bool:
    return due is not None and context.now >= due


def _decay_order(context: DecisionContext, champion: VersionView) -> StartRun:
    return order_decay(context, champion, _cause(context, "labels"))


def _skew(context: DecisionContext, champion: VersionView) -> _Look:
    if (
        not measures(context, RunKind.SKEW)
        or context.policy.data.served is None
        or not context.snapshot.served.batches
    ):
        return None, None
    runs = [run for run in context.snapshot.runs if run.kind is RunKind.SKEW]
    looked_at = max((run.served_through for run in runs), default=0)
    if looked_at >= context.snapshot.served.through or any(not run.state.ended for run in runs):
        return None, None
    last = max(runs, key=lambda run: run.number, default=None)
    return _after_pause(
        context,
        last,
        lambda: order_skew(context, champion, looked_at, _cause(context, "served rows")),
    )


def _after_pause(context: DecisionContext, last: RunView | None, order: Any) -> _Look:
    until = last.ordered_at + PAUSE if last is not None else context.now
    return (None, until) if context.now < until <= context.now + 2 * PAUSE else (order(), None)


def _cause(context: DecisionContext, name: str) -> Cause:
    kinds = (SignalKind.NEW_DATA, SignalKind.SERVED)
    return Cause(trigger=name, signals=tuple(s.id for s in context.signals(*kinds)))


# --- telling --------------------------------------------------------------------------------------------------


def _tell(context: DecisionContext) -> ReasonResult | None:
    """The oldest report that nobody was told of. Its signal stays, deferred, for the triggers."""
    for kind, event, says in (
        (RunKind.PROFILE, "drifted", partial(_drifted, "the new data")),
        (RunKind.SKEW, "skewed", partial(_drifted, "the rows that are served")),
        (RunKind.DECAY, "decayed", _decayed),
        (RunKind.DECAY, "decay_expected", _expected),
    ):
        for signal in finished(context, kind):
            if signal.status is not SignalStatus.OPEN or not context.policy.notify.get(event):
                continue
            said = says(signal.payload)
            if said:
                return _told(context, signal, event, f"{said}; {context.seat_stays}")
    return None


def _told(context: DecisionContext, signal: Signal, event: str, sentence: str) -> ReasonResult:
    return ReasonResult(
        node=Outcome(name=event, result=Result.DONE, sentence=sentence),
        verdict=Verdict.NONE,
        actions=context.notices(event, sentence),
        answers=answer_all((signal,), SignalStatus.DEFERRED, sentence),
    )


def _drifted(what: str, payload: Mapping[str, Any]) -> str:
    """One alert is enough for people; a training may ask for more."""
    if payload.get("verdict") != "alert":
        return ""
    reasons = [str(reason) for reason in payload.get("reasons") or ()]
    return f"{what} moved: {listing(reasons[:3]) or 'see incumbent drift'}"


def _decayed(payload: Mapping[str, Any]) -> str:
    found = [r for r in payload.get("readings") or () if r.get("verdict") == "decayed"]
    return listing([str(r.get("sentence")) for r in found])


def _expected(payload: Mapping[str, Any]) -> str:
    """Estimates that are beyond their limit, and were not in the look before."""
    found = [e for e in payload.get("estimates") or () if e.get("worse") and e.get("news")]
    return listing(
        [
            f"{e.get('metric')} is estimated at {format_number(e.get('value') or 0.0)} "
            f"({e.get('method')}, before labels came), the limit is {format_number(e.get('limit') or 0.0)}"
            for e in found
        ]
    )


OBSERVE = Reason(
    key="observe",
    doc="Has the champion compared with labels and served rows that came since, and tells people what moved.",
    rank="and the champion is compared with what came since",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=False,
    evaluate=observe,
)
