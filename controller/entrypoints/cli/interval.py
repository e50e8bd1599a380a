"""A gate's interval as one line of text: where it lies, where nothing would be gained, and what must be cleared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.domain.metrics import find_metric
from controller.policy.phrase import format_number

WIDTH = 41


def interval_line(values: Mapping[str, Any]) -> str | None:
    """``gain -0.5693 [────|──●────────] 0.9174``: the bounds, the estimate and zero; None without an interval.

    The gain is positive where the challenger is better. ``|`` is no gain at all, ``●`` the estimate.
    """
    low, high = values.get("interval_low"), values.get("interval_high")
    difference = values.get("difference")
    if low is None or high is None or difference is None or values.get("reference") is None:
        return None
    metric = find_metric(str(values.get("metric")))
    sign = -1.0 if metric is None or metric.lower_is_better else 1.0
    ends = sorted((sign * low, sign * high))
    gain = sign * difference
    left, right = min(ends[0], 0.0), max(ends[1], 0.0)
    if right <= left:
        return None
    cells = [" "] * WIDTH
    for cell in range(_cell(ends[0], left, right), _cell(ends[1], left, right) + 1):
        cells[cell] = "─"
    cells[_cell(0.0, left, right)] = "|"
    cells[_cell(gain, left, right)] = "●"
    return f"gain {format_number(ends[0])} [{''.join(cells)}] {format_number(ends[1])}"


def _cell(value: float, left: float, right: float) -> int:
    share = (value - left) / (right - left)
    return min(WIDTH - 1, max(0, round(share * (WIDTH - 1))))
