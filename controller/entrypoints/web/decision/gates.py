"""The gates of a decision as rows: both values, the interval against the margin, samples, and what luck was allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from controller.domain.rules import Gate, Policy
from controller.entrypoints.web.charts import GainInterval, Scale, interval_svg, scale_of
from controller.policy.gates import kind_of, need


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRow:
    """A gate, or a slice of one, ready to be shown."""

    name: str
    result: str
    sentence: str
    values: Mapping[str, Any]
    line: int | None = None
    needed: str = ""
    dry_run: bool = False
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    chart: Markup = Markup()  # noqa: RUF009 - immutable
    slices: tuple[GateRow, ...] = ()
    threshold: float | None = None


_WORST = {"error": 0, "no data": 0, "fail": 1, "inconclusive": 2, "pass": 3, "skipped": 4}


def gate_rows(nodes: list[dict[str, Any]], policy: Policy | None) -> Iterator[GateRow]:
    """A row a gate, in the policy's order; its slices worst first, all on one scale."""
    by_name = {gate.name: gate for gate in policy.promote} if policy else {}
    for node in nodes:
        gate = by_name.get(node["name"])
        whole = _interval(node, gate)
        parts = [(child, _interval(child, gate)) for child in node["children"]]
        shown = [i for i in (whole, *(i for _, i in parts)) if i is not None]
        scale = scale_of(shown)
        slices = sorted(
            (_row(child, gate, interval, scale) for child, interval in parts),
            key=lambda row: (_WORST.get(row.result, 3), _room(row)),
        )
        yield _row(node, gate, whole, scale, tuple(slices))


def _room(row: GateRow) -> float:
    """How far the lower bound lies above what was needed: the worst slice has the least."""
    if row.low is None:
        return 0.0
    return row.low - (row.margin or 0.0)


def _interval(node: Mapping[str, Any], gate: Gate | None) -> GainInterval | None:
    """What the gate's kind draws, on the scale of the gain."""
    values = node["values"]
    if gate is None or values.get("challenger") is None:
        return None
    drawn = kind_of(gate).draw(gate, values)
    if drawn is None:
        return None
    return GainInterval(
        point=drawn.point, need=drawn.need, low=drawn.low, high=drawn.high, result=node["result"]
    )


def _row(
    node: Mapping[str, Any],
    gate: Gate | None,
    interval: GainInterval | None,
    scale: Scale,
    slices: tuple[GateRow, ...] = (),
) -> GateRow:
    values = node["values"]
    chart = Markup()
    if interval is not None:
        bounds = (
            f", bounds {interval.low:.4g} to {interval.high:.4g}"
            if interval.low is not None and interval.high is not None
            else ""
        )
        words = f"{node['name']}: gain {interval.point:.4g}{bounds}, needed {interval.need:.4g}: {node['result']}"
        chart = interval_svg(interval, scale, words)
    no_data = node["result"] == "error" and values.get("challenger") is None
    return GateRow(
        name=node["name"],
        result="no data" if no_data else node["result"],
        sentence=node["sentence"],
        values=values,
        line=node.get("line"),
        needed=need(gate) if gate else "",
        dry_run=bool(gate and gate.dry_run),
        gain=interval.point if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        margin=interval.need if interval else None,
        chart=chart,
        slices=slices,
        threshold=gate.threshold if gate else None,
    )


def tally(rows: list[GateRow]) -> str:
    """``7 of 7 gates passed, 1 in dry run``; what did not pass is named by its kind, never merged."""
    counted = [row for row in rows if not row.dry_run]
    passed = sum(row.result == "pass" for row in counted)
    words = [f"{passed} of {len(counted)} gates passed"]
    for kind in ("fail", "inconclusive", "no data", "error", "skipped"):
        number = sum(row.result == kind for row in counted)
        if number:
            words.append(f"{number} {'failed' if kind == 'fail' else kind}")
    dry = len(rows) - len(counted)
    return ", ".join([*words, f"{dry} in dry run"] if dry else words)
