"""Backup while it runs, restore on an empty machine, and every decision is derived again."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.adapters.artifacts.local import LocalArtifacts
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.entrypoints.cli.main import main
from controller.service.deciding.engine import Engine
from controller.service.loops.relay_outbox import Relay
from controller.service.loops.rescue_runs import Rescuer
from tests.support.command import POLICY, Desk
from tests.support.house import House
from tests.support.postgres import PostgresServer


@dataclass
class Plant:
    """A house on a real database, and the command line of a machine with its own home."""

    folder: Path
    url: str
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        migrate(self.url)
        self.artifacts = LocalArtifacts(self.folder / "artifacts")
        self.house = House()
        store = SqlStore(self.url, self.house.wall)
        self.house.store = store  # type: ignore[assignment]  # a house that was made for memory
        self.house.engine = Engine(store, self.house.clock, self.house.parse)
        self.house.relay = Relay(store, self.house.dispatcher)
        self.house.rescuer = Rescuer(store, self.house.clock)
        Desk(house=self.house).enforce(POLICY)

    def live(self, months: int) -> None:
        """Data arrive, models are trained and promoted; each leaves an artifact."""
        for _ in range(months):
            self.house.clock.advance(timedelta(days=31))
            self.house.data(30_000)
            self.house.work()
            self.artifacts.put_bytes(str(self.house.clock.now()).encode())

    def run(self, home: Path, url: str | None, *words: str) -> Result:
        self.patch.setenv("INCUMBENT_HOME", str(home))
        if url is None:
            self.patch.delenv("INCUMBENT_DATABASE_URL", raising=False)
        else:
            self.patch.setenv("INCUMBENT_DATABASE_URL", url)
        return CliRunner().invoke(main, list(words))


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    postgres_server: PostgresServer,
) -> Iterator[Plant]:  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "sqlite":
        url = f"sqlite:///{home / 'incumbent.db'}"
    else:
        url = postgres_server.url(postgres_server.create())
        monkeypatch.setenv("PATH", f"{postgres_server._bin}", prepend=":")
    plant = Plant(home, url, monkeypatch)
    yield plant
    plant.house.store.close()


def test_backup_while_it_runs_and_restore_on_an_empty_machine(
    plant: Plant, tmp_path: Path, postgres_server: PostgresServer
):
    plant.live(3)
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                plant.live(1)
        except BaseException as error:  # noqa: BLE001 - a test tells what its thread met
            failures.append(error)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        made = plant.run(plant.folder, plant.url, "backup", str(tmp_path / "copy"), "--json")
    finally:
        stop.set()
        writer.join()
    assert not failures
    assert made.exit_code == 0, made.output
    assert not list(tmp_path.glob("*.partial"))

    elsewhere = tmp_path / "elsewhere"
    url = None
    if plant.url.startswith("postgres"):
        url = postgres_server.url(postgres_server.create())
    restored = plant.run(elsewhere, url, "restore", str(tmp_path / "copy"), "--json")
    assert restored.exit_code == 0, restored.output
    held = json.loads(restored.stdout)
    assert held["decisions"] >= 3 * 3
    assert held["artifacts"] == json.loads(made.stdout)["artifacts"] >= 3
    verified = plant.run(elsewhere, url, "verify", "--all")
    assert verified.exit_code == 0, verified.output
    assert f"{held['decisions']} decisions derived again, all as recorded" in verified.stdout
    assert len(list((elsewhere / "artifacts").glob("??/*"))) == held["artifacts"]

    again = plant.run(elsewhere, url, "restore", str(tmp_path / "copy"))
    assert again.exit_code == 4
    assert "nothing was restored" in again.output


def test_a_backup_that_was_touched_is_refused(plant: Plant, tmp_path: Path):
    plant.live(1)
    copy = tmp_path / "copy"
    assert plant.run(plant.folder, plant.url, "backup", str(copy)).exit_code == 0
    assert "exists" in plant.run(plant.folder, plant.url, "backup", str(copy)).output
    for place, said in (
        (next(copy.glob("database.*")), "is not the file that the manifest names"),
        (next(copy.glob("artifacts/??/*")), "does not match its name"),
    ):
        broken = tmp_path / place.name[:8]
        shutil.copytree(copy, broken)
        file = broken / place.relative_to(copy)
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1] + b"!")
        refused = plant.run(tmp_path / "new", plant.url, "restore", str(broken))
        assert refused.exit_code == 1, refused.output
        assert said in refused.output
    missing = plant.run(tmp_path / "new", plant.url, "restore", str(tmp_path))
    assert "is no backup" in missing.output


def test_a_backup_of_the_other_kind_is_refused(plant: Plant, tmp_path: Path):
    copy = tmp_path / "copy"
    assert plant.run(plant.folder, plant.url, "backup", str(copy)).exit_code == 0
    other = "postgresql://u:geheim@127.0.0.1:1/x" if plant.url.startswith("sqlite") else None
    refused = plant.run(tmp_path / "new", other, "restore", str(copy))
    assert refused.exit_code == 2
    assert "Restore it into a database of the same kind" in refused.output
    assert "geheim" not in refused.output


def test_postgresql_needs_its_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer
):
    plant = Plant(tmp_path, postgres_server.url(postgres_server.create()), monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = plant.run(tmp_path, plant.url, "backup", str(tmp_path / "copy"))
    assert refused.exit_code == 2
    assert "pg_dump is not on PATH. Install PostgreSQL's client programs" in refused.output
    plant.house.store.close()
