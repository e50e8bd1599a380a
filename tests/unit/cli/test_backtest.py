"""A backtest plays a series through the engine's own parts, and says where the series is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.entrypoints.cli.main import main
from tests.support.command import POLICY, Desk
from tests.support.house import FAILS, PASSES
from tests.unit.service.test_plan import history

SERIES = """\
at,new_data,candidate.mae,candidate.mae.champion,candidate.mae.low,candidate.mae.high
2026-01-01,15000,14.0,14.6,-0.9,-0.3
2026-01-08,15000,,,,
2026-01-15,30000,14.5,14.0,0.3,0.7
2026-01-22,30000,13.9,14.0,-0.3,0.1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "now.yaml").write_text(POLICY)
    (tmp_path / "slow.yaml").write_text(POLICY.replace("20000", "60000"))
    (tmp_path / "series.csv").write_text(SERIES)
    return tmp_path


def run(folder: Path, *words: str, code: int = 0) -> Result:
    found = [
        str(folder / word) if word.endswith((".yaml", ".csv", ".svg", ".parquet")) else word
        for word in words
    ]
    result = CliRunner().invoke(main, ["backtest", *found])
    assert result.exit_code == code, result.output
    return result


def test_two_policies_side_by_side(folder: Path):
    said = run(folder, "now.yaml", "slow.yaml", "--series", "series.csv").stdout

    cells = {line.rsplit(None, 2)[0].strip(): line.split()[-2:] for line in said.splitlines()[1:]}
    assert cells["train"] == ["3", "1"]
    assert cells["promote"] == ["1", "0"]
    assert cells["reject"] == ["1", "1"]
    assert cells["hold"] == ["1", "0"]
    assert cells["champion at the end"] == ["v2", "v1"]


def test_each_decision_has_its_time_and_reason(folder: Path):
    found = json.loads(run(folder, "now.yaml", "--series", "series.csv", "--json").stdout)

    (policy,) = found["policies"]
    first = policy["moments"][0]
    assert first["at"] == "2026-01-08T00:00:00.000000Z"
    assert "30,000 new rows" in first["reason"]


def test_the_plot_has_a_mark_for_each_decision(folder: Path):
    run(folder, "now.yaml", "--series", "series.csv", "--svg", "plot.svg")

    assert (folder / "plot.svg").read_text().count("<title>") == 6


def test_parquet_holds_the_same_series(folder: Path):
    duckdb = pytest.importorskip("duckdb")
    csv, parquet = folder / "series.csv", folder / "series.parquet"
    duckdb.execute(f"COPY (SELECT * FROM read_csv('{csv}')) TO '{parquet}' (FORMAT parquet)")

    one = run(folder, "now.yaml", "--series", "series.csv").stdout
    other = run(folder, "now.yaml", "--series", "series.parquet").stdout

    assert one == other


def test_the_recorded_history_comes_out_as_it_was(folder: Path):
    worse = {**FAILS, "challenger": 15.0, "interval_low": 0.25, "interval_high": 0.55}
    app_context: Desk = history(worse, PASSES)

    found = app_context.json("backtest", str(folder / "now.yaml"), "--recorded")

    counts = found["policies"][0]["counts"]
    assert (counts["train"], counts["reject"]) == (3, 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "has no rows.", id="empty"),
        pytest.param("time,new_data\n2026-01-01,3\n", "has no column `at`", id="no time"),
        pytest.param(
            "at,newdata\n2026-01-01,3\n", "the column `newdata` means nothing", id="column"
        ),
        pytest.param("at,new_data\nsoon,3\n", "row 2: `at` is 'soon', a time", id="time"),
        pytest.param(
            "at,new_data\n2026-01-01,many\n", "`new_data` is 'many', a number", id="number"
        ),
        pytest.param("at,new_data\n2026-01-01,nan\n", "`new_data` is 'nan', a number", id="nan"),
        pytest.param(
            "at,new_data\n2026-01-02,1\n2026-01-01,1\n", "row 3: its time is before", id="order"
        ),
        pytest.param("at,new_data\n2026-01-02\n", "a row has not the 2 cells", id="ragged"),
    ],
)
def test_a_wrong_series_is_one_sentence(folder: Path, text: str, sentence: str):
    (folder / "series.csv").write_text(text)

    result = run(folder, "now.yaml", "--series", "series.csv", code=2)

    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["now.yaml"], id="neither"),
        pytest.param(["now.yaml", "--series", "series.csv", "--recorded"], id="both"),
        pytest.param(["now.yaml"] * 3 + ["--series", "series.csv"], id="three policies"),
    ],
)
def test_wrong_use_is_named(folder: Path, words: list[str]):
    run(folder, *words, code=2)
