"""What becomes of a challenger that was judged: the seat, a stage of its rollout, a wait, or its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from controller.domain.canonical import digest
from controller.domain.decisions import (
    Action,
    MoveVersion,
    RecordApproval,
    Result,
    SetChampion,
    TurnRecipe,
    Verdict,
)
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.domain.versions import VersionState, VersionView
from controller.policy.approvals import agreed, escalated, standing
from controller.policy.budget import (
    holdout_left,
    wealth_words,
)
from controller.policy.case import Case, Finding, answer_all, earliest
from controller.policy.judgement import Judgement, asks, lost, undecided
from controller.policy.phrase import count, duration, listing, moment
from controller.policy.rollout import Stage, advance, next_stage, progress


def conclude(judgement: Judgement) -> Finding:
    """The four verdicts of the gates, the hold, and the people: what becomes of the challenger."""
    case, approval = judgement.case, judgement.case.policy.approval
    people = {word.actor for word in standing(judgement.approvals)}
    given = agreed(judgement.approvals)
    enough = given >= approval.count
    result = judgement.result
    if result in {Result.FAIL, Result.ERROR}:
        return reject(judgement, lost(judgement))
    use = next((u for u in case.snapshot.holdouts if u.version == judgement.version.number), None)
    left = holdout_left(case.policy.error_budget, use)
    if left is not None and left.spent:
        return _wait(judgement, f"{judgement.name} is held: {left.reason}; {case.seat_stays}")
    if result is Result.INCONCLUSIVE and not (_may_be_approved(case) and enough):
        return _wait(judgement, undecided(judgement, given))
    if case.snapshot.hold is not None:
        why = case.snapshot.hold.reason
        return _wait(
            judgement,
            f"{judgement.name} proved itself, but automatic promotion rests until a person "
            f"releases it ({why})",
        )
    if approval.when == "always" and not enough:
        return _wait(judgement, asks(judgement, given))
    return _win(judgement, people)


def _may_be_approved(case: Case) -> bool:
    approval = case.policy.approval
    return approval.when in {"inconclusive", "always"}


def _win(judgement: Judgement, people: set[str]) -> Finding:
    """Every gate is passed: the seat, unless a rollout stands between."""
    other = judgement.case.rollout
    if other is not None and other.version != judgement.version.number:
        return _wait(
            judgement,
            f"{judgement.name} proved itself and waits for the end of the rollout of "
            f"v{other.version}; {judgement.case.seat_stays}",
        )
    stage = next_stage(judgement.case, judgement.version)
    return _seat(judgement, people) if stage is None else _roll_out(judgement, stage)


def _roll_out(judgement: Judgement, stage: Stage) -> Finding:
    """Enter a stage, or stay in it; looked at again without news, this writes nothing."""
    case, version = judgement.case, judgement.version
    where = f"is {stage.words} ({progress(case, stage)}); {case.seat_stays}"
    if not stage.begins:
        sentence = f"{judgement.name} {where}"
        node = judgement.node(sentence, Result.PENDING)
        answers = _answers(judgement, sentence)
        return Finding(node=node, answers=answers, wake_at=stage.until, **_news(judgement))
    sentence = f"{judgement.name} {'proved itself and' if stage.index == 0 else 'now'} {where}"
    entry: tuple[Action, ...] = ()
    if version.state is VersionState.CANDIDATE:
        entry = (
            MoveVersion(
                version=version.number,
                before=VersionState.CANDIDATE,
                after=VersionState.CHALLENGER,
                reason=sentence,
            ),
            *_send_away(case, version, f"v{version.number} is rolled out in its place"),
        )
    return Finding(
        node=judgement.node(sentence),
        verdict=Verdict.ADVANCE,
        actions=(
            *judgement.booked,
            *entry,
            advance(case, version, stage, sentence),
            *case.notices("advanced", sentence),
        ),
        answers=_answers(judgement, sentence),
        challenger=version.number,
        wake_at=stage.until,
    )


def _news(judgement: Judgement) -> dict[str, Any]:
    """A word or an evaluation that came meanwhile is kept, though nothing moves."""
    if not judgement.booked:
        return {}
    return {"verdict": Verdict.NONE, "actions": judgement.booked}


def _seat(judgement: Judgement, people: set[str]) -> Finding:
    case, version = judgement.case, judgement.version
    passed = [g for g in judgement.counted if g.result is Result.PASS]
    dry = len(judgement.gates) - len(judgement.counted)
    sentence = (
        f"v{version.number} takes the seat from {case.seat}: "
        f"{len(passed)} of {count(len(judgement.counted), 'gate')} passed"
    )
    if dry:
        sentence += f", {dry} in dry run"
    if people:
        sentence += f", approved by {listing(sorted(people))}"
    if judgement.level is not None:
        sentence += (
            f"; {wealth_words(case.policy.error_budget, case.snapshot.budget, judgement.level)}"
        )
    return Finding(
        node=judgement.node(sentence),
        verdict=Verdict.PROMOTE,
        actions=(
            *judgement.booked,
            *seat_winner(case, version, sentence),
            *_rested(case, version),
            *case.notices("promoted", sentence),
        ),
        answers=_answers(judgement, sentence),
        challenger=version.number,
        champion_after=version.number,
    )


def _rested(case: Case, version: VersionView) -> tuple[Action, ...]:
    """A promotion shows that retraining helps again: its pace goes back to the usual one."""
    if case.snapshot.rest.stretches == 0:
        return ()
    return (
        TurnRecipe(
            index=case.snapshot.recipe_index,
            stretches=0,
            until=None,
            since_version=version.number,
            reason=f"v{version.number} was worth its training",
        ),
    )


def seat_winner(case: Case, version: VersionView, sentence: str) -> tuple[Action, ...]:
    """Free the seat, set the winner, and send away every other challenger that waited for it."""
    actions: list[Action] = []
    champion = case.champion
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
            generation=case.snapshot.generation,
            previous=champion.number if champion else None,
            reason=sentence,
        )
    )
    return (*actions, *_send_away(case, version, f"v{version.number} took the seat first"))


def _send_away(case: Case, version: VersionView, why: str) -> tuple[Action, ...]:
    """Older challengers that only waited; candidates whose evaluation runs keep their chance."""
    return tuple(
        MoveVersion(
            version=other.number,
            before=other.state,
            after=VersionState.REJECTED,
            reason=why,
        )
        for other in case.snapshot.versions
        if other.state is VersionState.CHALLENGER
        and other.number < version.number
        and (case.rollout is None or other.number != case.rollout.version)
    )


def reject(judgement: Judgement, sentence: str) -> Finding:
    """Send the challenger away for good."""
    case, version = judgement.case, judgement.version
    move = MoveVersion(
        version=version.number,
        before=version.state,
        after=VersionState.REJECTED,
        reason=sentence,
    )
    return Finding(
        node=judgement.node(sentence, Result.FAIL if judgement.result is Result.PASS else None),
        verdict=Verdict.REJECT,
        actions=(*judgement.booked, move, *case.notices("rejected", sentence)),
        answers=_answers(judgement, sentence),
        challenger=version.number,
    )


def _wait(judgement: Judgement, sentence: str) -> Finding:
    """Hold the challenger. Looked at again without news, this writes nothing."""
    case, version, approval = judgement.case, judgement.version, judgement.case.policy.approval
    expires = escalates = None
    if _awaits_people(judgement):
        since = version.state_since or case.now
        expires, escalates = since + approval.expires, _escalates(judgement)
        if not judgement.fresh and expires <= case.now:
            return reject(
                judgement,
                f"{judgement.name} waited for approval until {moment(expires)} and nobody "
                f"gave it; {case.seat_stays}",
            )
        if not judgement.fresh and escalates is not None and escalates <= case.now:
            return _escalate(judgement, expires)
    node = judgement.node(sentence)
    if not judgement.fresh:
        return Finding(node=node, wake_at=earliest(expires, escalates))
    actions: list[Action] = list(judgement.booked)
    if version.state is VersionState.CANDIDATE:
        actions.append(
            MoveVersion(
                version=version.number,
                before=VersionState.CANDIDATE,
                after=VersionState.CHALLENGER,
                reason=sentence,
            )
        )
        actions += _send_away(case, version, f"v{version.number} waits in its place")
    return Finding(
        node=node,
        verdict=Verdict.HOLD,
        actions=(*actions, *case.notices("held", sentence)),
        answers=_answers(judgement, sentence),
        challenger=version.number,
        wake_at=earliest(expires, escalates),
    )


def _escalates(judgement: Judgement) -> datetime | None:
    """When more people are asked; None if they were, or the policy names none."""
    approval, since = judgement.case.policy.approval, judgement.version.state_since
    if approval.escalate_after is None or escalated(judgement.approvals):
        return None
    return (since or judgement.case.now) + approval.escalate_after


def _escalate(judgement: Judgement, expires: datetime) -> Finding:
    """Ask more people, once."""
    case, approval = judgement.case, judgement.case.policy.approval
    waited = duration(approval.escalate_after or timedelta(0))
    sentence = (
        f"{judgement.name} has waited {waited} for approval: {listing(approval.escalate_to)} may decide too, "
        f"until {moment(expires)}; {case.seat_stays}"
    )
    asked = RecordApproval(
        version=judgement.version.number,
        actor="system",
        agrees=False,
        evidence=digest(judgement.evaluation),
        reason=sentence,
        word="escalate",
    )
    told = case.notices("escalated", sentence) or case.notices("held", sentence)
    return Finding(
        node=judgement.node(sentence),
        verdict=Verdict.HOLD,
        actions=(asked, *told),
        challenger=judgement.version.number,
        wake_at=expires,
    )


def _awaits_people(judgement: Judgement) -> bool:
    if judgement.case.snapshot.hold is not None and judgement.result is Result.PASS:
        return False
    when = judgement.case.policy.approval.when
    return when == "always" or (when == "inconclusive" and judgement.result is Result.INCONCLUSIVE)


def _answers(judgement: Judgement, sentence: str) -> tuple[SignalAnswer, ...]:
    return answer_all(judgement.signals, SignalStatus.HANDLED, sentence)
