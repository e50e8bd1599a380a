"""The names of gates, triggers and conditions that were given none: stable, and readable in an explanation."""

from __future__ import annotations

from controller.policy.gates import COMPARISONS
from controller.policy.triggers import TRIGGERS
from controller.rulefmt.sections import Values


def comparison_of(gate: Values) -> str:
    """The one comparison that stands in a gate."""
    return next(name for name in COMPARISONS if gate.has(name))


def gate_name(gate: Values) -> str:
    """``mae better than champion``, ``latency_ms_p95 at most 50``, ``mae not worse than champion by origin``."""
    if gate["name"]:
        return str(gate["name"])
    comparison = comparison_of(gate)
    slices = gate["slices"]
    by = f" by {' and '.join(slices['by'])}" if slices else ""
    return f"{gate['metric']} {comparison.replace('_', ' ')} {_plain(gate[comparison])}{by}"


def trigger_kind(trigger: Values) -> str:
    """The one kind that stands in a trigger."""
    return next(name for name in TRIGGERS if trigger.has(name))


def trigger_name(trigger: Values) -> str:
    """The name of a trigger, or its kind."""
    return str(trigger["name"] or trigger_kind(trigger))


def condition_name(condition: Values) -> str:
    """``error_rate above 0.01``, ``mae worse than previous``."""
    if condition["name"]:
        return str(condition["name"])
    if condition.has("error_rate"):
        return f"error_rate above {_plain(condition['error_rate'])}"
    if condition.has("above"):
        return f"{condition['metric']} above {_plain(condition['above'])}"
    return f"{condition['metric']} worse than {condition['worse_than']}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
