"""What is asked of people about a challenger and what they said: who approved, how many that is, and until when."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from controller.domain.durations import format_duration
from controller.domain.names import lookalike
from controller.domain.rules import Approval
from controller.domain.snapshot import ApprovalView
from controller.policy.phrase import count, listing

_SYSTEM_WORDS = frozenset({"request", "cancel_request", "escalate"})
"""What the system books itself; everything else a person said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalRequest:
    """People have been asked since ``at``. Unanswered, it ends at ``expires``, and at ``escalates`` more are asked.

    ``escalates`` is None where the policy names nobody else, or they were asked already.
    """

    at: datetime
    expires: datetime
    escalates: datetime | None


def request_terms(approval: Approval) -> str:
    """What people are asked for. A request is recorded with these words: under other terms it is another request."""
    whom = listing(sorted(approval.groups)) or "anybody who may approve"
    return f"{count(approval.count, 'approval')} from {whom} within {format_duration(approval.expires)}"


def open_request(words: Iterable[ApprovalView]) -> ApprovalView | None:
    """The request that nobody cancelled, on whatever terms. ``words`` are on one evaluation, oldest first."""
    asked = None
    for word in words:
        if word.word in {"request", "cancel_request"}:
            asked = word if word.word == "request" else None
    return asked


def approval_request(
    approval: Approval, words: Collection[ApprovalView], now: datetime | None = None
) -> ApprovalRequest | None:
    """The open request on the policy's terms; where there is none, one made ``now``, or None.

    Its clock starts when people were asked, never before: a rule that came later asks them anew.
    """
    asked = open_request(words)
    if asked is not None and asked.reason == request_terms(approval):
        at: datetime | None = asked.at
    else:
        at = now
    if at is None:
        return None
    later = approval.escalate.after if approval.escalate and not escalated(words) else None
    return ApprovalRequest(
        at=at,
        expires=at + approval.expires,
        escalates=at + later if later is not None else None,
    )


def as_if_asked_by(approval: Approval, words: Iterable[ApprovalView]) -> tuple[ApprovalView, ...]:
    """Every request as other rules would have made it at that time: for those who ask what these would have decided."""
    terms = request_terms(approval)
    return tuple(replace(w, reason=terms) if w.word == "request" else w for w in words)


def said_by_people(words: Iterable[ApprovalView]) -> tuple[ApprovalView, ...]:
    """What people said, without what the system booked."""
    return tuple(word for word in words if word.word not in _SYSTEM_WORDS)


def standing(
    words: Iterable[ApprovalView], asked: Collection[str] = ()
) -> tuple[ApprovalView, ...]:
    """The approvals that were not taken back: each person's last word, where it agrees.

    Without those of ``asked``, who caused the training, and without those given in their place.
    """
    last = {word.actor: word for word in said_by_people(words)}
    return tuple(w for w in last.values() if w.agrees and not asked_for(w.actor, w.behalf, asked))


def asked_for(actor: str, behalf: str, asked: Collection[str]) -> str:
    """Which of the two, who approves or in whose place, caused the training; empty if neither did.

    Somebody whose name looks like that of who did may be the same person, and is taken for them.
    """
    alike = set(map(lookalike, asked))
    return next((name for name in (actor, behalf) if name and lookalike(name) in alike), "")


def agreed(words: Iterable[ApprovalView], asked: Collection[str] = ()) -> int:
    """How many different people agree, for how many different people: a delegation makes nobody count twice.

    Two whose names look the same are one, for nobody who reads them could tell.
    """
    given = standing(words, asked)
    people = {lookalike(word.actor) for word in given}
    return min(len(people), len({lookalike(word.behalf or word.actor) for word in given}))


def escalated(words: Iterable[ApprovalView]) -> bool:
    """Whether more people were asked already."""
    return any(word.word == "escalate" for word in words)


def deciders(approval: Approval, words: Iterable[ApprovalView]) -> tuple[str, ...]:
    """The groups that may decide now; none: anybody who may approve."""
    more = approval.escalate.to if approval.escalate and escalated(words) else ()
    return tuple(dict.fromkeys((*approval.groups, *more))) if approval.groups else ()
