"""The kinds of gates: a file for each comparison. Everything that differs from kind to kind is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import GateKind


def load_kind(comparison: Comparison) -> GateKind:
    """``KIND`` of the comparison's file. ValueError where there is none, or it is the kind of another one."""
    name = f"controller.policy.gates.{comparison.value}"
    try:
        kind = import_module(name).KIND
    except (ModuleNotFoundError, AttributeError) as error:
        place = f"{name.replace('.', '/')}.py"
        raise ValueError(
            f"{comparison.value} has no kind of gate: write KIND in {place}"
        ) from error
    if not isinstance(kind, GateKind) or kind.comparison is not comparison:
        raise ValueError(f"KIND in {name} is not the kind of gate of {comparison.value}")
    return kind


_BY_COMPARISON: Mapping[Comparison, GateKind] = {each: load_kind(each) for each in Comparison}

KINDS: tuple[GateKind, ...] = tuple(_BY_COMPARISON.values())
"""In the order of :class:`Comparison`, in which the reference names them."""

COMPARISONS = tuple(kind.key for kind in KINDS)
"""The comparison keys of ``promote[]``, of which a gate has one."""


def kind_of(gate: Gate) -> GateKind:
    """The kind of a gate that a policy asks for."""
    return _BY_COMPARISON[gate.comparison]


def kind_by_key(key: str) -> GateKind:
    """The kind with this comparison key; StopIteration for a key that no kind has."""
    return next(kind for kind in KINDS if kind.key == key)


def need(gate: Gate) -> str:
    """What a gate asks for, in words."""
    return kind_of(gate).need(gate)
