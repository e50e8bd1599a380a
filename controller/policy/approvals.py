"""What people have said about a challenger comes to: who stands by an approval, and how many that is."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from controller.domain.rules import Approval
from controller.domain.snapshot import ApprovalView


def standing(
    words: Iterable[ApprovalView], asked: Collection[str] = ()
) -> tuple[ApprovalView, ...]:
    """The approvals that were not taken back: each person's last word, where it agrees.

    Without those of ``asked``, who caused the training, and without those given in their place.
    """
    last: dict[str, ApprovalView] = {}
    for word in words:
        if word.word != "escalate":
            last[word.actor] = word
    return tuple(w for w in last.values() if w.agrees and not asked_for(w.actor, w.behalf, asked))


def asked_for(actor: str, behalf: str, asked: Collection[str]) -> str:
    """Which of the two, who approves or in whose place, caused the training; empty if neither did."""
    return next((name for name in (actor, behalf) if name and name in asked), "")


def agreed(words: Iterable[ApprovalView], asked: Collection[str] = ()) -> int:
    """How many different people agree, for how many different people: a delegation makes nobody count twice."""
    given = standing(words, asked)
    return min(len({w.actor for w in given}), len({w.behalf or w.actor for w in given}))


def escalated(words: Iterable[ApprovalView]) -> bool:
    """Whether more people were asked already."""
    return any(word.word == "escalate" for word in words)


def deciders(approval: Approval, words: Iterable[ApprovalView]) -> tuple[str, ...]:
    """The groups that may decide now; none: anybody who may approve."""
    more = approval.escalate_to if escalated(words) else ()
    return tuple(dict.fromkeys((*approval.groups, *more))) if approval.groups else ()
