"""The kinds of gates. Everything that differs from kind to kind is asked of them."""

from __future__ import annotations

from collections.abc import Mapping

from controller.domain.rules import Comparison, Gate
from controller.policy.gates.at_least import AT_LEAST
from controller.policy.gates.at_most import AT_MOST
from controller.policy.gates.base import GateKind
from controller.policy.gates.better_than import BETTER_THAN
from controller.policy.gates.not_worse_than import NOT_WORSE_THAN

KINDS: tuple[GateKind, ...] = (BETTER_THAN, NOT_WORSE_THAN, AT_MOST, AT_LEAST)
"""In the order in which the reference names them."""


def register(kinds: tuple[GateKind, ...]) -> Mapping[Comparison, GateKind]:
    """The kinds by their comparison; ValueError unless each comparison has one kind, under its own key."""
    by_comparison = {kind.comparison: kind for kind in kinds}
    missing = [c.value for c in Comparison if c not in by_comparison]
    if missing:
        raise ValueError(f"no kind of gate for {', '.join(missing)}: add one to KINDS")
    if [kind.key for kind in kinds] != [c.value for c in by_comparison]:
        raise ValueError("a kind of gate stands twice in KINDS, or under another key than its own")
    return by_comparison


_BY_COMPARISON = register(KINDS)
COMPARISONS = tuple(kind.key for kind in KINDS)
"""The comparison keys of ``promote[]``, of which a gate has one."""


def kind_of(gate: Gate) -> GateKind:
    """The kind of a gate that a policy asks for."""
    return _BY_COMPARISON[gate.comparison]


def kind_by_key(key: str) -> GateKind:
    """The kind with this comparison key; ValueError for a key that no kind has."""
    return _BY_COMPARISON[Comparison(key)]


def need(gate: Gate) -> str:
    """What a gate asks for, in words."""
    return kind_of(gate).need(gate)
