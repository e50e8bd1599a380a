"""What the system says of a disk ends a command in one sentence and a code, never as a defect of ours."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.entrypoints.cli.failures import run_command
from tests.support.installation import Installation


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
@pytest.mark.parametrize("path", [None, "/home/x"])
def test_a_disk_that_takes_nothing_is_one_sentence(
    number: int, path: str | None, capsys: pytest.CaptureFixture[str]
):
    def fails() -> None:
        raise OSError(number, os.strerror(number), path)

    assert run_command(fails, as_json=False) == 5
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "defect" not in said
    assert f": {path or 'a file'} cannot be written. " in said


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that only reads, also for root."""
    place = tmp_path / "home"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.long
@pytest.mark.parametrize("command", ["controller", "up", "api"])
def test_a_home_that_only_reads_ends_each_command(read_only: Path, tmp_path: Path, command: str):
    house = Installation(tmp_path, home=read_only)
    done = house.run(command)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode not in {0, 1}, done.stderr
    assert str(read_only) in last
    assert "Traceback" not in done.stderr
    assert "defect" not in last
