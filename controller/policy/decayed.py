"""What finished decay runs prove for the conditions of ``rollback.when``, in the shape of a figure from service.

Only labels prove: estimates stand elsewhere in the report, and nothing here reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.domain.runs import RunKind
from controller.domain.signals import Signal
from controller.domain.versions import SEATED_BEFORE
from controller.policy.context import DecisionContext, finished


def decay_figures(context: DecisionContext) -> tuple[Signal, ...]:
    """A figure for each condition that a worker has proven, under the number of the run's signal.

    None where nobody could take the seat back: then the report is left to the triggers.
    """
    champion = context.champion
    if champion is None or not _may_return(context, champion.number):
        return ()
    asked = {c.name for c in context.policy.rollback.when if c.worse_than is not None}
    return tuple(
        replace(signal, payload=_figure(held))
        for signal in finished(context, RunKind.DECAY)
        for held in signal.payload.get("readings") or ()
        if held.get("asked_by") == "rollback"
        and held.get("name") in asked
        and held.get("verdict") == "decayed"
        and held.get("version") == champion.number
    )


def _may_return(context: DecisionContext, champion: int) -> bool:
    views = (context.snapshot.version(reign.version) for reign in context.snapshot.history)
    return any(v is not None and v.state in SEATED_BEFORE and v.number != champion for v in views)


def _figure(held: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "metric": held.get("metric"),
        "condition": held.get("name"),
        "value": held.get("value"),
        "reference": held.get("reference"),
        "n": held.get("n"),
        "p_worse": held.get("p_worse"),
        "version": held.get("version"),
    }
