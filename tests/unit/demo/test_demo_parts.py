"""The parts of the demonstration that need no process: its clock, its project, its chapters and its chart."""

from __future__ import annotations

import io
import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from controller.domain.errors import Conflict
from controller.entrypoints.demo.chart import chart
from controller.entrypoints.demo.clock import JumpingClock
from controller.entrypoints.demo.display import plain_table, rich_table
from controller.entrypoints.demo.play import first_of_next, settings_of
from controller.entrypoints.demo.project import MARK, MonthFile, make_project
from controller.entrypoints.demo.story import Chapter, arrived, chapter, look_at_work
from tests.support.command import Desk
from tests.support.house import FAILS, MODEL, UNDECIDED


def test_the_clock_jumps_forward_and_never_back():
    clock = JumpingClock(datetime(2013, 1, 1, tzinfo=UTC))
    clock.jump(datetime(2013, 2, 1, tzinfo=UTC))
    february = clock.now()
    clock.jump(datetime(2013, 1, 15, tzinfo=UTC))
    assert february <= clock.now() < datetime(2013, 2, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "first"),
    [
        pytest.param("2013-01", datetime(2013, 2, 1, 11, tzinfo=UTC), id="january"),
        pytest.param("2013-12", datetime(2014, 1, 1, 11, tzinfo=UTC), id="december"),
    ],
)
def test_a_month_arrives_on_the_first_of_the_next(month: str, first: datetime):
    assert first_of_next(month) == first


def test_a_project_is_made_anew_each_time(tmp_path: Path):
    home = tmp_path / "demo"
    project = make_project(home)
    (project.home / "left-over").touch()
    again = make_project(home)
    assert not (again.home / "left-over").exists()
    assert (again.rules / "flight-delay.yaml").is_file()
    assert (again.home / "examples" / "flights" / "model.py").is_file()


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(Conflict, match="will not be emptied"):
        make_project(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
    assert not (tmp_path / MARK).exists()


def test_a_month_is_delivered_as_a_rename(tmp_path: Path):
    project = make_project(tmp_path / "demo")
    project.outbox.mkdir()
    file = project.outbox / "2013-01.parquet"
    file.write_bytes(b"rows")
    project.deliver(MonthFile("2013-01", file, 4))
    assert [path.name for path in project.arrivals.iterdir()] == ["2013-01.parquet"]
    assert not file.exists()


@pytest.fixture(scope="module")
def chapters() -> list[Chapter]:
    app_context, told = Desk(), []
    for month, outcome in (("2013-01", {}), ("2013-02", FAILS), ("2013-03", UNDECIDED)):
        after = len(app_context.house.records())
        app_context.house.data(27_000, f"data/{month}.parquet")
        with app_context.house.store.read() as tx:
            assert not look_at_work(tx, MODEL).idle
            assert not arrived(tx, MODEL, f"{month}.parquet")
        app_context.house.work(outcome)
        with app_context.house.store.read() as tx:
            assert look_at_work(tx, MODEL).idle
            assert arrived(tx, MODEL, f"{month}.parquet")
            told.append(chapter(tx, MODEL, month, 27_000, after))
        app_context.house.clock.advance(timedelta(days=31))
    return told


def test_a_chapter_tells_what_was_decided_about_the_month(chapters: list[Chapter]):
    assert [(c.verdict, c.reason, c.trigger) for c in chapters] == [
        ("promote", "2 of 2 gates passed", "new_data"),
        ("reject", "better: fails", "new_data"),
        ("hold", "better: inconclusive", "new_data"),
    ]
    assert [(c.challenger, c.challenger_mae, c.seat_mae) for c in chapters] == [
        (1, 14.2, 14.6),
        (2, 14.2, 14.6),
        (3, 14.2, 14.6),
    ]
    assert [c.champion_mae for c in chapters] == [14.2, 14.6, 14.6]


def test_the_table_has_a_line_a_month(chapters: list[Chapter]):
    lines = list(plain_table(chapters))
    assert lines[0].split()[:2] == ["ID", "MONTH"]
    assert lines[2] == " 6  2013-02  27,000  new_data    v2 14.20  v1 14.60  reject   better: fails"
    assert len(lines) == 4


def test_the_table_fits_into_eighty_columns(
    chapters: list[Chapter], monkeypatch: pytest.MonkeyPatch
):
    longest = replace(
        chapters[-1],
        decision=36,
        challenger=12,
        challenger_mae=24.31,
        seat="training median",
        seat_mae=24.48,
    )
    monkeypatch.setenv("COLUMNS", "80")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(rich_table([longest]))
    line = console.export_text().splitlines()[1]
    assert line.split() == [
        *("36", "2013-03", "27,000", "new_data", "v12", "24.31", "median", "24.48", "hold"),
        *("better:", "inconclusive"),
    ]


def test_the_chart_is_a_picture_for_light_and_dark(chapters: list[Chapter]):
    root = ET.fromstring(chart(chapters))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = ET.tostring(root, encoding="unicode")
    assert "prefers-color-scheme: dark" in text
    assert "script" not in text
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "2013-02: v2 14.20 min, reject: better: fails" in titles


def test_a_year_without_a_verdict_is_a_chart_too():
    empty = Chapter(month="2013-01", rows=0, trigger="-", decision=0, verdict="none", reason="x")
    assert ET.fromstring(chart([empty])) is not None


def test_the_demonstration_stays_in_its_home_whatever_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "incumbent.toml").write_text('database_url = "postgresql://production/real"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"INCUMBENT_BROKER_URL": "redis://production", **os.environ})
    settings = settings_of(make_project(tmp_path / "demo"))
    assert settings.database == f"sqlite:///{tmp_path / 'demo' / 'incumbent.db'}"
    assert settings.broker is None
    assert settings.worker_clock == "ordered"
    assert Path(settings.rules) == tmp_path / "demo" / "rules"
