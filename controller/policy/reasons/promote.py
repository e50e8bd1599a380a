"""Promote: a challenger with evidence is promoted, rejected, or held. Nothing but ``pass`` promotes."""

from __future__ import annotations

from dataclasses import replace

from controller.domain.decisions import (
    Action,
    MarkVerified,
    Outcome,
    RecordApproval,
    RecordEvaluation,
    RecordTest,
    Result,
    Verdict,
)
from controller.domain.evidence import Evaluation
from controller.domain.rules import SERVABLE, WhenInconclusive
from controller.domain.runs import Cause, RunKind
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.snapshot import ApprovalView
from controller.domain.versions import VersionState, VersionView
from controller.policy.approvals import agreed, asked_for, deciders, standing
from controller.policy.budget import (
    holdout_level,
    level_of_next_test,
)
from controller.policy.challenger_verdict import ChallengerVerdict, approvals_of
from controller.policy.context import DecisionContext, ReasonResult, answer_all, earliest
from controller.policy.decide_challenger import decide_challenger, reject_challenger, seat_winner
from controller.policy.gates import judge_gates
from controller.policy.phrase import listing
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import order_evaluation

_IN_PLAY = frozenset({VersionState.CANDIDATE, VersionState.CHALLENGER})


def promote(context: DecisionContext) -> ReasonResult | None:
    """In this order: a person's promotion, a fresh evaluation, a person's approval, a challenger that waits."""
    forced = context.signals(SignalKind.PROMOTE)
    if forced:
        return _by_person(context, forced[0])
    for signal in context.signals(SignalKind.RUN_FINISHED):
        if signal.payload.get("kind") == RunKind.EVALUATE.value:
            return _fresh(context, signal)
    spoken = context.signals(SignalKind.APPROVAL)
    if spoken:
        return _spoken(context, spoken[0])
    return _waiting(context)


def _by_person(context: DecisionContext, signal: Signal) -> ReasonResult:
    number, why = signal.payload.get("version"), signal.payload.get("reason")
    version = context.snapshot.version(number) if isinstance(number, int) else None
    seen = signal.payload.get("expect_version")
    sitting = context.champion.number if context.champion else None
    refusal = None
    if version is None:
        refusal = f"v{number} cannot be promoted: it is not in play"
    elif version.number == sitting:
        refusal = f"v{number} is the champion already"
    elif not version.state.may_become_champion:
        refusal = f"v{number} cannot be promoted: it is {version.state.value}"
    elif not why:
        refusal = f"v{number} cannot be promoted without a reason"
    elif seen is not None and seen != sitting:
        refusal = f"v{seen} is no longer the champion; {context.now_champion}"
    if refusal is not None or version is None:
        sentence = refusal or ""
        return ReasonResult(
            node=Outcome(name="promote", result=Result.BLOCKED, sentence=sentence),
            verdict=Verdict.NONE,
            answers=answer_all((signal,), SignalStatus.FAILED, sentence),
        )
    how = f"over {context.seat}" if context.champion else "as the first champion"
    sentence = f"{signal.actor} promoted v{number} {how} by hand: {why}"
    return ReasonResult(
        node=Outcome(
            name="promote",
            result=Result.DONE,
            sentence=sentence,
            values={"actor": signal.actor, "forced": True},
        ),
        verdict=Verdict.PROMOTE,
        actions=(*seat_winner(context, version, sentence), *context.notices("promoted", sentence)),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
        challenger=version.number,
        champion_after=version.number,
    )


def _fresh(context: DecisionContext, signal: Signal) -> ReasonResult:
    run = str(signal.payload.get("run", ""))
    evaluation = context.snapshot.evaluation(run)
    version = context.snapshot.version(evaluation.version) if evaluation else None
    if evaluation is None or version is None or version.state not in _IN_PLAY:
        state = (
            f"v{evaluation.version} is out of play" if evaluation else "its report is unreadable"
        )
        return _unusable(signal, f"evaluation {run} decides nothing: {state}; {context.seat_stays}")
    sitting = context.champion.number if context.champion else None
    if evaluation.champion != sitting:
        return _again(context, signal, version, evaluation)
    booked_before = context.snapshot.budget.levels.get(str(version.number))
    level = _level(context, booked_before)
    gates = judge_gates(context.policy.promote, evaluation, level)
    judged = ChallengerVerdict(
        context, version, evaluation, level, gates, (signal,), fresh=True, booked=()
    )
    booked: list[Action] = [RecordEvaluation(evaluation=evaluation)]
    passed = all(g.result is Result.PASS for g in judged.counted)
    if level is not None and (booked_before is None or passed):
        booked.append(RecordTest(version=version.number, level=level, rejected=passed))
    if any(g.gate.name == SERVABLE and g.result is Result.PASS for g in gates):
        booked.append(MarkVerified(version=version.number))
    return decide_challenger(replace(judged, booked=tuple(booked)))


def _level(context: DecisionContext, booked: float | None) -> float | None:
    """The level of a challenger's test: what it was judged at before, else what wealth and holdout leave."""
    if booked is not None:
        return booked
    levels = [
        level_of_next_test(context.policy.error_budget, context.snapshot.budget),
        holdout_level(context.policy.error_budget),
    ]
    return min((level for level in levels if level is not None), default=None)


def _again(
    context: DecisionContext, signal: Signal, version: VersionView, evaluation: Evaluation
) -> ReasonResult:
    """The champion moved while the evaluation ran: its evidence is about somebody else."""
    cause = Cause(trigger="champion moved", signals=(signal.id,), sentence="evaluate anew")
    order = order_evaluation(context, version.number, version.recipe, cause)
    seen = f"v{evaluation.champion}" if evaluation.champion is not None else "the baseline"
    sentence = (
        f"v{version.number} was compared with {seen}, but {context.now_champion} now; "
        f"{order.run} evaluates it again"
    )
    return ReasonResult(
        node=Outcome(name="promote", result=Result.BLOCKED, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
        challenger=version.number,
    )


def _unusable(signal: Signal, sentence: str) -> ReasonResult:
    return ReasonResult(
        node=Outcome(name="promote", result=Result.ERROR, sentence=sentence),
        verdict=Verdict.NONE,
        answers=answer_all((signal,), SignalStatus.FAILED, sentence),
    )


def _spoken(context: DecisionContext, signal: Signal) -> ReasonResult:
    """A person's approval counts only for the evidence that the person saw."""
    number, payload = signal.payload.get("version"), signal.payload
    version = context.snapshot.version(number) if isinstance(number, int) else None
    if version is None or version.evaluation is None or version.state not in _IN_PLAY:
        return _unusable(signal, f"v{number} does not wait for approval")
    seen, present = str(payload.get("evidence") or ""), version.evaluation.digest
    if seen != present:
        return _unusable(
            signal, f"{signal.actor} saw other evidence of v{number} than there is now: look again"
        )
    before = tuple(word for word in context.snapshot.approvals if word.version == version.number)
    allowed = set(deciders(context.policy.approval, before))
    if allowed and not allowed & set(payload.get("groups") or ()):
        return _unusable(
            signal, f"{signal.actor} is in none of the groups {listing(sorted(allowed))}"
        )
    if refusal := _own_request(signal, version):
        return _unusable(signal, refusal)
    if payload.get("withdraw") and (refusal := _no_withdrawal(context, signal, version, before)):
        return _unusable(signal, refusal)
    word = _word(version, signal, seen)
    view = ApprovalView(
        version=version.number,
        actor=signal.actor,
        agrees=word.agrees,
        evidence=seen,
        at=context.now,
        reason=word.reason,
        word=word.word,
        behalf=word.behalf,
    )
    judged = _look_again(context, version, version.evaluation)
    judged = replace(
        judged,
        signals=(signal,),
        fresh=True,
        approvals=(*judged.approvals, view),
        booked=(word,),
    )
    if word.word == "reject":
        sentence = f"{signal.actor} rejected {judged.name}: {word.reason or 'no reason given'}"
        return reject_challenger(judged, f"{sentence}; {context.seat_stays}")
    return decide_challenger(judged)


def _own_request(signal: Signal, version: VersionView) -> str:
    """Why an approval does not count: who asked for the training gave it, or it was given for them."""
    payload = signal.payload
    if payload.get("withdraw") or not payload.get("agrees", True):
        return ""
    asked = asked_for(signal.actor, str(payload.get("behalf") or ""), version.asked_by)
    if not asked:
        return ""
    return (
        f"the approval of {signal.actor} does not count: {asked} asked for v{version.number}, "
        f"so somebody else has to approve it"
    )


def _word(version: VersionView, signal: Signal, seen: str) -> RecordApproval:
    """What is booked of a person's word."""
    payload = signal.payload
    agrees = bool(payload.get("agrees", True)) and not payload.get("withdraw")
    return RecordApproval(
        version=version.number,
        actor=signal.actor,
        agrees=agrees,
        evidence=seen,
        reason=str(payload.get("reason") or ""),
        word="withdraw" if payload.get("withdraw") else "approve" if agrees else "reject",
        behalf=str(payload.get("behalf") or ""),
    )


def _no_withdrawal(
    context: DecisionContext, signal: Signal, version: VersionView, before: tuple[ApprovalView, ...]
) -> str:
    """Why an approval cannot be taken back; empty if it can."""
    if signal.actor not in {word.actor for word in standing(before)}:
        return f"{signal.actor} has no approval of v{version.number} that could be taken back"
    if context.rollout is not None and context.rollout.version == version.number:
        return f"v{version.number} is being rolled out already: reject it instead"
    return ""


def _waiting(context: DecisionContext) -> ReasonResult | None:
    """Each challenger that was judged and stays; looking again writes nothing new.

    The one in rollout first, then those that people approved, then the newest.
    """
    waiting = [
        v
        for v in context.snapshot.versions
        if v.state is VersionState.CHALLENGER and v.evaluation is not None
    ]
    rolling = context.rollout.version if context.rollout else None

    def rank(version: VersionView) -> tuple[bool, int, int]:
        given = agreed(approvals_of(context, version), version.asked_by)
        return version.number == rolling, given, version.number

    findings: list[ReasonResult] = []
    for version in sorted(waiting, key=rank, reverse=True):
        finding = _look_at_waiting(context, version)
        if finding is None or finding.verdict is not None:
            return finding
        findings.append(finding)
    if not findings:
        return None
    return replace(findings[0], wake_at=earliest(*(f.wake_at for f in findings)))


def _look_at_waiting(context: DecisionContext, version: VersionView) -> ReasonResult | None:
    evaluation = version.evaluation
    if evaluation is None:
        return None
    sitting = context.champion.number if context.champion else None
    if evaluation.champion != sitting:
        return _evaluate_waiting_anew(context, version, evaluation)
    judged = _look_again(context, version, evaluation)
    if context.policy.inconclusive is WhenInconclusive.WAIT:
        more = _more_labels(judged)
        if more is not None:
            return more
    return decide_challenger(judged)


def _more_labels(judged: ChallengerVerdict) -> ReasonResult | None:
    """Newer data than the last look has seen: look again at the same rows and the new ones."""
    context, version = judged.context, judged.version
    if judged.result is not Result.INCONCLUSIVE:
        return None
    looks = [
        r
        for r in context.snapshot.runs
        if r.kind is RunKind.EVALUATE and r.version == version.number
    ]
    seen = max((run.data_through for run in looks), default=version.data_through)
    if context.snapshot.data.through <= seen or any(not run.state.ended for run in looks):
        return None
    start = judged.evaluation.holdout.start if judged.evaluation.holdout else None
    cause = Cause(trigger="more labels", signals=(), sentence="look again")
    order = order_evaluation(context, version.number, version.recipe, cause, since=start)
    sentence = f"{judged.name} waits, and newer labels are there: {order.run} evaluates it again"
    return ReasonResult(
        node=Outcome(name="promote", result=Result.PENDING, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
        challenger=version.number,
    )


def _evaluate_waiting_anew(
    context: DecisionContext, version: VersionView, evaluation: Evaluation
) -> ReasonResult:
    running = [
        run
        for run in context.snapshot.runs
        if run.kind is RunKind.EVALUATE and run.version == version.number and not run.state.ended
    ]
    seen = f"v{evaluation.champion}" if evaluation.champion is not None else "the baseline"
    sentence = f"v{version.number} waits and was compared with {seen}; {context.now_champion} now"
    if running:
        return ReasonResult(node=Outcome(name="promote", result=Result.BLOCKED, sentence=sentence))
    cause = Cause(trigger="champion moved", signals=(), sentence="evaluate anew")
    order = order_evaluation(context, version.number, version.recipe, cause)
    return ReasonResult(
        node=Outcome(
            name="promote",
            result=Result.BLOCKED,
            sentence=f"{sentence}; {order.run} evaluates anew",
        ),
        verdict=Verdict.NONE,
        actions=(order,),
        challenger=version.number,
    )


def _look_again(
    context: DecisionContext, version: VersionView, evaluation: Evaluation
) -> ChallengerVerdict:
    level = context.snapshot.budget.levels.get(str(version.number))
    gates = judge_gates(context.policy.promote, evaluation, level)
    words = approvals_of(context, version)
    return ChallengerVerdict(context, version, evaluation, level, gates, approvals=words)


PROMOTE = Reason(
    key="promote",
    doc="Judges a challenger by its evidence: promotes, rejects or holds it, or takes its rollout a stage further.",
    rank="then evidence that is there is used",
    verdicts=frozenset(
        {Verdict.ADVANCE, Verdict.HOLD, Verdict.NONE, Verdict.PROMOTE, Verdict.REJECT}
    ),
    at_rest=False,
    evaluate=promote,
)
