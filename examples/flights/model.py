"""Training code as a user of Incumbent writes it: minutes of arrival delay, at scheduled departure.

`train(run)` is named by the policy `rules/flight-delay.yaml` and runs in a process of its own below a worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from threadpoolctl import threadpool_limits

TARGET = "arr_delay"
CATEGORIES = ["carrier", "origin", "dest"]
TIMES = ["sched_dep_time", "sched_arr_time"]
NUMBERS = ["distance", "weekday", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]  # fmt: skip
FEATURES = [*CATEGORIES, *TIMES, *NUMBERS]
"""All that the model is given: the timetable, and the weather that was reported before the scheduled hour."""

DEFAULTS: dict[str, Any] = {"rounds": 60, "learning_rate": 0.05, "leaves": 15, "min_leaf": 200}
ROUNDS_A_STEP = 10
WATCHED = 20_000
"""Training rows on which the error is reported after each step."""


@dataclass
class FlightDelay:
    """Gradient boosted trees on absolute error: they predict the median delay, in minutes.

    `categories` are the values that training saw, by column; any other is treated as missing, and so is a null.
    """

    trees: HistGradientBoostingRegressor
    categories: dict[str, list[str]] = field(default_factory=dict)

    def predict(self, frame: Any) -> np.ndarray:
        """Minutes of delay, one float64 a row of `frame` (pandas, Polars or Arrow) with the columns FEATURES."""
        return np.asarray(self.trees.predict(self.encode(frame)), dtype=np.float64)

    def encode(self, frame: Any) -> pd.DataFrame:
        """The columns of FEATURES, in that order, as numbers; NaN is missing."""
        table = frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
        absent = [name for name in FEATURES if name not in table.columns]
        if absent:
            raise ValueError(f"the column {absent[0]} is missing from the rows to predict")
        columns: dict[str, np.ndarray] = {}
        for name in CATEGORIES:
            codes = pd.Index(self.categories[name]).get_indexer_for(table[name])
            columns[name] = np.where(codes < 0, np.nan, codes)
        for name in TIMES:
            clock = pd.to_numeric(table[name]).to_numpy(dtype=np.float64, na_value=np.nan)
            columns[name] = clock // 100 * 60 + clock % 100
        for name in NUMBERS:
            columns[name] = pd.to_numeric(table[name]).to_numpy(dtype=np.float64, na_value=np.nan)
        return pd.DataFrame(columns, columns=FEATURES)


def train(run: Any) -> FlightDelay:
    """Fit on the rows of the run that have a label; reports the training error after every ten rounds."""
    settings = {**DEFAULTS, **run.params}
    unknown = sorted(set(settings) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"the parameter {unknown[0]} is unknown; known are {', '.join(DEFAULTS)}")
    table = run.pandas()
    table = table[table[TARGET].notna()]
    if table.empty:
        raise ValueError(f"no row of the training data has a value in {TARGET}")
    labels = table[TARGET].to_numpy(dtype=np.float64)

    model = FlightDelay(
        trees=HistGradientBoostingRegressor(
            loss="absolute_error",
            learning_rate=settings["learning_rate"],
            max_leaf_nodes=settings["leaves"],
            min_samples_leaf=min(settings["min_leaf"], max(1, len(table) // 20)),
            categorical_features=CATEGORIES,
            early_stopping=False,
            warm_start=True,
            random_state=run.seed,
        ),
        categories={name: sorted(table[name].dropna().unique()) for name in CATEGORIES},
    )
    features = model.encode(table)
    watched = np.random.default_rng(run.seed).permutation(len(table))[:WATCHED]
    rounds = int(settings["rounds"])
    # One thread: OpenMP's threads spin while they wait for each other, and on two busy cores that took 13 s, not 1.4.
    with threadpool_limits(limits=1, user_api="openmp"):
        for done in [*range(ROUNDS_A_STEP, rounds, ROUNDS_A_STEP), rounds]:
            model.trees.set_params(max_iter=done).fit(features, labels)
            guess = model.trees.predict(features.iloc[watched])
            error = mean_absolute_error(labels[watched], guess)
            run.log_metric("mae", float(error), step=done)
            run.progress(done, rounds)
    return model
