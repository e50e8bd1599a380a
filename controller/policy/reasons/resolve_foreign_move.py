"""Settle: somebody moved the champion in the team's own registry; the policy says whose word counts.

Three answers, each a decision: automatic promotion rests until a person decides (`hold`), their move is taken over
(`adopt`), ours is written again (`restore`). What is asked for is done only where it may be: the server can forbid to
adopt, a version that could not be promoted by hand is never adopted, and a registry in which somebody moves the
champion again and again is not followed for ever. In each of these cases it holds, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from controller.domain.decisions import Action, Outcome, PlaceHold, Result, SettleMove, Verdict
from controller.domain.durations import format_duration
from controller.domain.publication import SETTLED_MOST, SETTLED_WINDOW, Settlement
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.domain.snapshot import MoveView
from controller.domain.versions import VersionView
from controller.policy.context import DecisionContext, ReasonResult, answer_all
from controller.policy.decide_challenger import seat_winner
from controller.policy.phrase import count
from controller.policy.reasons.base import Reason

_SETTING = "INCUMBENT_REGISTRY_DRIFT"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Move:
    """The newest foreign move, and what is asked for: by a ``line`` of the policy, or by the server's setting."""

    context: DecisionContext
    signal: Signal
    older: tuple[Signal, ...]
    asked: Settlement
    line: int | None

    @property
    def said(self) -> str:
        """What was seen over there, without the stop at its end."""
        words = self.signal.payload.get("reason") or "the champion was moved elsewhere"
        return str(words).rstrip(".")

    @property
    def asks(self) -> str:
        """Who asks for what."""
        if self.line is not None:
            return f"the policy asks to {self.asked}"
        return f"the policy is silent, and {_SETTING} says {self.asked}"

    @property
    def number(self) -> int | None:
        """Our number of the version that the alias points at; None: none of ours, or nothing."""
        return _number(self.signal.payload.get("version"))


def resolve_foreign_move(context: DecisionContext) -> ReasonResult | None:
    """Answer the newest foreign move that the publisher has told of; it outdates the ones before."""
    told = [s for s in context.signals(SignalKind.FOREIGN_MOVE) if s.actor.startswith("registry:")]
    if not told or context.signals(SignalKind.PROMOTE):
        return None  # a person's word about the seat goes first
    move = _move(context, told)
    if move.signal.payload.get("generation") not in {None, context.snapshot.generation}:
        return _outdated(move)
    if move.asked == "hold":
        return _hold(move, "")
    refusal = _refused(move)
    if refusal:
        return _hold(move, refusal)
    version = context.snapshot.version(move.number) if move.number is not None else None
    if move.asked == "adopt" and version is not None:
        return _adopt(move, version)
    return _restore(move)


def _move(context: DecisionContext, told: list[Signal]) -> _Move:
    section, signal = context.policy.registry, told[-1]
    if section.moved_elsewhere is not None:
        asked, line = section.moved_elsewhere, section.line or None
    else:
        asked, line = _settlement(signal.payload.get("otherwise")), None
    return _Move(context=context, signal=signal, older=tuple(told[:-1]), asked=asked, line=line)


def _settlement(word: object) -> Settlement:
    return next((known for known in get_args(Settlement) if known == word), "hold")


# --- what is never done -------------------------------------------------------------------------------------------


def _refused(move: _Move) -> str:
    """Why what is asked for is not done, or empty."""
    lately = _lately(move)
    if len(lately) >= SETTLED_MOST:
        return (
            f"somebody has moved it {count(len(lately), 'time')} before within {format_duration(SETTLED_WINDOW)}, "
            "and what is moved so often is a person's matter"
        )
    if move.asked == "restore":
        return "" if move.context.champion is not None else "this server has no champion to write"
    if not move.signal.payload.get("may_adopt"):
        return "this server forbids to adopt (INCUMBENT_REGISTRY_ADOPT)"
    hold = move.context.snapshot.hold
    if hold is not None and hold.actor != move.signal.actor:
        return f"automatic promotion is on hold ({hold.reason.rstrip('.')})"
    return _unfit(move)


def _unfit(move: _Move) -> str:
    """Why the version over there cannot be champion here, or empty."""
    found = move.signal.payload.get("found")
    if found is None:
        return "no version is champion over there"
    if move.number is None:
        return f"version {found} over there did not come from this server"
    version = move.context.snapshot.version(move.number)
    if version is None:
        return f"there is no v{move.number}"
    if version.removed:
        return f"the artifact of v{version.number} is gone"
    if not version.state.may_become_champion:
        return f"v{version.number} is {version.state.value}"
    return ""


def _lately(move: _Move) -> tuple[MoveView, ...]:
    """The moves that were adopted or undone within the window."""
    since = move.context.now - SETTLED_WINDOW
    return tuple(m for m in move.context.snapshot.moves if m.how != "hold" and m.at > since)


# --- the three answers --------------------------------------------------------------------------------------------


def _hold(move: _Move, refusal: str) -> ReasonResult:
    rests = move.context.snapshot.hold is not None
    why = f"{move.asks}, but {refusal}" if refusal else move.asks
    then = "automatic promotion is on hold until a person decides"
    sentence = f"{move.said}; {why}: {then}; {move.context.seat_stays}"
    place: tuple[Action, ...] = (
        () if rests else (PlaceHold(reason=f"{move.said}.", actor=move.signal.actor),)
    )
    return _settled(move, "hold", sentence, refusal=refusal, actions=place)


def _restore(move: _Move) -> ReasonResult:
    sentence = f"{move.said}; {move.asks}: {move.context.seat} is written there again"
    return _settled(move, "restore", sentence)


def _adopt(move: _Move, version: VersionView) -> ReasonResult:
    sentence = (
        f"{move.context.takes_over(version.number)} without its gates: {move.said}; {move.asks}"
    )
    actions = (
        *seat_winner(move.context, version, sentence),
        *move.context.notices("promoted", sentence),
    )
    return _settled(move, "adopt", sentence, actions=actions, version=version.number)


def _settled(
    move: _Move,
    how: Settlement,
    sentence: str,
    *,
    refusal: str = "",
    actions: tuple[Action, ...] = (),
    version: int | None = None,
) -> ReasonResult:
    payload = move.signal.payload
    told = SettleMove(
        signal=move.signal.id,
        how=how,
        place=str(payload.get("place") or ""),
        alias=str(payload.get("alias") or "champion"),
        found=_number(payload.get("found")),
        version=move.number,
        reason=f"{move.said}.",
    )
    news = move.context.notices("held", sentence) if how == "hold" else ()
    return ReasonResult(
        node=_node(move, how, sentence, refusal),
        verdict={"hold": Verdict.HOLD, "adopt": Verdict.PROMOTE}.get(how, Verdict.NONE),
        actions=(told, *actions, *news, *move.context.notices("moved_elsewhere", sentence)),
        answers=_answers(move, SignalStatus.HANDLED, sentence),
        challenger=version,
        champion_after=version,
    )


def _outdated(move: _Move) -> ReasonResult:
    sentence = f"{move.said}, before the champion was decided; {move.context.seat} is written there"
    return ReasonResult(
        node=_node(move, None, sentence, ""),
        verdict=Verdict.NONE,
        answers=_answers(move, SignalStatus.SKIPPED, sentence),
    )


def _answers(move: _Move, status: SignalStatus, sentence: str) -> tuple[SignalAnswer, ...]:
    older = answer_all(
        move.older, SignalStatus.SKIPPED, "it was moved again, and that is what counts"
    )
    return (*older, *answer_all((move.signal,), status, sentence))


def _node(move: _Move, how: Settlement | None, sentence: str, refusal: str) -> Outcome:
    lately = len(_lately(move))
    asked = Outcome(
        name="asked",
        result=Result.BLOCKED if refusal else Result.DONE,
        sentence=f"{move.asks}{f', but {refusal}' if refusal else ''}",
        values={
            "moved_elsewhere": move.asked,
            "by": "policy" if move.line is not None else _SETTING,
            "settled_before": lately,
            "most": SETTLED_MOST,
        },
        line=move.line,
    )
    return Outcome(
        name="settle",
        result=Result.SKIPPED if how is None else Result.DONE,
        sentence=sentence,
        values={"signal": move.signal.id, "actor": move.signal.actor, "settled": how},
        line=move.line,
        children=(asked, _seen(move)),
    )


def _seen(move: _Move) -> Outcome:
    """What is known of the move; MLflow keeps who entered a version, and not who moved an alias."""
    known = ("place", "alias", "found", "version", "expected", "lost", "source", "run")
    entered = ("entered_by", "entered_at")
    values = {
        key: move.signal.payload[key]
        for key in (*known, *entered)
        if move.signal.payload.get(key) not in {None, ""}
    }
    by = move.signal.payload.get("entered_by")
    who = "who moved it is not recorded over there"
    if by:
        who += f"; version {move.signal.payload.get('found')} was entered there by {by}"
    return Outcome(name="seen", result=Result.DONE, sentence=f"{move.said}; {who}", values=values)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


RESOLVE_FOREIGN_MOVE = Reason(
    key="resolve_foreign_move",
    doc="Resolves that somebody else moved the champion in the team's own registry.",
    rank="then what somebody else did to the champion in the team's own registry",
    verdicts=frozenset({Verdict.HOLD, Verdict.NONE, Verdict.PROMOTE}),
    at_rest=False,
    evaluate=resolve_foreign_move,
)
