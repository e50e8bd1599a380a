"""Rehearse: what would be decided if a signal were there, with nothing written down.

The signal is put into the inbox in a transaction that is rolled back, so that the snapshot is the engine's own and
there is no second way to build one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from controller.domain.decisions import Decision
from controller.domain.errors import NotFound
from controller.domain.rules import Policy
from controller.domain.signals import NewSignal
from controller.policy.decide import decide
from controller.ports import Store
from controller.service.deciding.snapshots import take_snapshot


class _RolledBack(Exception):
    """Ends the transaction without a trace, carrying the decision out of it."""

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        self.decision = decision


def rehearse(
    store: Store,
    parse: Callable[[str, str], Policy],
    model: str,
    signals: Sequence[NewSignal],
    now: datetime,
) -> Decision:
    """The decision about ``model`` at ``now`` with ``signals`` in the inbox; NotFound if it has no rules in force."""
    try:
        with store.begin() as tx:
            rules = tx.rules.active(model)
            if rules is None:
                raise NotFound(f"No policy is in force for {model}.")
            tx.signals.append(list(signals), now)
            policy = parse(rules.text, rules.ref.path)
            decision = decide(take_snapshot(tx, rules, policy, now), policy, now)
            raise _RolledBack(decision)  # noqa: TRY301 - leaving the block by an exception is the point
    except _RolledBack as done:
        return done.decision
