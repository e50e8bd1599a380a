"""Takes a version of a team's MLflow server over, as it is: the first "training" of a team that moves here.

    train:
      entrypoint: "workers.from_mlflow:train"
      params: {server: "mlflow://mlflow.internal:5000", model: fraud-score, version: 7}

The files come through the server's artifact proxy and are stored as one artifact under its digest, by a run that a
decision ordered: what was champion over there is a version here like any other, judged on the same rows. Equal files
have an equal digest, so bringing the version twice brings the same artifact. It is unpickled in a child of a worker, by
the package mlflow where that is installed beside the worker; a scikit-learn model that was pickled needs none.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from controller.adapters.connections import Address, is_link, watched
from workers.failure import Failure
from workers.secret_files import read_secret

if TYPE_CHECKING:
    from controller.adapters.mlflow.client import MlflowServer
    from workers.contract import TrainingRun

_MOST_FILES = 10_000
_MOST_DESCRIBED = 1 << 18
"""Bytes of an MLmodel; of a longer one the rest is not read."""
_SECONDS = 60.0
_PICKLES = frozenset({"cloudpickle", "pickle"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What the policy names. ``token_file`` is in the worker's folder of secrets, if the server wants a token."""

    server: str
    model: str
    version: int
    token_file: str = ""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> _Wanted:
        known = {name: params.get(name) for name in ("server", "model", "version")}
        version = known["version"]
        named = all(isinstance(known[name], str) and known[name] for name in ("server", "model"))
        whole = isinstance(version, int) and not isinstance(version, bool)
        token_file = params.get("token_file", "")
        if not isinstance(token_file, str):
            raise Failure(
                "params.token_file must be text: the name of a file in the worker's folder of secrets."
            )
        if not named or not whole or set(params) - {*known, "token_file"}:
            raise Failure(
                "params must be server (mlflow://host:5000), model (text) and version (a number), and token_file where "
                f"the server wants a token; found {', '.join(sorted(params)) or 'none'}."
            )
        return cls(**known, token_file=token_file)  # type: ignore[arg-type]


def train(run: TrainingRun) -> None:
    """Bring the version's files and hand them over as the model; Failure says what is missing."""
    from controller.domain.errors import IncumbentError

    wanted, target = _Wanted.of(run.params), run.folder / "from-mlflow"
    try:
        with watched(_refuses, "Name the MLflow server's own address."):
            _bring(run, wanted, target)
    except IncumbentError as error:
        raise Failure(error.sentence()) from error
    run.save_model(target)


def _refuses(address: Address, port: int) -> str:
    """A server of the team's may be this machine. What tells a machine in a cloud its secrets is none."""
    del port
    return "a link or a metadata service" if is_link(address) else ""


def _bring(run: TrainingRun, wanted: _Wanted, target: Path) -> None:
    from controller.adapters.mlflow.client import MlflowServer

    token = read_secret(wanted.token_file, "params.token_file") if wanted.token_file else None
    server = MlflowServer(wanted.server, token, _SECONDS)
    below = _below(server, wanted)
    files = dict(sorted(_files(server, below)))
    if "MLmodel" not in files:
        raise Failure(
            f"{wanted.model} version {wanted.version} at {wanted.server} has no file MLmodel."
        )
    room = _room(sum(size or 0 for size in files.values()), run.folder)
    for done, (name, size) in enumerate(files.items(), 1):
        _fetch(server, f"{below}/{name}", target / name, room if size is None else size)
        run.progress(done, len(files))


def load_model(path: Path) -> Any:
    """The model in a folder of MLflow, as an object with ``predict``."""
    try:
        pyfunc = importlib.import_module("mlflow.pyfunc")
    except ModuleNotFoundError:
        return _without_mlflow(path)
    return pyfunc.load_model(str(path))


def _without_mlflow(path: Path) -> Any:
    import yaml

    try:
        with (path / "MLmodel").open("rb") as stream:
            held = yaml.safe_load(stream.read(_MOST_DESCRIBED).decode())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise Failure(f"its file MLmodel cannot be read ({type(error).__name__}).") from None
    flavors = held.get("flavors") if isinstance(held, dict) else None
    known = flavors if isinstance(flavors, dict) else {}
    ours = known.get("sklearn")
    ours = ours if isinstance(ours, dict) else {}
    file = path / str(ours.get("pickled_model") or "")
    brought = file.is_file() and file.resolve().is_relative_to(path.resolve())
    if ours.get("serialization_format") not in _PICKLES or not brought:
        named = ", ".join(sorted(map(str, known))) or "none"
        raise Failure(
            f"a model of MLflow's with the flavors {named} needs the package mlflow beside the worker."
        )
    import cloudpickle

    with file.open("rb") as stream:
        return cloudpickle.load(stream)


def _below(server: MlflowServer, wanted: _Wanted) -> str:
    """The version's folder within the artifact proxy."""
    answer = server.ask(
        "GET",
        "model-versions/get-download-uri",
        name=wanted.model,
        version=str(wanted.version),
    )
    place = str(answer.get("artifact_uri", ""))
    parts = urlsplit(place)
    if parts.scheme != "mlflow-artifacts":
        raise Failure(
            f"the files of {wanted.model} version {wanted.version} are at {place or 'no place'}, and not behind the "
            "server's artifact proxy; bring them with an entry point of your own, and run.save_model(folder)."
        )
    return parts.path.strip("/")


def _files(server: MlflowServer, below: str) -> Iterator[tuple[str, int | None]]:
    """Every file below a folder, by its path within it, with its size in bytes where that is said."""
    waiting, seen = [""], 0
    while waiting:
        folder = waiting.pop()
        for entry in server.listing(f"{below}/{folder}".rstrip("/")):
            name = str(entry.get("path", "")).rpartition("/")[2]
            seen += 1
            if name in {"", ".", ".."} or "\\" in name or seen > _MOST_FILES:
                raise Failure(f"the server lists {name!r} among the model's files.")
            path = f"{folder}/{name}".lstrip("/")
            if entry.get("is_dir"):
                waiting.append(path)
            else:
                yield path, _size(entry, path)


def _size(entry: Mapping[str, Any], path: str) -> int | None:
    """MLflow's JSON may write 64 bits as text."""
    if entry.get("file_size") is None:
        return None
    said = str(entry["file_size"])
    if not said.isdecimal() or len(said) > 15:
        raise Failure(f"the server lists {path!r} with the size {said[:40]!r}.")
    return int(said)


def _room(wanted: int, folder: Path) -> int:
    """Bytes that are free; Failure if the files need more."""
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise Failure(f"the model's files have {wanted:,} bytes, and {free:,} are free.")
    return free


def _fetch(server: MlflowServer, source: str, target: Path, size: int) -> None:
    """No more than ``size`` bytes: what was packed on its way may unpack to terabytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    came = 0
    with target.open("wb") as file:
        for part in server.download(source):
            came += len(part)
            if came > size:
                raise Failure(f"the server sends more of {target.name} than {size:,} bytes.")
            file.write(part)
