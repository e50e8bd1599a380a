"""The revisions of a policy that decided, and what another text would have decided, from the recent log of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from controller.domain.decisions import RulesRef
from controller.domain.errors import NotFound, UserError
from controller.domain.rules import Policy
from controller.ports import Query, RuleText, Transaction
from controller.service.plan import Plan, Sides, make_plan

Parse = Callable[[str, str], Policy]
LOOKED_BACK = 1000
"""Decisions of the model that are read."""
LONGEST = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One text of a model's policy: the decisions that it took, of those that were looked at."""

    rules: RulesRef
    first: int
    last: int
    since: datetime
    until: datetime
    decisions: int
    in_force: bool


def revisions(tx: Transaction, model: str) -> list[Revision]:
    """The texts that the last decisions were taken by, newest first."""
    active = tx.rules.active(model)
    found: dict[str, Revision] = {}
    for record in tx.decisions.find(Query(model=model, limit=LOOKED_BACK)):
        known = found.get(record.rules.blob)
        if known is None:
            found[record.rules.blob] = Revision(
                rules=record.rules,
                first=record.id,
                last=record.id,
                since=record.decided_at,
                until=record.decided_at,
                decisions=1,
                in_force=active is not None and active.ref.blob == record.rules.blob,
            )
        else:
            found[record.rules.blob] = replace(
                known, first=record.id, since=record.decided_at, decisions=known.decisions + 1
            )
    return list(found.values())


def plan_text(
    tx: Transaction, parse: Parse, blob_id: Callable[[bytes], str], model: str, text: str
) -> Plan:
    """What ``text`` would have decided instead of the policy in force, over the model's last decisions.

    Raises PolicyInvalid with every problem of the text, UserError if it is another model's or nothing differs.
    """
    active = tx.rules.active(model)
    if active is None:
        raise NotFound(f"No policy is in force for {model}.")
    if len(text) > LONGEST:
        raise UserError(f"A policy has up to {LONGEST:,} characters.")
    text = text.replace("\r\n", "\n")
    blob = blob_id(text.encode())
    if blob == active.ref.blob:
        raise UserError("This is the policy in force.", hint="Change something first.")
    policy = parse(text, active.ref.path)
    if policy.model != model:
        raise UserError(f"This is a policy of {policy.model}, expected one of {model}.")
    last = tx.decisions.find(Query(model=model, limit=LOOKED_BACK))
    sides = Sides(
        base=[RuleText(path=active.ref.path, text=active.text, blob=active.ref.blob)],
        head=[RuleText(path=active.ref.path, text=text, blob=blob)],
        base_name="the policy in force",
        head_name="this text",
    )
    since = last[-1].decided_at if len(last) == LOOKED_BACK else None
    return make_plan(tx, sides, parse, model=model, since=since)
