"""A home is its owner's alone: what an installation writes in it, what an earlier version left, nothing beside it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.adapters.artifacts.local import LocalArtifacts
from controller.domain.errors import ConfigurationError
from controller.home import open_places, prepare_home
from tests.support.installation import Installation
from tests.support.waiting import until

TRAINING = """\
import os, shutil, subprocess
from pathlib import Path

class Answer:
    def predict(self, frame):
        return frame["x"]

def train(run):
    print("hello")
    # What a training leaves in the home is as private as the rest, also from a program that it starts.
    kept = Path(os.environ["KEPT"])
    kept.mkdir(exist_ok=True)
    kept.joinpath("notes.txt").write_text("secret")
    subprocess.run(["sh", "-c", "mkdir -p deeper && echo secret > deeper/file"], cwd=kept, check=True)
    run.log_metric("mae", 1.0)
    return Answer()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def tree(home: Path) -> dict[str, int]:
    """The rights of everything in a home that are anybody else's, by name; the home itself is `.`."""
    return {
        str(path.relative_to(home)): mode(path)
        for path in (home, *sorted(home.rglob("*")))
        if not path.is_symlink() and mode(path) & 0o077
    }


@contextmanager
def umask(number: int) -> Iterator[None]:
    before = os.umask(number)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    with umask(0o022):
        yield


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    held = Installation(tmp_path)
    (held.folder / "toy_model.py").write_text(TRAINING)
    held.settings = {"KEPT": str(held.home / "kept"), "INCUMBENT_ANCHOR_KEY": "a" * 40}
    yield held
    held.close()


def test_all_that_an_installation_writes_is_its_owners_alone(house: Installation):
    """An older version made this home: its database, and all else with the usual umask."""
    house.signal("one")
    old = house.home / "artifacts" / "0a"
    old.mkdir(parents=True)
    (old / "model").write_text("weights")
    (house.home / "page.key").write_text("k" * 64)
    beside = house.folder / "beside"
    beside.write_text("a team's own")
    (house.home / "link").symlink_to(beside)
    around = mode(house.folder)
    assert tree(house.home)
    assert "others may use" in house.run("doctor").stdout

    up = house.launch("up").says("incumbent is up")
    until(house.at_rest, 120)
    assert {run.state.value for run in house.runs()} == {"done"}
    assert house.run("anchor", "--file", str(house.folder / "anchors")).returncode == 0
    said = house.run("doctor").stdout
    made = house.run("backup", str(house.folder / "copy"))
    bundle = house.run("support-bundle", str(house.folder / "bundle.zip"))

    assert tree(house.home) == {}
    assert (house.home / "kept" / "deeper" / "file").read_text() == "secret\n"
    assert "others may use" not in said
    assert (made.returncode, tree(house.folder / "copy")) == (0, {}), made.stderr
    assert (bundle.returncode, mode(house.folder / "bundle.zip")) == (0, 0o600), bundle.stderr
    assert (mode(beside), mode(house.folder)) == (0o644, around), "what lies beside it is untouched"
    assert up.stop() == 0
    assert tree(house.home) == {}


@pytest.mark.parametrize("command", ["controller", "api", "worker"])
def test_each_process_closes_the_home_that_it_opens(house: Installation, command: str):
    house.signal("one")
    house.settings = {"INCUMBENT_BROKER_URL": "redis://127.0.0.1:1/0"}
    (house.home / "left").mkdir()
    (house.home / "left" / "open").write_text("from before")
    house.launch(command)
    until(lambda: not tree(house.home), words=lambda: str(tree(house.home)))


def test_only_rights_of_others_are_taken_away_and_links_are_not_followed(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    (outside / "twice").write_text("")
    home = tmp_path / "parent" / "home"
    prepare_home(home)
    assert (mode(home), mode(home.parent)) == (0o700, 0o755)
    assert mode(_touched(home / "new")) == 0o600

    os.umask(0o000)
    for name, rights in (("program", 0o775), ("read-only", 0o444), ("sticky", 0o1777)):
        _touched(home / name).chmod(rights)
    (home / "deep" / "er").mkdir(parents=True)
    (home / "to-a-file").symlink_to(outside / "file")
    (home / "to-a-folder").symlink_to(outside)
    (home / "to-nowhere").symlink_to(tmp_path / "nothing")
    (home / "twice").hardlink_to(outside / "twice")
    os.mkfifo(home / "pipe")
    with socket.socket(socket.AF_UNIX) as door:
        os.chdir(home)
        door.bind("door")
        os.chdir("/")
        home.chmod(0o755)

        [left] = prepare_home(home)

        assert left.path == home / "twice"
        assert "hard link" in str(left)
        assert tree(home).keys() == {"twice"}
    assert [mode(home / name) for name in ("program", "read-only", "sticky")] == [
        0o700,
        0o400,
        0o1700,
    ]
    assert [mode(outside / name) for name in ("file", "twice")] == [0o644, 0o644]
    assert mode(outside) == 0o755
    assert [one.path for one in open_places(home)] == [home / "twice"]


def _touched(path: Path) -> Path:
    path.touch()
    return path


def test_a_group_may_be_let_in_and_nobody_else(tmp_path: Path):
    home = tmp_path / "home"
    with umask(0o000):
        home.mkdir()
        (home / "shared").mkdir()
        (home / "shared" / "file").touch()
    prepare_home(home, "group")
    _touched(home / "new")
    found = {str(path.relative_to(home)): mode(path) for path in home.rglob("*")}
    assert found == {"shared": 0o770, "shared/file": 0o660, "new": 0o660}
    assert mode(home) == 0o770
    assert open_places(home, "group") == []
    assert len(open_places(home)) == 4


def test_what_belongs_to_another_user_is_said_and_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(_touched(home / "theirs"), 65534, 65534)
    [left] = prepare_home(home)
    assert left.path == home / "theirs"
    assert "belongs to another user (65534)" in caplog.text
    assert mode(home / "theirs") == 0o644


def test_the_root_of_the_file_system_is_no_home():
    with pytest.raises(ConfigurationError, match="root of the file system"):
        prepare_home(Path("/"))


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o400), (0o750, 0o440), (0o755, 0o444)])
def test_who_may_use_the_store_may_read_what_is_in_it(tmp_path: Path, folder: int, file: int):
    """Whatever the umask is: a store beside the home may be another team's to read."""
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(folder)
    with umask(0o077):
        digest = LocalArtifacts(root).put_bytes(b"weights")
    place = root / digest[:2] / digest[2:]
    assert (mode(place), mode(place.parent), mode(root / "tmp")) == (file, folder, folder)
