"""A file that a policy names and a worker reads: in the operator's folder of secrets, or refused in a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings import load_settings
from workers import from_mlflow
from workers.contract import TrainingRun
from workers.failure import Failure
from workers.secret_files import VARIABLE, read_secret
from workers.settings import WorkerSettings
from workers.steps import RunSteps

WHERE = "params.token_file"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    (folder / "..data").mkdir(parents=True)
    (folder / "mlflow").write_text("a token\n")
    (folder / "..data" / "token").write_text("mounted")
    (folder / "mounted").symlink_to("..data/token")
    (tmp_path / "secrets-of-others").write_text("not yours")
    (tmp_path / "private").write_text("not yours")
    (folder / "out").symlink_to(tmp_path / "private")
    (folder / "up").symlink_to(tmp_path)
    (folder / "round").symlink_to("round")
    (folder / "long").write_text("x" * (1 << 16) + "y")
    (folder / "binary").write_bytes(b"\xff\xfe")
    os.mkfifo(folder / "pipe")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def test_what_is_in_the_folder_is_read(folder: Path):
    assert read_secret("mlflow", WHERE) == "a token"
    assert read_secret(str(folder / "mlflow"), WHERE) == "a token"
    assert read_secret("mounted", WHERE) == "mounted"


OTHERS = (
    "/etc/passwd", "../private", "../secrets-of-others", "..data/../../private", "out", "up/private",
    "/proc/self/environ", "/dev/stdin", "", ".", "round", "a\x00b", "~/private", "mlflow/../mlflow", "nothing",
    "x" * 5000, "pipe", "long", "binary", "..data", "file:///etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("name", OTHERS, ids=[f"{n}" for n in range(len(OTHERS))])
def test_anything_else_is_refused_in_a_sentence(folder: Path, name: str):
    with pytest.raises(Failure) as refused:
        read_secret(name, WHERE)
    said = str(refused.value)
    assert said.startswith(f"{WHERE} names ")
    assert said.endswith(".")
    assert "not yours" not in said


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Path:
    around = tmp_path_factory.mktemp("around")
    (around / "secrets").mkdir()
    (around / "a").write_text("not yours")
    (around / "secrets" / "up").symlink_to(around)
    return around / "secrets"


STEPS = st.lists(st.sampled_from(["..", ".", "up", "/", "secrets", "a"])).map("/".join)


@given(name=st.text(max_size=30) | STEPS)
def test_no_name_leads_out(around: Path, name: str):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Failure):
        patch.setenv(VARIABLE, str(around))
        read_secret(name, WHERE)


def test_without_the_setting_no_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "private").write_text("not yours")
    with pytest.raises(Failure, match=VARIABLE):
        read_secret(str(tmp_path / "private"), WHERE)


def test_a_policy_sends_no_file_of_the_workers(tmp_path: Path, folder: Path):
    """Through the entry point, before anything is connected to."""
    params: dict[str, Any] = {"server": "mlflow://127.0.0.1:9", "model": "m", "version": 1}
    for name, why in (
        (str(tmp_path / "private"), "is not in the worker's folder"),
        (7, "must be text"),
    ):
        run = _run(tmp_path, params | {"token_file": name})
        with pytest.raises(Failure, match=why):
            from_mlflow.train(run)


def _run(folder: Path, params: dict[str, Any]) -> TrainingRun:
    class Run:
        def __init__(self) -> None:
            self.params, self.folder = params, folder

    return Run()  # type: ignore[return-value]


@pytest.mark.parametrize("given", [True, False])
def test_the_setting_reaches_the_process_that_brings_the_model(tmp_path: Path, given: bool):
    more = {"worker_secrets": tmp_path / "secrets"} if given else {}
    settings = WorkerSettings.load(
        load_settings(home=tmp_path, broker_url="redis://127.0.0.1:9", **more)
    )
    step = SimpleNamespace(
        place=SimpleNamespace(settings=settings), run=SimpleNamespace(id="m.r1"), folder=tmp_path
    )
    environment = RunSteps._environment(step, tmp_path)  # type: ignore[arg-type]
    assert environment.get(VARIABLE) == (str(tmp_path / "secrets") if given else None)
