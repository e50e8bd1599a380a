"""Who posted the figure that made the system roll back: no actor, but the cause. Derived from what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from controller.domain.decisions import DecisionRecord, Verdict
from controller.domain.signals import OBSERVATIONS

_OURS = frozenset({"system", "worker"})


def caused_by(record: DecisionRecord, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Who posted the figures that a rollback answered as handled; nobody where they are our own.

    ``body`` is the decision as JSON has it; the snapshot is read only where it rolled back.
    """
    if body["verdict"] != Verdict.ROLLBACK.value:
        return ()
    handled = {answer["signal"] for answer in body["answers"] if answer["status"] == "handled"}
    signals = json.loads(record.snapshot)["signals"]
    told = (s for s in signals if s["id"] in handled and s["kind"] in OBSERVATIONS)
    return tuple(sorted({str(s["actor"]) for s in told} - _OURS))


def posted_by(people: Iterable[str]) -> str:
    """The end of a sentence that names them; empty where there is nobody to name."""
    named = ", ".join(people)
    return f"; the figure was posted by {named}" if named else ""
