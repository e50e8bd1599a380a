"""`incumbent drift calibrate`: thresholds from the stored profiles. It needs the extra `worker` for numpy and scipy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from controller.domain.errors import ConfigurationError, NotFound
from controller.domain.layouts import Layout
from controller.domain.profiles import Profile
from controller.entrypoints.cli.session import CliSession, known_model
from controller.service.explain.drift_report import reference_profile

_FEWEST_BATCHES = 10
_DRAWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationRequest:
    """One column or all, rows of a window (None: as many as the newest batch), the rate, and the seed."""

    column: str | None
    rows: int | None
    false_alarms: float
    seed: int


def calibrated_thresholds(
    session: CliSession, model: str, asked: CalibrationRequest
) -> dict[str, Any]:
    """Thresholds by column and metric, and what they were found from.

    Raises:
        NotFound: no run has profiled the training data, or its column is not there.
        ConfigurationError: numpy or scipy is not installed.
        UserError: there are too few rows for the rate that is asked.
    """
    with session.read() as tx:
        known_model(tx, model)
        stored, batches = reference_profile(tx, session.artifacts, model)
    if stored is None:
        raise NotFound(
            f"The training data of {model} have no profile yet.",
            hint="A drift trigger makes one with the first batch after the first champion.",
        )
    layout = Layout.from_json(stored["layout"])
    if asked.column is not None and asked.column not in layout.by_name:
        names = ", ".join(list(layout.by_name)[:12])
        raise NotFound(f"There is no column called {asked.column}.", hint=f"There are {names}.")
    try:
        from controller.evidence.calibration import CalibrationPlan, calibrate_thresholds
    except ImportError as error:
        raise ConfigurationError(
            f"Calibrating needs {error.name}.", hint="pip install 'incumbent[worker]'"
        ) from error
    kept = [Profile.from_json(b) for b in batches if b.get("layout") == layout.digest]
    whole = Profile.from_json(stored["profile"])
    from_batches = len(kept) >= _FEWEST_BATCHES
    rows = asked.rows or max(500, kept[-1].rows if kept else min(whole.rows, 10_000))
    columns = 1 if asked.column else len(layout.columns)
    draws = max(_DRAWS, math.ceil(columns / asked.false_alarms))
    plan = CalibrationPlan(rows=rows, draws=draws, false_alarms=asked.false_alarms, seed=asked.seed)
    found = calibrate_thresholds(layout, kept if from_batches else whole, plan, scope=asked.column)
    return {
        "model": model,
        "rows": rows,
        "windows": found.windows,
        "from_batches": found.from_batches,
        "false_alarms": asked.false_alarms,
        "thresholds": [
            {
                "column": name,
                "metric": threshold.metric.value,
                "warn": threshold.warn,
                "alert": threshold.alert,
                "reason": threshold.reason,
            }
            for name, thresholds in found.columns.items()
            for threshold in thresholds
        ],
    }
