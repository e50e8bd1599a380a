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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workers.failure import Failure

if TYPE_CHECKING:
    from controller.adapters.mlflow.client import MlflowServer
    from workers.contract import TrainingRun

_MOST_FILES = 10_000
_SECONDS = 60.0
_PICKLES = frozenset({"cloudpickle", "pickle"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What the policy names. ``token_file`` is where the worker finds the server's token, if it wants one."""

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
        if not named or not whole or set(params) - {*known, "token_file"}:
            raise Failure(
                "params must be server (mlflow://host:5000), model (text) and version (a number), and token_file where "
                f"the server wants a token; found {', '.join(sorted(params)) or 'none'}."
            )
        return cls(**known, token_file=str(params.get("token_file") or ""))  # type: ignore[arg-type]


def train(run: TrainingRun) -> None:
    """Bring the version's files and hand them over as the model; Failure says what is missing."""
    from controller.adapters.mlflow.client import MlflowServer
    from controller.domain.errors import IncumbentError

    wanted = _Wanted.of(run.params)
    token = Path(wanted.token_file).read_text().strip() if wanted.token_file else None
    try:
        server = MlflowServer(wanted.server, token, _SECONDS)
        below = _below(server, wanted)
        target = run.folder / "from-mlflow"
        files = sorted(_files(server, below))
        if "MLmodel" not in files:
            raise Failure(
                f"{wanted.model} version {wanted.version} at {wanted.server} has no file MLmodel."
            )
        for done, name in enumerate(files, 1):
            _fetch(server, f"{below}/{name}", target / name)
            run.progress(done, len(files))
    except IncumbentError as error:
        raise Failure(error.sentence()) from error
    run.save_model(target)


def load_model(path: Path) -> Any:
    """The model in a folder of MLflow, as an object with ``predict``."""
    try:
        pyfunc = importlib.import_module("mlflow.pyfunc")
    except ModuleNotFoundError:
        return _without_mlflow(path)
    return pyfunc.load_model(str(path))


def _without_mlflow(path: Path) -> Any:
    import yaml

    held = yaml.safe_load((path / "MLmodel").read_text(encoding="utf-8"))
    flavors = held.get("flavors") if isinstance(held, dict) else None
    known = flavors if isinstance(flavors, dict) else {}
    ours = known.get("sklearn") or {}
    file = path / str(ours.get("pickled_model") or "")
    if ours.get("serialization_format") not in _PICKLES or not file.is_file():
        raise Failure(
            f"a model of MLflow's with the flavors {', '.join(sorted(known)) or 'none'} needs the package mlflow "
            "beside the worker."
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


def _files(server: MlflowServer, below: str) -> Iterator[str]:
    """Every file below a folder, by its path within it."""
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
                yield path


def _fetch(server: MlflowServer, source: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for part in server.download(source):
            file.write(part)
