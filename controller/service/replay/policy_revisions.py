"""The revisions of a policy that decided, and what another text would have decided, from the recent log of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from controller.domain.decisions import RulesRef
from controller.domain.errors import NotFound, PolicyInvalid, UserError
from controller.domain.rules import Policy
from controller.ports import ActiveRules, Query, RevisionTexts, RuleText, Transaction
from controller.service.replay.plan import PlanReport, Sides, changes_between, make_plan

Parse = Callable[[str, str], Policy]
LOOKED_BACK = 1000
"""Decisions of the model that are read."""
LONGEST_TEXT = 200_000


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
) -> PlanReport:
    """What ``text`` would have decided instead of the policy in force, over the model's last decisions.

    Raises PolicyInvalid with every problem of the text, UserError if it is another model's or nothing differs.
    """
    active = tx.rules.active(model)
    if active is None:
        raise NotFound(f"No policy is in force for {model}.")
    if len(text) > LONGEST_TEXT:
        raise UserError(f"A policy has up to {LONGEST_TEXT:,} characters.")
    text = text.replace("\r\n", "\n")
    blob = blob_id(text.encode())
    if blob == active.ref.blob:
        raise UserError("This is the policy in force.", hint="Change something first.")
    policy = parse(text, active.ref.path)
    if policy.model != model:
        raise UserError(f"This is a policy of {policy.model}, expected one of {model}.")
    return _plan(
        tx, parse, active, RuleText(path=active.ref.path, text=text, blob=blob), "this text"
    )


def plan_revision(tx: Transaction, parse: Parse, model: str, found: RevisionTexts) -> PlanReport:
    """The same for the model's policy as ``found`` has it, whoever reviewed it.

    Raises PolicyInvalid with every problem of the text, UserError if there is none or nothing differs.
    """
    active = tx.rules.active(model)
    if active is None:
        raise NotFound(f"No policy is in force for {model}.")
    if any(text.blob == active.ref.blob for text in found.texts):
        raise UserError(f"{_named(found)} has the policy in force: nothing would change.")
    text = _text_of(model, active.ref.path, found, parse)
    if text is None:
        raise UserError(
            f"{_named(found)} has no policy of {model}.",
            hint="Where it is merged like this, the model is retired: nothing acts for it any more.",
        )
    return _plan(tx, parse, active, text, _named(found))


def _text_of(model: str, path: str, found: RevisionTexts, parse: Parse) -> RuleText | None:
    """The file of the policy in force, unless it is another model's by now; else whichever rules the model."""
    for text in sorted(found.texts, key=lambda text: text.path != path):
        here = text.path == path
        if here and text.refused:
            raise UserError(text.refused)
        if not text.text or (not here and model not in text.text):
            continue
        try:
            policy = parse(text.text, text.path)
        except PolicyInvalid:
            if here:
                raise
            continue
        if policy.model == model:
            return text
    return None


def _named(found: RevisionTexts) -> str:
    number = found.revision[:12]
    return number if found.revision.startswith(found.name) else f"{found.name} ({number})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What the policies of a revision change, by model: ``changed``, ``new`` or ``gone``. ``same`` counts the rest."""

    name: str
    revision: str
    models: tuple[tuple[str, str, str], ...]
    """Model, path, and what becomes of it."""
    same: int


def changes_at(tx: Transaction, parse: Parse, found: RevisionTexts) -> Changes:
    """Which policies differ from those in force; PolicyInvalid for one that cannot be read."""
    base = [
        RuleText(path=one.ref.path, text=one.text, blob=one.ref.blob)
        for one in tx.rules.all_active()
    ]
    changes, same = changes_between(base, found.texts, parse)
    return Changes(
        name=found.name,
        revision=found.revision,
        models=tuple(
            (
                one.model,
                one.path,
                "new" if one.old is None else "gone" if one.new is None else "changed",
            )
            for one in changes
        ),
        same=same,
    )


def _plan(
    tx: Transaction, parse: Parse, active: ActiveRules, head: RuleText, head_name: str
) -> PlanReport:
    model = active.model
    last = tx.decisions.find(Query(model=model, limit=LOOKED_BACK))
    sides = Sides(
        base=[RuleText(path=active.ref.path, text=active.text, blob=active.ref.blob)],
        head=[head],
        base_name="the policy in force",
        head_name=head_name,
    )
    since = last[-1].decided_at if len(last) == LOOKED_BACK else None
    return make_plan(tx, sides, parse, model=model, since=since)
