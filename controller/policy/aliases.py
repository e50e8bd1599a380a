"""What follows from a move, whoever asked: aliases let go of a version that ends, a champion has no sunset."""

from __future__ import annotations

from controller.domain.decisions import Action, MoveVersion, SetAlias, SetChampion, SetSunset
from controller.domain.use import UNALIASED
from controller.policy.context import DecisionContext


def tidy(context: DecisionContext, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """``actions`` with each alias taken away before its version ends, and no sunset over a champion."""
    found: list[Action] = []
    for action in actions:
        if isinstance(action, MoveVersion) and action.after in UNALIASED:
            found += _let_go(context, action)
        found.append(action)
        if isinstance(action, SetChampion):
            found += _no_sunset(context, action)
    return tuple(found)


def _let_go(context: DecisionContext, move: MoveVersion) -> list[SetAlias]:
    return [
        SetAlias(
            alias=alias.name,
            version=None,
            generation=alias.generation,
            previous=move.version,
            reason=move.reason,
        )
        for alias in context.snapshot.aliases
        if alias.version == move.version
    ]


def _no_sunset(context: DecisionContext, action: SetChampion) -> list[SetSunset]:
    version = context.snapshot.version(action.version)
    if version is None or version.sunset is None:
        return []
    return [SetSunset(version=action.version, at=None, firm=False, reason=action.reason)]
