"""Promote: a challenger with evidence is promoted, rejected, or held. Nothing but ``pass`` promotes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from controller.domain.canonical import digest
from controller.domain.decisions import (
    Action,
    MarkVerified,
    MoveVersion,
    Outcome,
    RecordApproval,
    RecordEvaluation,
    RecordTest,
    Result,
    SetChampion,
    TurnRecipe,
    Verdict,
)
from controller.domain.evidence import Evaluation
from controller.domain.rules import SERVABLE, WhenInconclusive
from controller.domain.runs import Cause, RunKind
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.domain.snapshot import ApprovalView
from controller.domain.versions import VERSION_MOVES, VersionState, VersionView
from controller.policy.budget import (
    holdout_left,
    holdout_level,
    level_of_next_test,
    wealth_words,
)
from controller.policy.case import Case, Finding, answer_all
from controller.policy.gates import GateVerdict, judge_gates, worst
from controller.policy.orders import order_evaluation
from controller.policy.phrase import count, listing, moment

_IN_PLAY = frozenset({VersionState.CANDIDATE, VersionState.CHALLENGER})


@dataclass(frozen=True, slots=True)
class _Judgement:
    """A challenger, its evaluation, and every gate's verdict at one test level."""

    case: Case
    version: VersionView
    evaluation: Evaluation
    level: float | None
    gates: tuple[GateVerdict, ...]
    signals: tuple[Signal, ...] = ()
    fresh: bool = False
    approvals: tuple[ApprovalView, ...] = ()
    booked: tuple[Action, ...] = field(default_factory=tuple)

    @property
    def counted(self) -> tuple[GateVerdict, ...]:
        """The gates that are no dry run."""
        return tuple(g for g in self.gates if not g.gate.dry_run)

    @property
    def result(self) -> Result:
        """What the gates come to. A policy without a gate of its own proves nothing."""
        if not any(g.gate.name != SERVABLE for g in self.counted):
            return Result.INCONCLUSIVE
        return worst([g.result for g in self.counted])

    @property
    def name(self) -> str:
        """The challenger, as sentences call it."""
        return f"v{self.version.number}"

    def node(self, sentence: str, result: Result | None = None) -> Outcome:
        """The outcome tree with one child a gate."""
        values = {
            "challenger": self.version.number,
            "champion": self.case.champion.number if self.case.champion else None,
            "holdout_rows": self.evaluation.holdout.rows if self.evaluation.holdout else None,
            "evidence": digest(self.evaluation),
            "alpha": self.level,
        }
        return Outcome(
            name="promote",
            result=result or self.result,
            sentence=sentence,
            values=values,
            children=tuple(g.outcome for g in self.gates),
        )


def promote(case: Case) -> Finding | None:
    """In this order: a person's promotion, a fresh evaluation, a person's approval, a challenger that waits."""
    forced = case.signals(SignalKind.PROMOTE)
    if forced:
        return _by_person(case, forced[0])
    for signal in case.signals(SignalKind.RUN_FINISHED):
        if signal.payload.get("kind") == RunKind.EVALUATE.value:
            return _fresh(case, signal)
    spoken = case.signals(SignalKind.APPROVAL)
    if spoken:
        return _spoken(case, spoken[0])
    return _waiting(case)


def _by_person(case: Case, signal: Signal) -> Finding:
    number, why = signal.payload.get("version"), signal.payload.get("reason")
    version = case.snapshot.version(number) if isinstance(number, int) else None
    seen = signal.payload.get("expect_version")
    sitting = case.champion.number if case.champion else None
    refusal = None
    if version is None:
        refusal = f"v{number} cannot be promoted: it is not in play"
    elif version.number == sitting:
        refusal = f"v{number} is the champion already"
    elif VersionState.CHAMPION not in VERSION_MOVES[version.state]:
        refusal = f"v{number} cannot be promoted: it is {version.state.value}"
    elif not why:
        refusal = f"v{number} cannot be promoted without a reason"
    elif seen is not None and seen != sitting:
        refusal = f"v{seen} is no longer the champion, {case.seat} is"
    if refusal is not None or version is None:
        sentence = refusal or ""
        return Finding(
            node=Outcome(name="promote", result=Result.BLOCKED, sentence=sentence),
            verdict=Verdict.NONE,
            answers=answer_all((signal,), SignalStatus.FAILED, sentence),
        )
    sentence = f"{signal.actor} promoted v{number} over {case.seat} by hand: {why}"
    return Finding(
        node=Outcome(
            name="promote",
            result=Result.DONE,
            sentence=sentence,
            values={"actor": signal.actor, "forced": True},
        ),
        verdict=Verdict.PROMOTE,
        actions=(*_seat(case, version, sentence), *case.notices("promoted", sentence)),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
        challenger=version.number,
        champion_after=version.number,
    )


def _fresh(case: Case, signal: Signal) -> Finding:
    run = str(signal.payload.get("run", ""))
    evaluation = case.snapshot.evaluation(run)
    version = case.snapshot.version(evaluation.version) if evaluation else None
    if evaluation is None or version is None or version.state not in _IN_PLAY:
        state = (
            f"v{evaluation.version} is out of play" if evaluation else "its report is unreadable"
        )
        return _unusable(signal, f"evaluation {run} decides nothing: {state}; {case.seat_stays}")
    sitting = case.champion.number if case.champion else None
    if evaluation.champion != sitting:
        return _again(case, signal, version, evaluation)
    booked_before = case.snapshot.budget.levels.get(str(version.number))
    level = _level(case, booked_before)
    gates = judge_gates(case.policy.promote, evaluation, level)
    judgement = _Judgement(
        case, version, evaluation, level, gates, (signal,), fresh=True, booked=()
    )
    booked: list[Action] = [RecordEvaluation(evaluation=evaluation)]
    passed = all(g.result is Result.PASS for g in judgement.counted)
    if level is not None and (booked_before is None or passed):
        booked.append(RecordTest(version=version.number, level=level, rejected=passed))
    if any(g.gate.name == SERVABLE and g.result is Result.PASS for g in gates):
        booked.append(MarkVerified(version=version.number))
    return _conclude(replace(judgement, booked=tuple(booked)))


def _level(case: Case, booked: float | None) -> float | None:
    """The level of a challenger's test: what it was judged at before, else what wealth and holdout leave."""
    if booked is not None:
        return booked
    levels = [
        level_of_next_test(case.policy.error_budget, case.snapshot.budget),
        holdout_level(case.policy.error_budget),
    ]
    return min((level for level in levels if level is not None), default=None)


def _again(case: Case, signal: Signal, version: VersionView, evaluation: Evaluation) -> Finding:
    """The champion moved while the evaluation ran: its evidence is about somebody else."""
    cause = Cause(trigger="champion moved", signals=(signal.id,), sentence="evaluate anew")
    order = order_evaluation(case, version.number, version.recipe, cause)
    seen = f"v{evaluation.champion}" if evaluation.champion is not None else "an empty seat"
    sentence = (
        f"v{version.number} was held against {seen}, but {case.seat} sits there now; "
        f"{order.run} evaluates anew"
    )
    return Finding(
        node=Outcome(name="promote", result=Result.BLOCKED, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
        challenger=version.number,
    )


def _unusable(signal: Signal, sentence: str) -> Finding:
    return Finding(
        node=Outcome(name="promote", result=Result.ERROR, sentence=sentence),
        verdict=Verdict.NONE,
        answers=answer_all((signal,), SignalStatus.FAILED, sentence),
    )


def _spoken(case: Case, signal: Signal) -> Finding:
    """A person's approval counts only for the evidence that the person saw."""
    number, payload = signal.payload.get("version"), signal.payload
    version = case.snapshot.version(number) if isinstance(number, int) else None
    if version is None or version.evaluation is None or version.state not in _IN_PLAY:
        return _unusable(signal, f"v{number} does not wait for approval")
    seen, present = str(payload.get("evidence") or ""), digest(version.evaluation)
    if seen != present:
        return _unusable(
            signal, f"{signal.actor} saw other evidence of v{number} than there is now: look again"
        )
    allowed = set(case.policy.approval.groups)
    if allowed and not allowed & set(payload.get("groups") or ()):
        return _unusable(
            signal, f"{signal.actor} is in none of the groups {listing(sorted(allowed))}"
        )
    agrees = bool(payload.get("agrees", True))
    why = str(payload.get("reason") or "")
    word = RecordApproval(
        version=version.number, actor=signal.actor, agrees=agrees, evidence=seen, reason=why
    )
    view = ApprovalView(
        version=version.number,
        actor=signal.actor,
        agrees=agrees,
        evidence=seen,
        at=case.now,
        reason=why,
    )
    judgement = _look_again(case, version, version.evaluation)
    judgement = replace(
        judgement,
        signals=(signal,),
        fresh=True,
        approvals=(*judgement.approvals, view),
        booked=(word,),
    )
    if not agrees:
        sentence = f"{signal.actor} rejected {judgement.name}: {why or 'no reason given'}"
        return _reject(judgement, f"{sentence}; {case.seat_stays}")
    return _conclude(judgement)


def _waiting(case: Case) -> Finding | None:
    """The newest challenger that was judged and not sent away; looking at it again writes nothing new."""
    waiting = [
        v
        for v in case.snapshot.versions
        if v.state is VersionState.CHALLENGER and v.evaluation is not None
    ]
    if not waiting:
        return None
    version = max(waiting, key=lambda v: v.number)
    evaluation = version.evaluation
    if evaluation is None:
        return None
    sitting = case.champion.number if case.champion else None
    if evaluation.champion != sitting:
        return _evaluate_waiting_anew(case, version, evaluation)
    judgement = _look_again(case, version, evaluation)
    if case.policy.inconclusive is WhenInconclusive.WAIT:
        more = _more_labels(judgement)
        if more is not None:
            return more
    return _conclude(judgement)


def _more_labels(judgement: _Judgement) -> Finding | None:
    """Newer data than the last look has seen: look again at the same rows and the new ones."""
    case, version = judgement.case, judgement.version
    if judgement.result is not Result.INCONCLUSIVE:
        return None
    looks = [
        r for r in case.snapshot.runs if r.kind is RunKind.EVALUATE and r.version == version.number
    ]
    seen = max((run.data_through for run in looks), default=version.data_through)
    if case.snapshot.data.through <= seen or any(not run.state.ended for run in looks):
        return None
    start = judgement.evaluation.holdout.start if judgement.evaluation.holdout else None
    cause = Cause(trigger="more labels", signals=(), sentence="look again")
    order = order_evaluation(case, version.number, version.recipe, cause, since=start)
    sentence = f"{judgement.name} waits, and newer labels are there: {order.run} looks again"
    return Finding(
        node=Outcome(name="promote", result=Result.PENDING, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
        challenger=version.number,
    )


def _evaluate_waiting_anew(case: Case, version: VersionView, evaluation: Evaluation) -> Finding:
    running = [
        run
        for run in case.snapshot.runs
        if run.kind is RunKind.EVALUATE and run.version == version.number and not run.state.ended
    ]
    seen = f"v{evaluation.champion}" if evaluation.champion is not None else "an empty seat"
    sentence = f"v{version.number} waits and was held against {seen}; {case.seat} sits there now"
    if running:
        return Finding(node=Outcome(name="promote", result=Result.BLOCKED, sentence=sentence))
    cause = Cause(trigger="champion moved", signals=(), sentence="evaluate anew")
    order = order_evaluation(case, version.number, version.recipe, cause)
    return Finding(
        node=Outcome(
            name="promote",
            result=Result.BLOCKED,
            sentence=f"{sentence}; {order.run} evaluates anew",
        ),
        verdict=Verdict.NONE,
        actions=(order,),
        challenger=version.number,
    )


def _look_again(case: Case, version: VersionView, evaluation: Evaluation) -> _Judgement:
    level = case.snapshot.budget.levels.get(str(version.number))
    gates = judge_gates(case.policy.promote, evaluation, level)
    words = tuple(
        word
        for word in case.snapshot.approvals
        if word.version == version.number and word.evidence == digest(evaluation)
    )
    return _Judgement(case, version, evaluation, level, gates, approvals=words)


def _conclude(judgement: _Judgement) -> Finding:
    """The four verdicts of the gates, the hold, and the people: what becomes of the challenger."""
    case, approval = judgement.case, judgement.case.policy.approval
    agreed = {word.actor for word in judgement.approvals if word.agrees}
    enough = len(agreed) >= approval.count
    result = judgement.result
    if result in {Result.FAIL, Result.ERROR}:
        return _reject(judgement, _lost(judgement))
    use = next((u for u in case.snapshot.holdouts if u.version == judgement.version.number), None)
    left = holdout_left(case.policy.error_budget, use)
    if left is not None and left.spent:
        return _wait(judgement, f"{judgement.name} is held: {left.reason}; {case.seat_stays}")
    if result is Result.INCONCLUSIVE and not (_may_be_approved(case) and enough):
        return _wait(judgement, _undecided(judgement, len(agreed)))
    if case.snapshot.hold is not None:
        why = case.snapshot.hold.reason
        return _wait(
            judgement,
            f"{judgement.name} proved itself, but automatic promotion rests until a person "
            f"releases it ({why})",
        )
    if approval.when == "always" and not enough:
        return _wait(judgement, _asks(judgement, len(agreed)))
    return _win(judgement, agreed)


def _may_be_approved(case: Case) -> bool:
    approval = case.policy.approval
    return approval.when in {"inconclusive", "always"}


def _win(judgement: _Judgement, agreed: set[str]) -> Finding:
    case, version = judgement.case, judgement.version
    passed = [g for g in judgement.counted if g.result is Result.PASS]
    dry = len(judgement.gates) - len(judgement.counted)
    sentence = (
        f"v{version.number} takes the seat from {case.seat}: "
        f"{len(passed)} of {count(len(judgement.counted), 'gate')} passed"
    )
    if dry:
        sentence += f", {dry} in dry run"
    if agreed:
        sentence += f", approved by {listing(sorted(agreed))}"
    if judgement.level is not None:
        sentence += (
            f"; {wealth_words(case.policy.error_budget, case.snapshot.budget, judgement.level)}"
        )
    return Finding(
        node=judgement.node(sentence),
        verdict=Verdict.PROMOTE,
        actions=(
            *judgement.booked,
            *_seat(case, version, sentence),
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


def _seat(case: Case, version: VersionView, sentence: str) -> tuple[Action, ...]:
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
        if other.state is VersionState.CHALLENGER and other.number < version.number
    )


def _reject(judgement: _Judgement, sentence: str) -> Finding:
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


def _wait(judgement: _Judgement, sentence: str) -> Finding:
    """Hold the challenger. Looked at again without news, this writes nothing."""
    case, version, approval = judgement.case, judgement.version, judgement.case.policy.approval
    expires = None
    if _awaits_people(judgement):
        expires = (version.state_since or case.now) + approval.expires
        if not judgement.fresh and expires <= case.now:
            return _reject(
                judgement,
                f"{judgement.name} waited for approval until {moment(expires)} and nobody "
                f"gave it; {case.seat_stays}",
            )
    node = judgement.node(sentence)
    if not judgement.fresh:
        return Finding(node=node, wake_at=expires)
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
        wake_at=expires,
    )


def _awaits_people(judgement: _Judgement) -> bool:
    if judgement.case.snapshot.hold is not None and judgement.result is Result.PASS:
        return False
    when = judgement.case.policy.approval.when
    return when == "always" or (when == "inconclusive" and judgement.result is Result.INCONCLUSIVE)


def _answers(judgement: _Judgement, sentence: str) -> tuple[SignalAnswer, ...]:
    return answer_all(judgement.signals, SignalStatus.HANDLED, sentence)


def _lost(judgement: _Judgement) -> str:
    bad = [g for g in judgement.counted if g.result in {Result.FAIL, Result.ERROR}]
    first = bad[0]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return (
        f"{judgement.name} is rejected by '{first.gate.name}'{more}: "
        f"{first.outcome.sentence}; {judgement.case.seat_stays}"
    )


def _undecided(judgement: _Judgement, agreed: int) -> str:
    case = judgement.case
    open_gates = [g for g in judgement.counted if g.result is Result.INCONCLUSIVE]
    if not open_gates:
        return (
            f"{judgement.name} is held: the policy has no gate that could prove it better; "
            f"promote it by hand or add a gate; {case.seat_stays}"
        )
    first = open_gates[0]
    text = (
        f"{judgement.name} is held, '{first.gate.name}' is inconclusive: "
        f"{first.outcome.sentence}{_budget_words(judgement)}; {case.seat_stays}"
    )
    if case.policy.approval.when in {"inconclusive", "always"}:
        return f"{text}; {_asks(judgement, agreed)}"
    if case.policy.inconclusive is WhenInconclusive.WAIT:
        return f"{text}; it is looked at again when more labels are there"
    return text


def _budget_words(judgement: _Judgement) -> str:
    if judgement.level is None:
        return ""
    case = judgement.case
    return f"; {wealth_words(case.policy.error_budget, case.snapshot.budget, judgement.level)}"


def _asks(judgement: _Judgement, agreed: int) -> str:
    approval = judgement.case.policy.approval
    whom = listing(approval.groups) or "anybody who may approve"
    return f"{judgement.name} waits for {count(approval.count - agreed, 'approval')} from {whom}"
