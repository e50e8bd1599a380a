"""What the system itself books about approvals: that people are asked, and that they need not answer any more."""

from __future__ import annotations

from typing import Literal

from controller.domain.decisions import Action, RecordApproval
from controller.policy.approvals import approval_request, open_request, request_terms
from controller.policy.challenger_verdict import ChallengerVerdict


def ask(judged: ChallengerVerdict) -> tuple[Action, ...]:
    """Ask people, where they have not been asked for this evidence on the policy's terms."""
    approval = judged.context.policy.approval
    if approval_request(approval, judged.approvals) is not None:
        return ()
    return (book(judged, "request", request_terms(approval)),)


def cancel(judged: ChallengerVerdict) -> tuple[Action, ...]:
    """People need not answer any more: where they are asked again, their time begins anew."""
    if open_request(judged.approvals) is None:
        return ()
    return (book(judged, "cancel_request", "no approval is missing now"),)


def book(
    judged: ChallengerVerdict, word: Literal["request", "cancel_request", "escalate"], why: str
) -> RecordApproval:
    """The system's entry about the challenger's present evidence."""
    return RecordApproval(
        version=judged.version.number,
        actor="system",
        agrees=False,
        evidence=judged.evaluation.digest,
        reason=why,
        word=word,
    )
