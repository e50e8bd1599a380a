"""The tutorial, played word for word in an empty folder by a newcomer's shell.

`python -m tests.acceptance.test_tutorial` plays it and writes the outputs that came into the page.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.transcript import Player, blocks, clean_environment, commands, settled

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"


def play(folder: Path, *, rewrite: bool = False) -> tuple[str, list[str]]:
    """(the page as it came out, what differed)."""
    home = folder / "home"
    home.mkdir()
    (home / "incumbent").symlink_to(ROOT)
    environment = clean_environment(home, Path(sys.base_prefix, "bin", "python3"))
    with Player(home, environment, rewrite) as player:
        return player.play(PAGE.read_text(encoding="utf-8")), player.differences


@pytest.mark.long
def test_the_tutorial_does_what_it_says(tmp_path: Path):
    _, differences = play(tmp_path)

    assert not differences, "\n\n".join(differences)


def test_a_difference_is_found_and_what_may_differ_is_not(tmp_path: Path):
    page = (
        "```console\n$ echo 2026-01-02 03:04 person:ana\n2020-12-31 23:59 person:ben\n"
        '$ echo six\nseven\n```\n```text title="sub/a.txt"\nwords\n```\n'
        "```console\n$ cat sub/a.txt\nwords\n$ printf 'no end of line'\nno end of line\n```\n"
    )
    with Player(tmp_path, clean_environment(tmp_path / "home", Path(sys.executable))) as player:
        written = player.play(page)

    (only,) = player.differences
    assert "$ echo six\nsays\nsix\n" in only
    assert written == page.replace("seven", "six")


def test_the_page_shows_what_every_asking_command_prints():
    shown = {
        command: output
        for block in blocks(PAGE.read_text(encoding="utf-8"))
        if block.language == "console"
        for command, output in commands(block.text)
    }
    asking = [command for command in shown if command.startswith("incumbent ")]

    assert len(asking) > 8
    assert [command for command in asking if not settled(shown[command])] == []


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        text, _ = play(Path(place), rewrite=True)
    PAGE.write_text(text, encoding="utf-8")
