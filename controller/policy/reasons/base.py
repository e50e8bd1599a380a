"""What every reason to act must say of itself. One that leaves something out cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.decisions import Verdict
from controller.policy.context import DecisionContext, ReasonResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One reason to act. Where it stands among the others is said in :mod:`controller.policy.reasons.registry`."""

    key: str
    """The name of its file."""
    doc: str
    """What it does, in a sentence of the reference."""
    rank: str
    """Why it is asked where it is asked, in words that go on from the reason before it."""
    verdicts: frozenset[Verdict]
    """What it may decide."""
    at_rest: bool
    """Whether it is asked of a model that rests in error: its own rules or state may be why it rests."""
    evaluate: Callable[[DecisionContext], ReasonResult | None]
    """What it finds in the snapshot: None, an explanation, or an act, which ends the search."""
