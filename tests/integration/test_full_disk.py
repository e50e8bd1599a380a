"""A disk that is full under each process: one sentence, nothing lost, and with room the work goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from controller.domain.runs import RunState
from tests.support.installation import Installation
from tests.support.machine import small_file_system
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a small file system is a tmpfs")


class SmallDisk:
    """A home of forty megabytes, and the ballast that leaves no byte of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._ballast = home / "ballast"

    def fill(self) -> None:
        """Until not one more byte is taken."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Room again."""
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_file_system(tmp_path / "home", megabytes=40) as home:
        home.chmod(0o700)
        yield SmallDisk(home)


@pytest.fixture
def house(tmp_path: Path, disk: SmallDisk) -> Iterator[Installation]:
    held = Installation(tmp_path, home=disk.home)
    yield held
    held.close()


def whole(house: Installation) -> None:
    """All is answered, every run ended well, and the chain derives again."""
    until(house.at_rest, words=(house.folder / "log").read_text)
    assert {run.state for run in house.runs()} == {RunState.DONE}
    done = house.run("verify", "--all")
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("command", ["up", "controller", "api"])
def test_a_process_that_finds_no_room_says_so_and_starts_later(
    house: Installation, disk: SmallDisk, command: str
):
    house.signal("before")
    disk.fill()
    done = house.run(command)
    assert done.returncode == 5
    assert done.stderr.strip().count("\n") == 0, done.stderr
    assert "defect" not in done.stderr
    disk.free()
    up = house.launch("up").says("incumbent is up")
    whole(house)
    assert up.stop() == 0


def test_what_runs_when_the_disk_is_full_goes_on_when_there_is_room(
    house: Installation, disk: SmallDisk
):
    up = house.launch("up").says("incumbent is up")
    address = up.said().partition("The page is at ")[2].split()[0]
    token = house.run("token", "create", "ci", "--role", "operator").stdout.strip()
    post = {"model": "toy", "kind": "webhook", "payload": {"type": "toy"}, "key": "g1"}
    headers = {"Authorization": f"Bearer {token}"}
    disk.fill()

    full = requests.post(f"{address}v1/signals", json=post, headers=headers, timeout=60)
    asked = house.run("signal", "toy", "--type", "toy", "--key", "g2")
    until(lambda: "is full" in up.said(), words=up.said)

    assert full.status_code == 503, full.text
    assert "full" in full.json()["detail"]
    assert asked.returncode == 5
    assert "is full" in asked.stderr
    assert "Traceback" not in asked.stderr + up.said()

    disk.free()
    again = requests.post(f"{address}v1/signals", json=post, headers=headers, timeout=60)
    assert again.status_code == 202, again.text
    assert house.run("signal", "toy", "--type", "toy", "--key", "g2").returncode == 0
    whole(house)
    assert len(house.runs()) >= 2
    assert up.stop() == 0


@pytest.mark.long
def test_a_worker_that_starts_without_room_works_when_there_is_some(
    house: Installation, disk: SmallDisk
):
    up = house.launch("up", "--no-worker").says("incumbent is up")
    house.signal("before")
    until(house.runs)
    disk.fill()
    worker = house.launch("worker", log="worker")
    until(lambda: "is full" in worker.said() or "disk i/o" in worker.said(), words=worker.said)
    disk.free()
    whole(house)
    assert "Traceback" not in worker.said()
    assert worker.stop() == 0
    assert up.stop() == 0
