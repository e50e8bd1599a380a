"""doctor names what is wrong and what to do; config says where a setting comes from, and no secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller import __version__
from controller.entrypoints.cli.main import main
from controller.ports import WorkerRow
from tests.support.command import Desk
from tests.support.house import MODEL


def test_doctor_names_work_that_nobody_does():
    app_context = Desk()
    app_context.house.data(30_000, "jan")
    app_context.house.clock.advance(timedelta(minutes=2))
    said = app_context.run("doctor", "--only", "work", code=1).stdout
    assert "has no answer since 2013-01-31 12:00 UTC: no controller decides." in said
    app_context.house.tick()
    app_context.house.clock.advance(timedelta(minutes=5))
    said = app_context.run("doctor", "--only", "work", code=1).stdout
    assert f"run {MODEL}.r1" in said
    assert "for a worker of queue default. Start one with `incumbent worker`." in said
    app_context.house.work()
    assert "nothing is stuck" in app_context.run("doctor", "--only", "work").stdout


def test_doctor_misses_a_worker():
    found = Desk().json("doctor", "--only", "worker", "--only", "rules", code=1)
    assert found["ok"] is False
    assert {check["name"]: check["ok"] for check in found["checks"]} == {
        "worker": False,
        f"rules of {MODEL}": True,
    }


def test_doctor_knows_what_it_can_look_at():
    said = Desk().run("doctor", "--only", "wroker", code=2).stderr
    assert "'wroker' is none of settings, database, limits, controller" in said


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "incumbent.toml").write_text(
        'tick = 0.5\nlease = 30.0\n[groups]\nleads = ["ana"]\n'
    )
    (tmp_path / "url").write_text("postgresql://incumbent:geheim@db/incumbent\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCUMBENT_TICK", "0.25")
    monkeypatch.setenv("INCUMBENT_DATABASE_URL_FILE", str(tmp_path / "url"))
    return tmp_path


def test_config_says_where_each_value_comes_from_and_no_secret(configured: Path):
    result = CliRunner().invoke(main, ["config", "--origin", "--json"])
    assert result.exit_code == 0
    found = {row["setting"]: row for row in json.loads(result.stdout)}
    assert (found["tick"]["value"], found["tick"]["origin"]) == ("0.25", "INCUMBENT_TICK")
    assert found["lease"]["origin"] == "incumbent.toml"
    assert found["poll"]["origin"] == "default"
    assert found["database_url"]["origin"].startswith("INCUMBENT_DATABASE_URL_FILE")
    assert "geheim" not in result.output
    assert all(row["meaning"] for row in found.values())


def test_a_database_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INCUMBENT_HOME", str(tmp_path / "nowhere"))
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 3
    assert "There is no database at" in result.stderr
    assert "Start with `incumbent up`" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_doctor_names_a_worker_of_another_version():
    app_context = Desk()
    row = WorkerRow(
        name="w1",
        host="h",
        pid=1,
        version="0.0.1",
        queues=("default",),
        concurrency=1,
        started_at=datetime.now(UTC),
    )
    app_context.house.wall.set(datetime.now(UTC))
    with app_context.house.store.begin() as tx:
        tx.workers.beat(row)
    said = " ".join(app_context.run("doctor", "--only", "worker", code=1).stdout.split())
    assert f"it runs 0.0.1, and this is {__version__}. Install the same version" in said
