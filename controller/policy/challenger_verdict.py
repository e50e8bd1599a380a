"""A challenger that was judged: its gates at one test level, and the sentences about them."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.domain.decisions import (
    Action,
    Outcome,
    Result,
)
from controller.domain.evidence import Evaluation
from controller.domain.rules import SERVABLE, WhenInconclusive
from controller.domain.signals import Signal
from controller.domain.snapshot import ApprovalView
from controller.domain.versions import VersionView
from controller.policy.approvals import deciders, standing
from controller.policy.budget import (
    wealth_words,
)
from controller.policy.context import DecisionContext
from controller.policy.gates import GateVerdict, worst_result
from controller.policy.phrase import count, listing


@dataclass(frozen=True, slots=True)
class ChallengerVerdict:
    """A challenger, its evaluation, and every gate's verdict at one test level."""

    context: DecisionContext
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
        return worst_result([g.result for g in self.counted])

    @property
    def name(self) -> str:
        """The challenger, as sentences call it."""
        return f"v{self.version.number}"

    def node(self, sentence: str, result: Result | None = None) -> Outcome:
        """The outcome tree with one child a gate."""
        values = {
            "challenger": self.version.number,
            "champion": self.context.champion.number if self.context.champion else None,
            "holdout_rows": self.evaluation.holdout.rows if self.evaluation.holdout else None,
            "evidence": self.evaluation.digest,
            "alpha": self.level,
        }
        return Outcome(
            name="promote",
            result=result or self.result,
            sentence=sentence,
            values=values,
            children=tuple(g.outcome for g in self.gates),
        )


def approvals_of(context: DecisionContext, version: VersionView) -> tuple[ApprovalView, ...]:
    """What people were asked and said about the challenger's present evidence, and whether more were asked before."""
    words = tuple(word for word in context.snapshot.approvals if word.version == version.number)
    if not words or version.evaluation is None:
        return ()
    seen = version.evaluation.digest  # dear, and seldom asked for: only where somebody has spoken
    return tuple(w for w in words if w.evidence == seen or w.word == "escalate")


def lost(judged: ChallengerVerdict) -> str:
    """Why a challenger is rejected: the first gate that it did not pass, and how many more."""
    bad = [g for g in judged.counted if g.result in {Result.FAIL, Result.ERROR}]
    first = bad[0]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return (
        f"{judged.name} is rejected by '{first.gate.name}'{more}: "
        f"{first.outcome.sentence}; {judged.context.seat_stays}"
    )


def undecided(judged: ChallengerVerdict, agreed: int) -> str:
    """Why the evidence is not enough either way, and what happens next; ``agreed`` people have approved."""
    context = judged.context
    open_gates = [g for g in judged.counted if g.result is Result.INCONCLUSIVE]
    if not open_gates:
        return (
            f"{judged.name} is held: the policy has no gate that could prove it better; "
            f"promote it by hand or add a gate; {context.seat_stays}"
        )
    first = open_gates[0]
    text = (
        f"{judged.name} is held, '{first.gate.name}' is inconclusive: "
        f"{first.outcome.sentence}{_budget_words(judged)}; {context.seat_stays}"
    )
    if context.policy.approval.when in {"inconclusive", "always"}:
        return f"{text}; {asks(judged, agreed)}"
    if context.policy.inconclusive is WhenInconclusive.WAIT:
        return f"{text}; it is evaluated again when more labels arrive"
    return text


def _budget_words(judged: ChallengerVerdict) -> str:
    if judged.level is None:
        return ""
    context = judged.context
    return f"; {wealth_words(context.policy.error_budget, context.snapshot.budget, judged.level)}"


def asks(judged: ChallengerVerdict, agreed: int) -> str:
    """How many approvals are missing, and whose."""
    approval = judged.context.policy.approval
    whom = listing(deciders(approval, judged.approvals)) or "anybody who may approve"
    text = f"{judged.name} waits for {count(approval.count - agreed, 'approval')} from {whom}"
    counted = standing(judged.approvals, judged.version.asked_by)
    left_out = sorted(w.actor for w in standing(judged.approvals) if w not in counted)
    if left_out:
        text += (
            f" (what {listing(left_out)} approved does not count: who asked for the training "
            f"cannot approve it, nor anybody in their place)"
        )
    return text
