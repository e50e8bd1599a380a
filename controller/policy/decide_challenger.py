"""What becomes of a challenger that was judged: the seat, a stage of its rollout, a wait, or its end."""

from __future__ import annotations

from typing import Any

from controller.domain.decisions import (
    Action,
    MoveVersion,
    Result,
    SetChampion,
    TurnRecipe,
    Verdict,
)
from controller.domain.durations import format_duration
from controller.domain.rules import Escalate
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.domain.versions import VersionState, VersionView
from controller.policy import approval_requests
from controller.policy.approvals import ApprovalRequest, agreed, approval_request, standing
from controller.policy.budget import (
    holdout_left,
    wealth_words,
)
from controller.policy.challenger_verdict import (
    ChallengerVerdict,
    approvals_of,
    asks,
    lost,
    undecided,
)
from controller.policy.context import DecisionContext, ReasonResult, answer_all, earliest
from controller.policy.phrase import count, format_time_utc, listing
from controller.policy.rollout import RolloutStage, advance, next_stage, stage_progress


def decide_challenger(judged: ChallengerVerdict) -> ReasonResult:
    """The four verdicts of the gates, the hold, and the people: what becomes of the challenger."""
    context, approval = judged.context, judged.context.policy.approval
    people = {word.actor for word in standing(judged.approvals, judged.version.asked_by)}
    given = agreed(judged.approvals, judged.version.asked_by)
    enough = given >= approval.count
    result = judged.result
    if result in {Result.FAIL, Result.ERROR}:
        return reject_challenger(judged, lost(judged))
    use = next((u for u in context.snapshot.holdouts if u.version == judged.version.number), None)
    left = holdout_left(context.policy.error_budget, use)
    if left is not None and left.spent:
        return _wait(judged, f"{judged.name} is held: {left.reason}; {context.seat_stays}")
    if result is Result.INCONCLUSIVE and not (_may_be_approved(context) and enough):
        return _wait(judged, undecided(judged, given), asking=_may_be_approved(context))
    if context.snapshot.hold is not None:
        why = context.snapshot.hold.reason
        return _wait(
            judged,
            f"{judged.name} proved itself, but automatic promotion is on hold until a person "
            f"releases it ({why})",
        )
    if approval.when == "always" and not enough:
        return _wait(judged, asks(judged, given), asking=True)
    return _win(judged, people)


def _may_be_approved(context: DecisionContext) -> bool:
    approval = context.policy.approval
    return approval.when in {"inconclusive", "always"}


def _win(judged: ChallengerVerdict, people: set[str]) -> ReasonResult:
    """Every gate is passed: the seat, unless a rollout stands between."""
    other = judged.context.rollout
    if other is not None and other.version != judged.version.number:
        return _wait(
            judged,
            f"{judged.name} proved itself and waits for the end of the rollout of "
            f"v{other.version}; {judged.context.seat_stays}",
        )
    stage = next_stage(judged.context, judged.version)
    return _seat(judged, people) if stage is None else _roll_out(judged, stage)


def _roll_out(judged: ChallengerVerdict, stage: RolloutStage) -> ReasonResult:
    """Enter a stage, or stay in it; looked at again without news, this writes nothing."""
    context, version = judged.context, judged.version
    where = f"is {stage.words} ({stage_progress(context, stage)}); {context.seat_stays}"
    if not stage.begins:
        sentence = f"{judged.name} {where}"
        node = judged.node(sentence, Result.PENDING)
        answers = _answers(judged, sentence)
        return ReasonResult(node=node, answers=answers, wake_at=stage.until, **_news(judged))
    sentence = f"{judged.name} {'proved itself and' if stage.index == 0 else 'now'} {where}"
    entry = approval_requests.cancel(judged)
    if version.state is VersionState.CANDIDATE:
        sentence += _stay(context, version)
        entry = (
            _enter(version, sentence),
            *_send_away(context, version, f"v{version.number} is rolled out in its place"),
        )
    return ReasonResult(
        node=judged.node(sentence),
        verdict=Verdict.ADVANCE,
        actions=(
            *judged.booked,
            *entry,
            advance(context, version, stage, sentence),
            *context.notices("advanced", sentence),
        ),
        answers=_answers(judged, sentence),
        challenger=version.number,
        wake_at=stage.until,
    )


def _enter(version: VersionView, reason: str) -> MoveVersion:
    """A candidate stays as a challenger."""
    return MoveVersion(
        version=version.number,
        before=VersionState.CANDIDATE,
        after=VersionState.CHALLENGER,
        reason=reason,
    )


def _news(judged: ChallengerVerdict) -> dict[str, Any]:
    """A word or an evaluation that came meanwhile is kept, though nothing moves."""
    if not judged.booked:
        return {}
    return {"verdict": Verdict.NONE, "actions": judged.booked}


def _seat(judged: ChallengerVerdict, people: set[str]) -> ReasonResult:
    context, version = judged.context, judged.version
    passed = [g for g in judged.counted if g.result is Result.PASS]
    dry = len(judged.gates) - len(judged.counted)
    sentence = (
        f"{context.takes_over(version.number)}: "
        f"{len(passed)} of {count(len(judged.counted), 'gate')} passed"
    )
    if dry:
        sentence += f", {dry} in dry run"
    if people:
        sentence += f", approved by {listing(sorted(people))}"
    if judged.level is not None:
        sentence += (
            f"; {wealth_words(context.policy.error_budget, context.snapshot.budget, judged.level)}"
        )
    sentence += _stay(context, version)
    return ReasonResult(
        node=judged.node(sentence),
        verdict=Verdict.PROMOTE,
        actions=(
            *judged.booked,
            *seat_winner(context, version, sentence),
            *_rested(context, version),
            *context.notices("promoted", sentence),
        ),
        answers=_answers(judged, sentence),
        challenger=version.number,
        champion_after=version.number,
    )


def _rested(context: DecisionContext, version: VersionView) -> tuple[Action, ...]:
    """A promotion shows that retraining helps again: its pace goes back to the usual one."""
    if context.snapshot.rest.stretches == 0:
        return ()
    return (
        TurnRecipe(
            index=context.snapshot.recipe_index,
            stretches=0,
            until=None,
            since_version=version.number,
            reason=f"v{version.number} was worth its training",
        ),
    )


def seat_winner(
    context: DecisionContext, version: VersionView, sentence: str
) -> tuple[Action, ...]:
    """Free the seat, set the winner, and send away every other challenger that waited for it."""
    actions: list[Action] = []
    champion = context.champion
    if champion is not None:
        actions.append(
            MoveVersion(
                version=champion.number,
                before=VersionState.CHAMPION,
                after=VersionState.SUPERSEDED,
                reason=sentence,
            )
        )
    actions.append(
        SetChampion(
            version=version.number,
            generation=context.snapshot.generation,
            previous=champion.number if champion else None,
            reason=sentence,
        )
    )
    return (*actions, *_send_away(context, version, f"v{version.number} became champion first"))


def _send_away(context: DecisionContext, version: VersionView, why: str) -> tuple[Action, ...]:
    """Older challengers that only waited, but for those that the policy keeps."""
    return tuple(
        MoveVersion(
            version=other.number,
            before=other.state,
            after=VersionState.REJECTED,
            reason=why,
        )
        for other in _older(context, version)
        if not _is_kept(context, other)
    )


def _stay(context: DecisionContext, version: VersionView) -> str:
    """The end of a sentence about a newer challenger: which older ones wait on beside it."""
    names = [f"v{o.number}" for o in _older(context, version) if _is_kept(context, o)]
    if not names:
        return ""
    waits = "was approved and waits on" if len(names) == 1 else "were approved and wait on"
    return f"; {listing(names)} {waits}"


def _older(context: DecisionContext, version: VersionView) -> list[VersionView]:
    """Without the one in rollout; candidates whose evaluation runs keep their chance."""
    return [
        other
        for other in context.snapshot.versions
        if other.state is VersionState.CHALLENGER
        and other.number < version.number
        and (context.rollout is None or other.number != context.rollout.version)
    ]


def _is_kept(context: DecisionContext, other: VersionView) -> bool:
    """Whether ``other`` waits on beside a newer one: people approved it already, and the policy keeps it."""
    approval = context.policy.approval
    if approval.when == "never" or approval.supersede == "newest":
        return False
    return agreed(approvals_of(context, other), other.asked_by) > 0


def reject_challenger(judged: ChallengerVerdict, sentence: str) -> ReasonResult:
    """Send the challenger away for good."""
    context, version = judged.context, judged.version
    move = MoveVersion(
        version=version.number,
        before=version.state,
        after=VersionState.REJECTED,
        reason=sentence,
    )
    return ReasonResult(
        node=judged.node(sentence, Result.FAIL if judged.result.passes else None),
        verdict=Verdict.REJECT,
        actions=(*judged.booked, move, *context.notices("rejected", sentence)),
        answers=_answers(judged, sentence),
        challenger=version.number,
    )


def _wait(judged: ChallengerVerdict, sentence: str, *, asking: bool = False) -> ReasonResult:
    """Hold the challenger. Looked at again without news, this writes nothing.

    ``asking``: what is missing is people's approval. Only then the challenger's time may run out.
    """
    context, version, approval = judged.context, judged.version, judged.context.policy.approval
    request = None
    if asking:
        request = approval_request(approval, judged.approvals, context.now)
        # Who was asked in this moment has had no time yet, and who speaks is heard first.
        over = None if judged.fresh else _out_of_time(judged, request)
        if over is not None:
            return over
    booked = approval_requests.ask(judged) if asking else approval_requests.cancel(judged)
    if version.state is VersionState.CANDIDATE:
        sentence += _stay(context, version)
    node = judged.node(sentence)
    wake_at = earliest(request.expires, request.escalates) if request is not None else None
    if not judged.fresh and not booked:
        return ReasonResult(node=node, wake_at=wake_at)
    actions: list[Action] = [*judged.booked, *booked]
    if version.state is VersionState.CANDIDATE:
        actions.append(_enter(version, sentence))
        actions += _send_away(context, version, f"v{version.number} waits in its place")
    if judged.fresh or asking:
        actions += context.notices("held", sentence)
    if booked and asking:
        actions += context.notices("approval_needed", sentence)
    return ReasonResult(
        node=node,
        verdict=Verdict.HOLD,
        actions=tuple(actions),
        answers=_answers(judged, sentence),
        challenger=version.number,
        wake_at=wake_at,
    )


def _out_of_time(judged: ChallengerVerdict, request: ApprovalRequest | None) -> ReasonResult | None:
    """What time alone brings: nobody answered, or more people are asked."""
    context = judged.context
    if request is None:
        return None
    if request.expires <= context.now:
        given = agreed(judged.approvals, judged.version.asked_by)
        needed = context.policy.approval.count
        got = f"got {given:,} of {count(needed, 'approval')}" if given else "nobody gave it"
        return reject_challenger(
            judged,
            f"{judged.name} waited for approval until {format_time_utc(request.expires)} and {got}; "
            f"{context.seat_stays}",
        )
    later = context.policy.approval.escalate
    if later is not None and request.escalates is not None and request.escalates <= context.now:
        return _escalate(judged, request, later)
    return None


def _escalate(judged: ChallengerVerdict, request: ApprovalRequest, later: Escalate) -> ReasonResult:
    """Ask more people, once."""
    context, waited = judged.context, format_duration(later.after)
    sentence = (
        f"{judged.name} has waited {waited} for approval: {listing(later.to)} may decide too, "
        f"until {format_time_utc(request.expires)}; {context.seat_stays}"
    )
    told = context.notices("escalated", sentence) or context.notices("held", sentence)
    return ReasonResult(
        node=judged.node(sentence),
        verdict=Verdict.HOLD,
        actions=(approval_requests.book(judged, "escalate", sentence), *told),
        challenger=judged.version.number,
        wake_at=request.expires,
    )


def _answers(judged: ChallengerVerdict, sentence: str) -> tuple[SignalAnswer, ...]:
    return answer_all(judged.signals, SignalStatus.HANDLED, sentence)
