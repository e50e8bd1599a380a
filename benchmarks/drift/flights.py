"""The flights of 2013: which columns move in which month, against January, and the days of the winter storms.

The data are those of `examples/flights` (what is known at scheduled departure, and the delay that came of it).

`python -m benchmarks.drift.flights`
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from benchmarks.drift.report import publish, table
from controller.domain.drift import DriftReport, DriftVerdict
from controller.domain.layouts import Layout
from controller.domain.profiles import Profile
from controller.evidence.drift import compare_profiles
from examples.flights.data import COLUMNS, PLAN, TARGET, WEATHER, write_months
from workers.profiles import BatchData, LayoutOptions, make_layout, make_profile

WATCHED = (*PLAN, *WEATHER, TARGET)
MARKS = {
    DriftVerdict.OK: "",
    DriftVerdict.WARN: "warn",
    DriftVerdict.ALERT: "alert",
    DriftVerdict.NOT_ENOUGH_DATA: "?",
}


def marked(report: DriftReport, column: str) -> str:
    """The verdict with the Jensen-Shannon distance, where it is not calm."""
    found = report.column(column)
    mark = MARKS[found.verdict]
    return f"{mark} {found.values['jensen_shannon']:.2f}" if mark and mark != "?" else mark


def main() -> None:
    """Measures and writes the section."""
    assert set(WATCHED) <= set(COLUMNS)
    with tempfile.TemporaryDirectory() as scratch:
        list(write_months(Path(scratch)))
        months = sorted(Path(scratch).glob("*.parquet"))
        layout = make_layout(BatchData.of(months[0]), LayoutOptions(columns=WATCHED))
        before = make_profile(BatchData.of(months[0]), layout)
        reports = [
            compare_profiles(layout, before, make_profile(BatchData.of(month), layout))
            for month in months[1:]
        ]
        rows = [[column, *(marked(report, column) for report in reports)] for column in WATCHED]
        days = storms(months, before, layout)
    publish(
        "flights",
        "The flights of 2013",
        "Every month against January: the verdict and the Jensen-Shannon distance of each column; an empty cell is "
        "calm.\n\n"
        + table(["column", *(month.stem[-2:] for month in months[1:])], rows)
        + "\n\nThe timetable hardly moves (new destinations in spring and autumn), the weather follows the "
        "seasons, which is why a policy on weather wants `reference: same season`, and the delays alarm in early "
        "summer, September and December. "
        "The days (UTC) on which the share of flights that never arrived rose by two points and to twice January's "
        "(`null_rate` of the delay), the worst first; the blizzard of 8 and 9 February leads:\n\n"
        + table(
            ["day", "flights", "never arrived", "distance of the delays (Wasserstein, IQR)"], days
        ),
    )


def storms(months: list[Path], before: Profile, layout: Layout) -> list[list[str]]:
    """The ten worst days, each a batch of its own."""
    found = []
    connection = duckdb.connect()
    for month in months:
        days = f"SELECT DISTINCT time_hour::DATE FROM '{month}' ORDER BY 1"
        for (day,) in connection.execute(days).fetchall():
            of_day = f"SELECT * FROM '{month}' WHERE time_hour::DATE = '{day}'"
            rows = connection.execute(of_day).to_arrow_table()
            profile = make_profile(BatchData(table=rows), layout)
            delay = compare_profiles(layout, before, profile).column(TARGET)
            if "null_rate" in delay.firing and delay.verdict is DriftVerdict.ALERT:
                missing = profile.by_name[TARGET].null_rate or 0.0
                moved = delay.values.get("wasserstein")
                said = "–" if moved is None else f"{moved:.2f}"
                found.append((missing, [str(day), str(profile.rows), f"{missing:.1%}", said]))
    return [cells for _, cells in sorted(found, key=lambda item: -item[0])[:10]]


if __name__ == "__main__":
    main()
