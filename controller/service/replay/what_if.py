"""What would have been decided otherwise: with the bare numbers, and under the policy that was in force before.

The one decision function is asked again with the stored snapshot and other rules; nothing is written. Evidence was
gathered for the gates of its own time, so a gate that an earlier policy named and nobody measured is an error there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.ports import Query, Transaction
from controller.service.replay.simulate import RecordedMoment

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
    try:
        moment = RecordedMoment.of(record)
        actual = moment.decide(policy)
    except (IncumbentError, ValueError):
        return []
    bare = replace(
        policy,
        promote=tuple(replace(gate, test="point") for gate in policy.promote),
        error_budget=None,
    )
    asked = [("With the bare numbers", "every gate compared without a test", lambda: bare)]
    before = _previous(tx, record)
    text = tx.rules.text(before.rules.blob) if before is not None else None
    if before is not None and text is not None:
        path = before.rules.path
        source = f"rules {before.rules.blob[:12]}, last used by decision {before.id}"
        asked.append(("Under the previous policy", source, lambda: parse(text, path)))
    return [_ask(moment, actual, *one) for one in asked]


def _ask(
    moment: RecordedMoment, actual: Decision, name: str, asked: str, rules: Callable[[], Policy]
) -> Otherwise:
    try:
        decision = moment.decide(rules())
    except IncumbentError as error:
        return Otherwise(name=name, asked=asked, verdict="", reason=error.message, same=False)
    return Otherwise(
        name=name,
        asked=asked,
        verdict=decision.verdict.value,
        reason=decision.reason,
        same=(decision.verdict, decision.champion_after) == (actual.verdict, actual.champion_after),
    )


def _previous(tx: Transaction, record: DecisionRecord) -> DecisionRecord | None:
    earlier = tx.decisions.find(Query(model=record.model, before=record.id, limit=_LOOK_BACK))
    return next((one for one in earlier if one.rules.blob != record.rules.blob), None)
