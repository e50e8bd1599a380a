"""Which models the list shows: by name, by owner, by what they are up to. One question a filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.ports import ActiveRules, Query, RuleQuery, Transaction
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
_FEW = 100
"""Texts that are read one by one; more of them are read at once."""


class Owners:
    """Whose each policy is. What a text says is kept by its blob, for a text never changes."""

    def __init__(self, parse: Parse, known: dict[str, str | None]) -> None:
        self._parse, self._known = parse, known

    def of(self, rules: ActiveRules) -> str | None:
        """Read from its line where it stands on one: thousands of policies are not parsed for it."""
        blob = rules.ref.blob
        if blob not in self._known:
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[blob] = self._read(rules)
        return self._known[blob]

    def _read(self, rules: ActiveRules) -> str | None:
        found = _OWNER.search(rules.text)
        if found:
            return found[1]
        if "owner" not in rules.text:
            return None
        try:
            return self._parse(rules.text, rules.ref.path).owner
        except (IncumbentError, KeyError):
            return None

    def each(self, tx: Transaction) -> dict[str, str | None]:
        """By model, of the policies in force; texts are read only of blobs that were never seen."""
        blobs = tx.rules.blobs()
        strange = [model for model, blob in blobs.items() if blob not in self._known]
        if len(strange) > _FEW:
            return {rules.model: self.of(rules) for rules in tx.rules.all_active()}
        read = [tx.rules.active(model) for model in strange]
        here = {rules.model: self.of(rules) for rules in read if rules is not None}
        return {model: self._known.get(blob) for model, blob in blobs.items()} | here


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What was asked for; empty means any."""

    name: str = ""
    owner: str = ""
    state: str = ""


def filtered(tx: Transaction, owned: Owners, wanted: Wanted) -> list[str]:
    """The names that are wanted, in order."""
    names: Iterable[str] = model_names(tx)
    if wanted.name:
        names = [n for n in names if wanted.name.lower() in n.lower()]
    if wanted.owner:
        each = owned.each(tx)
        names = [n for n in names if each.get(n) == wanted.owner]
    if wanted.state in STATES:
        found = _up_to(tx, wanted.state)
        empty = wanted.state == "empty"
        names = [n for n in names if (n not in found if empty else n in found)]
    return list(names)


def owners(tx: Transaction, owned: Owners) -> list[str]:
    """Every owner that a policy in force names."""
    return sorted({owner for owner in owned.each(tx).values() if owner})


def _up_to(tx: Transaction, state: str) -> set[str]:
    if state == "held":
        return {one.model for one in tx.models.waiting(_MANY)}
    if state == "running":
        return {run.model for run in tx.runs.find(Query(states=("queued", "running"), limit=_MANY))}
    if state in {"resting", "problem"}:
        rows = tx.models.all(troubled=True)
        if state == "resting":
            return {row.model for row in rows if row.hold is not None}
        refused = tx.rules.find(RuleQuery(refused=True, limit=_MANY))
        return {rules.model for rules in refused} | {row.model for row in rows if row.error}
    return {row.model for row in tx.models.all() if row.champion is not None}
