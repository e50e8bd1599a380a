"""What a month came to, read from the decision log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.decisions import DecisionRecord, Verdict
from controller.domain.runs import Run, RunState
from controller.domain.signals import SignalKind
from controller.ports import Query, Transaction

JUDGED = (Verdict.PROMOTE.value, Verdict.REJECT.value, Verdict.HOLD.value)
DEMO_GATE = "better"
"""The gate of the policy whose evidence is told: the challenger against the seat on the same rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chapter:
    """One month. The errors are mean absolute errors in minutes on the same rows; None where nobody was judged."""

    month: str
    rows: int
    trigger: str
    decision: int
    verdict: str
    reason: str
    challenger: int | None = None
    challenger_mae: float | None = None
    seat: str = ""
    seat_mae: float | None = None
    interval: tuple[float, float] | None = None
    days: int | None = None

    @property
    def champion_mae(self) -> float | None:
        """The error of whoever sits in the seat after the verdict."""
        if self.verdict == Verdict.PROMOTE.value:
            return self.challenger_mae
        return self.seat_mae


@dataclass(frozen=True, slots=True)
class DemoMoment:
    """What is going on now: nothing is left to do when `idle`."""

    idle: bool
    run: Run | None = None
    last: str = ""


def look_at_work(tx: Transaction, model: str) -> DemoMoment:
    """What the model's work is at."""
    busy = tx.runs.find(
        Query(model=model, states=(RunState.RUNNING.value, RunState.QUEUED.value), limit=10)
    )
    waiting = [s for s in tx.signals.pending(model) if not s.reason]
    newest = tx.decisions.find(Query(model=model, limit=1))
    last = json.loads(newest[0].decision)["reason"] if newest else ""
    running = next((run for run in busy if run.state is RunState.RUNNING), None)
    return DemoMoment(not busy and not waiting, running or next(iter(busy), None), last)


def arrived(tx: Transaction, model: str, name: str) -> bool:
    """Whether the file `name` is in the inbox and has been answered."""
    signals = tx.signals.find(Query(model=model, kinds=(SignalKind.NEW_DATA.value,), limit=3))
    return any(
        str(s.payload.get("uri", "")).endswith(name) and s.decision is not None for s in signals
    )


def chapter(tx: Transaction, model: str, month: str, rows: int, after: int) -> Chapter:
    """The month's verdict: the newest decision after number `after` that judged, else the newest that failed."""
    records = [r for r in tx.decisions.find(Query(model=model, limit=50)) if r.id > after]
    bodies = [(record, json.loads(record.decision)) for record in records]
    trigger = next((t for _, body in bodies if (t := _trigger(body))), "-")
    judged = next(((r, b) for r, b in bodies if b["verdict"] in JUDGED), None)
    if judged is None:
        record, body = bodies[0] if bodies else (None, {"verdict": "none", "reason": "no decision"})
        return Chapter(
            month=month, rows=rows, trigger=trigger, decision=record.id if record else 0,
            verdict=body["verdict"], reason=body["reason"],
        )  # fmt: skip
    return _judged(month, rows, trigger, *judged)


def _judged(
    month: str, rows: int, trigger: str, record: DecisionRecord, body: Mapping[str, Any]
) -> Chapter:
    evidence = _evidence(body)
    low, high = evidence.get("interval_low"), evidence.get("interval_high")
    return Chapter(
        month=month,
        rows=rows,
        trigger=trigger,
        decision=record.id,
        verdict=body["verdict"],
        reason=_short(body),
        challenger=body["challenger"],
        challenger_mae=evidence.get("challenger"),
        seat=str(evidence.get("reference_name") or ""),
        seat_mae=evidence.get("reference"),
        interval=(low, high) if low is not None and high is not None else None,
        days=evidence.get("blocks"),
    )


def _short(body: Mapping[str, Any]) -> str:
    """The reason in the width of a table: which gate said no, or how many said yes."""
    nodes = [child for node in body["tree"]["children"] for child in node["children"]]
    against = [n for n in nodes if n["result"] in {"fail", "error", "inconclusive"}]
    if not against:
        return f"{len(nodes)} of {len(nodes)} gates passed"
    worst = min(against, key=lambda n: ("error", "fail", "inconclusive").index(n["result"]))
    said = {"fail": "fails", "error": "no evidence", "inconclusive": "inconclusive"}
    return f"{worst['name']}: {said[worst['result']]}"


def _trigger(body: Mapping[str, Any]) -> str:
    causes = (
        cause["trigger"]
        for action in body["actions"]
        if action["kind"] == "start_run" and action["spec"]["kind"] == "train"
        for cause in action["spec"]["causes"]
    )
    return ", ".join(causes)


def _evidence(body: Mapping[str, Any]) -> Mapping[str, Any]:
    for action in body["actions"]:
        if action["kind"] == "record_evaluation":
            for item in action["evaluation"]["evidence"]:
                if item["gate"] == DEMO_GATE:
                    found: Mapping[str, Any] = item
                    return found
    return {}
