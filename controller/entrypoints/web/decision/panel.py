"""Champion against challenger on the same rows: figures, calibration, the spread of answers, latency and size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from controller.domain.decisions import DecisionRecord
from controller.entrypoints.web.charts import bars_svg, calibration_svg, spread_svg

_FIRST = ("mae", "rmse", "r2", "accuracy", "f1_macro", "roc_auc", "log_loss")
_OPERATION = {
    "latency_ms_p50": "latency, median (ms)",
    "latency_ms_p95": "latency, 95 % below (ms)",
    "latency_ms_p99": "latency, 99 % below (ms)",
    "model_size_mb": "size (MB)",
    "memory_bytes": "memory (bytes)",
    "training_seconds": "training (s)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure of both on the same rows."""

    name: str
    champion: float | None
    challenger: float | None

    @property
    def difference(self) -> float | None:
        """Challenger minus champion, where both are known."""
        if self.champion is None or self.challenger is None:
            return None
        return self.challenger - self.champion


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """What is drawn, and the numbers that stand beside each drawing."""

    figures: tuple[Figure, ...] = ()
    operation: tuple[Figure, ...] = ()
    calibration: Markup = Markup()  # noqa: RUF009 - immutable
    calibration_unit: str = ""
    calibration_rows: tuple[tuple[str, float, float, int], ...] = ()
    spread: Markup = Markup()  # noqa: RUF009 - immutable
    spread_rows: tuple[tuple[str, tuple[float | None, ...]], ...] = ()


def judged_evaluation(record: DecisionRecord, challenger: int | None) -> dict[str, Any]:
    """The evaluation that the decision judged, frozen with it; empty if it judged none."""
    body, snapshot = json.loads(record.decision), json.loads(record.snapshot)
    found = [
        a["evaluation"] for a in body["actions"] if a["kind"] == "record_evaluation"
    ] + [v["evaluation"] for v in snapshot["versions"] if v["evaluation"]]  # fmt: skip
    return next((e for e in found if e["version"] == challenger), {})


def panel_of(evaluation: Mapping[str, Any]) -> Panel:
    """The panel of an evaluation in its plain form; one of another form is left out: a worker may be of any version."""
    try:
        return _panel(evaluation)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return Panel()


def _panel(evaluation: Mapping[str, Any]) -> Panel:
    details = evaluation.get("details") or {}
    right, left = evaluation.get("metrics") or {}, details.get("champion") or {}
    names = [n for n in _FIRST if n in right] + sorted(
        n for n in right if n not in _FIRST and not n.startswith(("latency_", "model_size", "memory_", "training_"))
    )  # fmt: skip
    held = details.get("panel") or {}
    curves = held.get("calibration") or {}
    spread = held.get("distribution") or {}
    return Panel(
        figures=tuple(Figure(name=n, champion=left.get(n), challenger=right.get(n)) for n in names),
        operation=tuple(
            Figure(name=words, champion=left.get(n), challenger=right.get(n))
            for n, words in _OPERATION.items()
            if n in right or n in left
        ),
        calibration=calibration_svg(curves["sides"], curves["unit"]) if curves else Markup(),
        calibration_unit=str(curves.get("unit", "")),
        calibration_rows=tuple(
            (role, *row) for role, rows in (curves.get("sides") or {}).items() for row in rows
        ),
        spread=_drawn(spread),
        spread_rows=tuple(_spread_rows(spread)),
    )


def _drawn(spread: Mapping[str, Any]) -> Markup:
    if "edges" in spread:
        return spread_svg(spread["edges"], spread["shares"])
    if "classes" in spread:
        return bars_svg(spread["classes"], spread["shares"])
    return Markup()


def _spread_rows(spread: Mapping[str, Any]) -> list[tuple[str, tuple[float | None, ...]]]:
    shares = spread.get("shares") or {}
    columns = [shares.get(name) for name in ("label", "champion", "challenger")]
    if "edges" in spread:
        edges = spread["edges"]
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    else:
        names = [str(name) for name in spread.get("classes") or ()]
    return [
        (name, tuple(column[i] if column else None for column in columns))
        for i, name in enumerate(names)
    ]
