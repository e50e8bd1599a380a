"""Outlook: what would make a model train or promote next, as its rules see it now. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.decisions import Outcome
from controller.domain.rules import Policy
from controller.policy.context import DecisionContext
from controller.policy.decide import decide
from controller.policy.triggers import judge_triggers
from controller.ports import Transaction
from controller.service.deciding.snapshots import take_snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """Each trigger as it stands, what would be said now, and when time alone could change it."""

    sentence: str
    triggers: tuple[Outcome, ...]
    wake_at: datetime | None


def outlook(
    tx: Transaction, parse: Callable[[str, str], Policy], model: str, now: datetime
) -> Outlook | None:
    """The outlook of ``model`` at ``now``; None if no policy is in force for it."""
    rules = tx.rules.active(model)
    if rules is None:
        return None
    policy = parse(rules.text, rules.ref.path)
    snapshot = take_snapshot(tx, rules, policy, now)
    decision = decide(snapshot, policy, now)
    verdicts = judge_triggers(DecisionContext(snapshot, policy, now))
    return Outlook(
        sentence=decision.reason,
        triggers=(*(verdict.node for verdict in verdicts), *_kept(decision.tree)),
        wake_at=decision.wake_at,
    )


def _kept(tree: Outcome) -> tuple[Outcome, ...]:
    """The versions that would leave if nobody needed them, each with who does."""
    return tuple(
        child for node in tree.children if node.name == "retire" for child in node.children
    )
