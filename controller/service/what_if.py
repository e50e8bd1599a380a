"""What would have been decided otherwise: with the bare numbers, and under the policy that was in force before.

The one decision function is asked again with the stored snapshot and other rules; nothing is written. Evidence was
gathered for the gates of its own time, so a gate that an earlier policy named and nobody measured is an error there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain import codec
from controller.domain.decisions import DecisionRecord
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.domain.snapshot import Snapshot
from controller.policy.approvals import as_if_asked_by
from controller.policy.decide import decide
from controller.ports import Query, Transaction

Parse = Callable[[str, str], Policy]
_LOOK_BACK = 200
"""Decisions of the model in which the earlier policy is looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Otherwise:
    """One answer to "what if". ``same``: it comes to the same verdict about the same champion."""

    name: str
    asked: str
    verdict: str
    reason: str
    same: bool


def otherwise(
    tx: Transaction, record: DecisionRecord, policy: Policy, parse: Parse
) -> list[Otherwise]:
    """The decision with the bare numbers, and under the previous policy if there was one."""
    actual = decide_again(record, policy)
    if actual is None:
        return []
    bare = replace(
        policy,
        promote=tuple(replace(gate, test="point") for gate in policy.promote),
        error_budget=None,
    )
    found = [
        _ask(record, bare, actual, "With the bare numbers", "every gate compared without a test")
    ]
    before = _previous(tx, record)
    if before is not None:
        text = tx.rules.text(before.rules.blob)
        if text is not None:
            found.append(_under(record, text, before, actual, parse))
    return found


def decide_again(record: DecisionRecord, policy: Policy) -> tuple[str, int | None] | None:
    """Verdict and champion that ``policy`` gives on the record's snapshot; None if it cannot be read."""
    try:
        snapshot = codec.load_value(Snapshot, record.snapshot)
        decision = decide(snapshot, policy, record.decided_at)
    except (IncumbentError, ValueError):
        return None
    return decision.verdict.value, decision.champion_after


def _under(
    record: DecisionRecord,
    text: str,
    before: DecisionRecord,
    actual: tuple[str, int | None],
    parse: Parse,
) -> Otherwise:
    name, asked = (
        "Under the previous policy",
        f"rules {before.rules.blob[:12]}, last used by decision {before.id}",
    )
    try:
        rules = parse(text, before.rules.path)
    except IncumbentError as error:
        return Otherwise(name=name, asked=asked, verdict="", reason=error.message, same=False)
    return _ask(record, rules, actual, name, asked)


def _ask(
    record: DecisionRecord, policy: Policy, actual: tuple[str, int | None], name: str, asked: str
) -> Otherwise:
    snapshot = codec.load_value(Snapshot, record.snapshot)
    approvals = as_if_asked_by(policy.approval, snapshot.approvals)
    try:
        decision = decide(replace(snapshot, approvals=approvals), policy, record.decided_at)
    except IncumbentError as error:
        return Otherwise(name=name, asked=asked, verdict="", reason=error.message, same=False)
    return Otherwise(
        name=name,
        asked=asked,
        verdict=decision.verdict.value,
        reason=decision.reason,
        same=(decision.verdict.value, decision.champion_after) == actual,
    )


def _previous(tx: Transaction, record: DecisionRecord) -> DecisionRecord | None:
    earlier = tx.decisions.find(Query(model=record.model, before=record.id, limit=_LOOK_BACK))
    return next((one for one in earlier if one.rules.blob != record.rules.blob), None)
