"""What follows from a move, whoever asked: aliases let go of a version that ends, a champion has no sunset."""

from __future__ import annotations

from controller.domain.decisions import Action, MoveVersion, SetAlias, SetChampion, SetSunset
from controller.domain.use import UNALIASED
from controller.policy.case import Case


def tidy(case: Case, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """``actions`` with each alias taken away before its version ends, and no sunset over a champion."""
    found: list[Action] = []
    for action in actions:
        if isinstance(action, MoveVersion) and action.after in UNALIASED:
            found += _let_go(case, action)
        found.append(action)
        if isinstance(action, SetChampion):
            found += _no_sunset(case, action)
    return tuple(found)


def _let_go(case: Case, move: MoveVersion) -> list[SetAlias]:
    return [
        SetAlias(
            alias=alias.name,
            version=None,
            generation=alias.generation,
            previous=move.version,
            reason=move.reason,
        )
        for alias in case.snapshot.aliases
        if alias.version == move.version
    ]


def _no_sunset(case: Case, action: SetChampion) -> list[SetSunset]:
    version = case.snapshot.version(action.version)
    if version is None or version.sunset is None:
        return []
    return [SetSunset(version=action.version, at=None, firm=False, reason=action.reason)]
