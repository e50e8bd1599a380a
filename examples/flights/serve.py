"""A team's own serving, in small: answers a month's flights week by week, and measures itself when labels have come.

    python -m examples.flights.serve MODEL_FILE MONTH.parquet

Prints one JSON line a week: the mean absolute error, over how many flights, and the standard deviation of one flight's
error. That is all that `incumbent signal metric` asks for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd

from examples.flights.model import TARGET


def main(model_file: str, month: str) -> None:
    """Predict, compare, print."""
    with Path(model_file).open("rb") as file:
        model = cloudpickle.load(file)
    flights = pd.read_parquet(month)
    flights = flights[flights[TARGET].notna()]
    day = pd.to_datetime(flights["time_hour"], utc=True).dt.tz_convert("America/New_York").dt.day
    for week in range(1, 5):
        rows = flights[(day > 7 * (week - 1)) & (day <= 7 * week)]
        errors = np.abs(model.predict(rows) - rows[TARGET].to_numpy(dtype=np.float64))
        figure = {
            "week": week,
            "value": float(errors.mean()),
            "n": len(errors),
            "std": float(errors.std(ddof=1)),
        }
        print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
