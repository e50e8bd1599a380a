"""Which models the list shows: by name, by owner, by what they are up to. One question a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.domain.rules import Policy
from controller.ports import Query, RuleQuery, Transaction
from controller.service.commands.owners import Owners
from controller.service.explain.overview import model_names

Parse = Callable[[str, str], Policy]
MODEL_STATES = {
    "held": "a challenger waits",
    "running": "work is under way",
    "resting": "on hold",
    "problem": "something is wrong",
    "empty": "no champion",
    "seated": "has a champion",
}
"""What a model may be up to, as the filter names it and says it."""
_MANY = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFilters:
    """What was asked for; empty means any."""

    name: str = ""
    owner: str = ""
    state: str = ""


def filtered(tx: Transaction, owned: Owners, wanted: ModelFilters) -> list[str]:
    """The names that are wanted, in order."""
    names: Iterable[str] = model_names(tx)
    if wanted.name:
        names = [n for n in names if wanted.name.lower() in n.lower()]
    if wanted.owner:
        each = owned.each(tx)
        names = [n for n in names if each.get(n) == wanted.owner]
    if wanted.state in MODEL_STATES:
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
