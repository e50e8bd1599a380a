"""The example's training code: honest columns, the same model from the same seed, hard to upset."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from examples.flights import data, model


@dataclass
class Run:
    """What a worker hands to `train`, as far as it is used here."""

    table: pd.DataFrame
    seed: int = 7
    params: dict[str, Any] = field(default_factory=dict)
    metrics: list[tuple[str, float, int]] = field(default_factory=list)
    done: list[tuple[int, int]] = field(default_factory=list)

    def pandas(self) -> pd.DataFrame:
        return self.table

    def log_metric(self, name: str, value: float, step: int) -> None:
        self.metrics.append((name, value, step))

    def progress(self, done: int, total: int) -> None:
        self.done.append((done, total))


@pytest.fixture(scope="module")
def january() -> pd.DataFrame:
    year = data.flights()
    return year[year["month"] == 1][data.COLUMNS]


def test_the_model_is_given_nothing_but_what_is_known(january: pd.DataFrame):
    run = Run(january)
    encoded = model.train(run).encode(january)
    assert list(encoded.columns) == model.FEATURES
    assert set(model.FEATURES) == {*data.PLAN, *data.WEATHER}
    assert data.TARGET not in model.FEATURES


def test_it_beats_the_median_on_days_that_it_has_not_seen(january: pd.DataFrame):
    cut = pd.Timestamp("2013-01-18", tz="UTC")
    past = january[january["time_hour"] < cut]
    future = january[(january["time_hour"] >= cut) & january["arr_delay"].notna()]
    predicted = model.train(Run(past)).predict(future)
    error = np.abs(predicted - future["arr_delay"]).mean()
    assert error < np.abs(past["arr_delay"].median() - future["arr_delay"]).mean()


def test_a_seed_names_a_model(january: pd.DataFrame):
    first, again = (model.train(Run(january, seed=3)).predict(january) for _ in range(2))
    assert (first == again).all()


def test_it_reports_as_it_goes(january: pd.DataFrame):
    run = Run(january, params={"rounds": 25})
    model.train(run)
    assert run.done == [(10, 25), (20, 25), (25, 25)]
    assert [step for _, _, step in run.metrics] == [10, 20, 25]
    errors = [value for _, value, _ in run.metrics]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
def test_it_predicts_from_every_kind_of_table(january: pd.DataFrame, convert: Any):
    trained = model.train(Run(january, params={"rounds": 5}))
    rows = january.head(20)
    assert trained.predict(convert(rows)) == pytest.approx(trained.predict(rows))


def test_it_survives_what_training_never_saw(january: pd.DataFrame):
    trained = pickle.loads(pickle.dumps(model.train(Run(january, params={"rounds": 5}))))
    strange = january.head(3).assign(carrier=["??", None, "UA"], dest="XXX", temp=np.nan)
    strange["distance"] = pd.array([None, 500, 10**9], dtype="Int64")
    predicted = trained.predict(strange)
    assert predicted.dtype == np.float64
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        pytest.param({"params": {"depth": 3}}, "parameter depth is unknown", id="parameter"),
        pytest.param({"table": "no labels"}, "no row .* has a value in arr_delay", id="no-labels"),
    ],
)
def test_a_mistake_is_one_sentence(january: pd.DataFrame, run: dict[str, Any], said: str):
    table = january.assign(arr_delay=np.nan) if "table" in run else january
    with pytest.raises(ValueError, match=said):
        model.train(Run(table, params=run.get("params", {})))


def test_a_vanished_column_is_named(january: pd.DataFrame):
    trained = model.train(Run(january, params={"rounds": 5}))
    with pytest.raises(ValueError, match="column visib is missing"):
        trained.predict(january.drop(columns="visib"))
