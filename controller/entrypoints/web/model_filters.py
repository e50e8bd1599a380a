"""Which models the list shows: by name, by owner, by what they are up to. One question a filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.ports import ActiveRules, Query, Transaction
from controller.service.overview import model_names

Parse = Callable[[str, str], Policy]
STATES = {
    "held": "a challenger waits",
    "running": "work is under way",
    "resting": "on hold",
    "problem": "something is wrong",
    "empty": "nobody sits in the seat",
    "seated": "a champion sits",
}
"""What a model may be up to, as the filter names it and says it."""
_OWNER = re.compile(r"^owner:[ \t]*([^\s#\"'{}\[\]]+)[ \t]*(?:#.*)?$", re.MULTILINE)
_MANY = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What was asked for; empty means any."""

    name: str = ""
    owner: str = ""
    state: str = ""


def filtered(tx: Transaction, parse: Parse, wanted: Wanted) -> list[str]:
    """The names that are wanted, in order."""
    names: Iterable[str] = model_names(tx)
    if wanted.name:
        names = [n for n in names if wanted.name.lower() in n.lower()]
    if wanted.owner:
        mine = {r.model for r in tx.rules.all_active() if owner_in(r, parse) == wanted.owner}
        names = [n for n in names if n in mine]
    if wanted.state in STATES:
        found = _up_to(tx, wanted.state)
        empty = wanted.state == "empty"
        names = [n for n in names if (n not in found if empty else n in found)]
    return list(names)


def owners(tx: Transaction, parse: Parse) -> list[str]:
    """Every owner that a policy in force names."""
    return sorted({o for r in tx.rules.all_active() if (o := owner_in(r, parse))})


def _up_to(tx: Transaction, state: str) -> set[str]:
    if state == "held":
        return {one.model for one in tx.models.waiting(_MANY)}
    if state == "running":
        return {run.model for run in tx.runs.find(Query(states=("queued", "running"), limit=_MANY))}
    rows = tx.models.all()
    if state == "resting":
        return {row.model for row in rows if row.hold is not None}
    if state == "problem":
        refused = {r.model for r in tx.rules.all_active() if r.refused}
        return refused | {row.model for row in rows if row.error}
    return {row.model for row in rows if row.champion is not None}


def owner_in(rules: ActiveRules, parse: Parse) -> str | None:
    """Whose the policy is. Read from its line where it stands on one: thousands of policies are not parsed for it."""
    return _owner(rules.ref.blob, rules.text, rules.ref.path, parse)


@lru_cache(maxsize=20_000)
def _owner(blob: str, text: str, path: str, parse: Parse) -> str | None:
    del blob
    found = _OWNER.search(text)
    if found:
        return found[1]
    if "owner" not in text:
        return None
    try:
        return parse(text, path).owner
    except (IncumbentError, KeyError):
        return None
