"""A version of an MLflow server as the model of a run: what is taken, and what is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from workers.failure import Failure
from workers.from_mlflow import _below, _fetch, _files, _room, _Wanted, load_model


class Server:
    """What an MLflow server lists, and where it says that a version's files are."""

    def __init__(
        self, place: str = "", listed: dict[str, list[dict[str, Any]]] | None = None
    ) -> None:
        self.place = place
        self.listed = listed or {}

    def ask(self, verb: str, path: str, **arguments: Any) -> dict[str, Any]:
        assert (verb, path) == ("GET", "model-versions/get-download-uri")
        return {"artifact_uri": self.place}

    def listing(self, path: str) -> list[dict[str, Any]]:
        return self.listed.get(path, [])


WANTED = _Wanted(server="mlflow://x", model="toy", version=7)


def files(listed: dict[str, list[dict[str, Any]]]) -> list[str]:
    return sorted(name for name, _ in _files(Server(listed=listed), "0/r/m"))  # type: ignore[arg-type]


def test_folders_are_followed():
    assert files(
        {
            "0/r/m": [{"path": "MLmodel"}, {"path": "data", "is_dir": True}],
            "0/r/m/data": [{"path": "model.pkl"}, {"path": "more", "is_dir": True}],
            "0/r/m/data/more": [{"path": "0/r/m/data/more/x.json"}],
        }
    ) == ["MLmodel", "data/model.pkl", "data/more/x.json"]


@pytest.mark.parametrize("name", ["..", ".", "", "a/..", "..\\x"])
def test_a_path_that_leads_out_of_the_folder_is_refused(name: str):
    with pytest.raises(Failure, match="among the model's files"):
        files({"0/r/m": [{"path": name}]})


def test_a_folder_that_holds_itself_ends():
    class Endless(Server):
        def listing(self, path: str) -> list[dict[str, Any]]:
            return [{"path": "again", "is_dir": True}]

    with pytest.raises(Failure, match="among the model's files"):
        list(_files(Endless(), ""))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [-1, "a", 10**18, [], True])
def test_a_size_that_is_none_is_refused(size: object):
    with pytest.raises(Failure, match="with the size"):
        files({"0/r/m": [{"path": "MLmodel", "file_size": size}]})


def test_more_bytes_than_are_listed_are_refused_at_once(tmp_path: Path):
    taken: list[int] = []

    class Vast(Server):
        def download(self, path: str) -> Iterator[bytes]:
            for number in range(1000):
                taken.append(number)
                yield bytes(10)

    with pytest.raises(Failure, match="more of x than 25 bytes"):
        _fetch(Vast(), "m/x", tmp_path / "x", 25)  # type: ignore[arg-type]
    assert len(taken) == 3
    assert (tmp_path / "x").stat().st_size <= 25


def test_a_model_larger_than_the_disk_is_refused_before_it_comes(tmp_path: Path):
    with pytest.raises(Failure, match="are free"):
        _room(1 << 60, tmp_path)


def test_files_behind_the_proxy_are_found():
    assert _below(Server("mlflow-artifacts:/0/r/artifacts/m"), WANTED) == "0/r/artifacts/m"  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["s3://bucket/m", "/var/models/m", ""])
def test_files_elsewhere_are_said(place: str):
    with pytest.raises(Failure, match="not behind the server's artifact proxy"):
        _below(Server(place), WANTED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"server": "mlflow://x", "model": "toy"},
        {"server": "mlflow://x", "model": "toy", "version": "champion"},
        {"server": "mlflow://x", "model": "toy", "version": True},
        {"server": "mlflow://x", "model": 7, "version": 7},
        {"server": "mlflow://x", "model": "toy", "version": 7, "stage": "x"},
    ],
    ids=["none", "no version", "an alias", "a truth", "no text", "another key"],
)
def test_params_that_name_no_version(params: dict[str, Any]):
    with pytest.raises(Failure, match="params must be server"):
        _Wanted.of(params)


class Doubles:
    def predict(self, values: list[int]) -> list[int]:
        return [2 * value for value in values]


def test_a_pickled_model_needs_no_mlflow(tmp_path: Path):
    (tmp_path / "model.pkl").write_bytes(cloudpickle.dumps(Doubles()))
    (tmp_path / "MLmodel").write_text(
        "flavors: {sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}}"
    )
    assert load_model(tmp_path).predict([2]) == [4]


@pytest.mark.parametrize(
    "about",
    [
        "flavors: {pytorch: {}}",
        "flavors: {sklearn: {pickled_model: model.skops, serialization_format: skops}}",
        "flavors: {sklearn: {pickled_model: gone.pkl, serialization_format: pickle}}",
        "flavors: 7",
        "flavors: {sklearn: model.pkl}",
        "flavors: {1: {}, sklearn: [pickle]}",
        "[]",
    ],
)
def test_other_models_need_mlflow_beside_the_worker(tmp_path: Path, about: str):
    (tmp_path / "MLmodel").write_text(about)
    with pytest.raises(Failure, match="needs the package mlflow beside the worker"):
        load_model(tmp_path)


@pytest.mark.parametrize("named", ["../elsewhere.pkl", "{}/elsewhere.pkl", "link.pkl"])
def test_a_pickle_that_was_not_brought_is_not_loaded(tmp_path: Path, named: str):
    folder = tmp_path / "brought"
    folder.mkdir()
    (tmp_path / "elsewhere.pkl").write_bytes(cloudpickle.dumps(Doubles()))
    (folder / "link.pkl").symlink_to(tmp_path / "elsewhere.pkl")
    told = {"pickled_model": named.format(tmp_path), "serialization_format": "pickle"}
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"sklearn": told}}))
    with pytest.raises(Failure, match="needs the package mlflow beside the worker"):
        load_model(folder)
