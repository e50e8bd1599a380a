"""Each place that opens a file, with each file that was made to harm: one sentence; nothing runs, grows or stays."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.planted import CONTENTS, PLACES

MOST_MEMORY = 800
"""Megabytes at the peak of a process that opens all of them everywhere; its libraries are a third of it."""
SAYS_NOTHING = {
    "lineage, report or profile",
    "worker: answer of a child",
}
"""Places where what cannot be read counts as not there; the step that misses it says so."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of them, opened by one process."""
    folder = tmp_path_factory.mktemp("planted")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.planted", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_file_is_one_sentence(place: str, opened: dict[str, Any]):
    said = {one["content"]: one["said"] for one in opened["said"] if one["place"] == place}
    assert said.keys() == CONTENTS.keys()
    empty = {"nothing"} if place in {"anchors", "channels"} else set()
    for content, sentence in said.items():
        if place in SAYS_NOTHING or content in empty:
            assert sentence == ""
        else:
            assert sentence, content
            assert not sentence.startswith(("raised:", "taken:")), (content, sentence)
            assert "Traceback" not in sentence


def test_no_planted_file_runs_grows_or_stays(opened: dict[str, Any]):
    assert opened["left"] == []
    assert [one for one in opened["said"] if one["grew"]] == []
    assert opened["peak"] < MOST_MEMORY
