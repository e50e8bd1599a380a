"""Models as files: what was trained is what is loaded, whatever happens to the code."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.failure import Failure
from workers.models import find_function, load_model, store_saved

CODE = """
SLOPE = 2

class Model:
    def predict(self, frame):
        return [SLOPE * x for x in frame]

def train(run):
    return Model()

def load(path):
    model = Model()
    model.read = path.read_text()
    return model
"""

STORE = """
import sys
from pathlib import Path
from workers.models import find_function, store_object
code = Path(sys.argv[1])
store_object(find_function("mine:train", code)(None), Path(sys.argv[2]), code)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "mine.py").write_text(CODE)
    return folder


def stored(code: Path, target: Path) -> str:
    """Store the model in a process of its own, as training does; its digest."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # as every training process has it
    command = [sys.executable, "-c", STORE, str(code), str(target)]
    subprocess.run(command, check=True, env=environment)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def test_a_version_stays_what_it_was_when_its_code_changes(code: Path, tmp_path: Path):
    first = stored(code, tmp_path / "first")
    assert stored(code, tmp_path / "again") == first
    (code / "mine.py").write_text(CODE.replace("SLOPE = 2", "SLOPE = 3"))
    assert stored(code, tmp_path / "second") != first
    (code / "mine.py").unlink()
    assert load_model(tmp_path / "first", {}, code).predict([1, 2]) == [2, 4]
    assert load_model(tmp_path / "second", {}, code).predict([1, 2]) == [3, 6]


def test_a_folder_is_the_same_artifact_each_time(tmp_path: Path):
    digests = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "weights").write_bytes(b"w" * 100)
        (folder / "config").write_text(name and "same")
        assert store_saved(folder, tmp_path / f"{name}.tar") == "folder"
        digests.add(hashlib.sha256((tmp_path / f"{name}.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_format_of_one_s_own_needs_a_reader(code: Path, tmp_path: Path):
    saved = tmp_path / "model.weights"
    saved.write_text("17")
    assert store_saved(saved, tmp_path / "stored") == "file"
    lineage = {"model": {"format": "file"}, "entrypoint": "mine:train"}
    assert load_model(tmp_path / "stored", lineage, code).read == "17"
    with pytest.raises(Failure, match="needs a function load"):
        load_model(tmp_path / "stored", {"model": {"format": "file"}}, code)


@pytest.mark.parametrize(
    ("entrypoint", "said"),
    [
        ("mine:absent", "mine has no function absent; it has Model, train, load"),
        ("absent:train", "the entry point's module absent is not in"),
        (
            "broken:train",
            "broken cannot be imported: it raised ZeroDivisionError: division by zero",
        ),
        ("needy:train", "needy cannot be imported: No module named 'no_such_library'"),
        ("absent.py:train", "the entry point's file absent.py is not in"),
    ],
)
def test_an_entry_point_that_cannot_be_had_is_one_sentence(code: Path, entrypoint: str, said: str):
    (code / "broken.py").write_text("1 / 0")
    (code / "needy.py").write_text("import no_such_library")
    with pytest.raises(Failure) as failure:
        find_function(entrypoint, code)
    assert str(failure.value).startswith(said)


def test_an_entry_point_may_be_a_file(code: Path):
    assert find_function("mine.py:train", code)(None).predict([1]) == [2]
