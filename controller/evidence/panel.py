"""The panel beside the gates: how the answers of both versions are spread, and whether they are calibrated.

Nothing is decided by these numbers; people look at them. They are small (a few hundred values), because they are kept
with the evaluation. Numbers are rounded to six significant digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.evidence.scored import Scored, ScoredSide

BINS = 20
GROUPS = 10
_CLASSES = 12


def panel(scored: Scored) -> dict[str, Any]:
    """``distribution`` and ``calibration`` of the holdout rows, by role; what makes no sense is left out.

    Distribution: shares of rows in ``BINS`` equal bins between the 1st and the 99th percentile of labels and answers
    together (values beyond go into the outer bins), or shares of each class. Calibration: mean answer and mean label
    in ``GROUPS`` groups of equal size by answer; for two classes the probability of the second one and its frequency.
    """
    sides = {
        role: side
        for role, side in scored.sides.items()
        if role in {"challenger", "champion"} and side.values is not None and not side.problem
    }
    if not sides or len(scored.y) == 0:
        return {}
    if scored.y.dtype.kind in "fiu" and all(_numeric(side.values) for side in sides.values()):
        return {
            "distribution": _spread(scored.y, sides),
            "calibration": {"unit": "mean label", "sides": _numbers(scored.y, sides)},
        }
    return _of_classes(scored.y, sides)


def _numeric(values: npt.NDArray[Any] | None) -> bool:
    return values is not None and values.dtype.kind in "fiu"


def _spread(y: npt.NDArray[Any], sides: Mapping[str, ScoredSide]) -> dict[str, Any]:
    columns = {"label": y.astype(np.float64)} | {
        role: np.asarray(side.values, dtype=np.float64) for role, side in sides.items()
    }
    pooled = np.concatenate([column[np.isfinite(column)] for column in columns.values()])
    low, high = np.quantile(pooled, [0.01, 0.99]) if len(pooled) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    shares = {
        name: _rounded(
            np.histogram(np.clip(column[np.isfinite(column)], edges[0], edges[-1]), edges)[0]
            / max(1, len(column))
        )
        for name, column in columns.items()
    }
    return {"edges": _rounded(edges), "shares": shares}


def _numbers(y: npt.NDArray[Any], sides: Mapping[str, ScoredSide]) -> dict[str, Any]:
    label = y.astype(np.float64)
    return {
        role: _groups(np.asarray(side.values, dtype=np.float64), label)
        for role, side in sides.items()
    }


def _groups(answer: npt.NDArray[np.float64], label: npt.NDArray[np.float64]) -> list[list[float]]:
    good = np.isfinite(answer) & np.isfinite(label)
    order = np.argsort(answer[good], kind="stable")
    answer, label = answer[good][order], label[good][order]
    parts = np.array_split(np.arange(len(answer)), GROUPS)
    return [
        [*_rounded(np.array([answer[part].mean(), label[part].mean()])), len(part)]
        for part in parts
        if len(part)
    ]


def _of_classes(y: npt.NDArray[Any], sides: Mapping[str, ScoredSide]) -> dict[str, Any]:
    names, counts = np.unique(y.astype(str), return_counts=True)
    shown = names[np.argsort(-counts, kind="stable")][:_CLASSES]
    shares = {"label": _shares(y, shown)} | {
        role: _shares(np.asarray(side.values), shown) for role, side in sides.items()
    }
    found: dict[str, Any] = {
        "distribution": {"classes": [str(name) for name in shown], "shares": shares}
    }
    curves = {
        role: _groups(side.probabilities[:, 1], (y == side.classes[1]).astype(np.float64))
        for role, side in sides.items()
        if side.probabilities is not None and side.classes is not None and len(side.classes) == 2
    }
    if curves:
        found["calibration"] = {"unit": "share of the second class", "sides": curves}
    return found


def _shares(values: npt.NDArray[Any], classes: npt.NDArray[Any]) -> list[float]:
    text = values.astype(str)
    return _rounded(np.array([np.mean(text == name) for name in classes]))


def _rounded(values: npt.NDArray[Any]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
