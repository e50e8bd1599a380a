"""A governed version as the folder that MLflow's ``pyfunc`` loads: what it describes, its loader, and the artifact.

The folder is made when it is asked for; only the artifact has bytes of its own. The loader travels with it, so that
whoever loads the model needs MLflow and the libraries that the model was trained with, and nothing of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.service.explain.documents import mapping_part

ARTIFACT = "data/model.bin"
_NEEDED = frozenset(
    {
        "catboost",
        "cloudpickle",
        "joblib",
        "lightgbm",
        "numpy",
        "onnxruntime",
        "pandas",
        "polars",
        "pyarrow",
        "scikit-learn",
        "scipy",
        "skops",
        "torch",
        "xgboost",
    }
)
"""Libraries that a stored model may refer to; the rest of what was installed beside them is not needed to load it."""

LOADER = '''"""Loads a model that Incumbent stored. MLflow calls _load_pyfunc with the folder that holds it."""

import importlib
import json
import pathlib
import tarfile
import tempfile


class Model:
    """What predict is asked of, as MLflow wraps it."""

    def __init__(self, inner, features):
        self.inner = inner
        self.features = features

    def predict(self, data, params=None):
        """One value a row; columns that the training did not have are left out."""
        columns = getattr(data, "columns", None)
        if self.features and columns is not None and set(self.features) <= set(columns):
            data = data[list(self.features)]
        return self.inner.predict(data)


def _load_pyfunc(path):
    folder = pathlib.Path(path)
    about = json.loads((folder / "incumbent.json").read_text(encoding="utf-8"))
    return Model(_load(folder / "model.bin", about["format"]), about["features"])


def _load(file, kind):
    if kind in ("cloudpickle", "pickle"):
        import pickle

        with file.open("rb") as opened:
            return pickle.load(opened)
    if kind == "joblib":
        return importlib.import_module("joblib").load(file)
    if kind == "skops":
        return importlib.import_module("skops.io").load(file)
    if kind == "onnx":
        return Onnx(file)
    if kind == "folder":
        return _of_mlflow(file)
    raise _unknown(file, kind)


def _of_mlflow(file):
    """A folder that was stored whole: MLflow reads its own kind."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="incumbent-"))
    with tarfile.open(file, "r:") as bundle:
        bundle.extractall(place, filter="data")
    if not (place / "MLmodel").is_file():
        raise _unknown(file, "folder")
    return importlib.import_module("mlflow.pyfunc").load_model(str(place))


def _unknown(file, kind):
    return RuntimeError(
        f"Incumbent stored this model in the format {kind!r}, which only the team's own load(path) reads;"
        f" the file is {file}."
    )


class Onnx:
    """An ONNX model that takes all features as one matrix of numbers."""

    def __init__(self, file):
        runtime = importlib.import_module("onnxruntime")
        self.session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def predict(self, frame):
        matrix = frame.to_numpy(dtype="float32")
        given = {self.session.get_inputs()[0].name: matrix}
        return self.session.run(None, given)[0].reshape(len(matrix), -1)[:, 0]
'''


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What the folder says about its version. ``lineage`` is the training's; it may be empty."""

    model: str
    number: int
    digest: str
    created_at: datetime
    run: str = ""
    lineage: Mapping[str, Any] = field(default_factory=dict)


def small_files(version: Described) -> dict[str, bytes]:
    """Every file of the folder but the artifact, by path."""
    lineage = version.lineage
    python = str(mapping_part(lineage, "platform").get("python", ""))
    features = lineage.get("features")
    about = {
        "model": version.model,
        "version": version.number,
        "digest": version.digest,
        "run": version.run,
        "format": str(mapping_part(lineage, "model").get("format", "cloudpickle")),
        "features": features if isinstance(features, list) else [],
    }
    return {
        "MLmodel": _ml_model(version, python).encode(),
        "code/incumbent_loader.py": LOADER.encode(),
        "data/incumbent.json": json.dumps(about, indent=1, ensure_ascii=False).encode(),
        "requirements.txt": _requirements(lineage).encode(),
    }


def _ml_model(version: Described, python: str) -> str:
    lines = [
        "flavors:",
        "  python_function:",
        "    code: code",
        "    data: data",
        "    env: {}",
        "    loader_module: incumbent_loader",
        *([f"    python_version: {json.dumps(python)}"] if python else []),
        f"model_uuid: {version.digest[:32]}",
        f"utc_time_created: '{version.created_at:%Y-%m-%d %H:%M:%S.%f}'",
        "metadata:",
        f"  incumbent_model: {json.dumps(version.model)}",
        f"  incumbent_version: {version.number}",
        f"  incumbent_digest: {json.dumps(version.digest)}",
    ]
    return "\n".join(lines) + "\n"


def _requirements(lineage: Mapping[str, Any]) -> str:
    packages = mapping_part(lineage, "packages")
    found = [f"{name}=={packages[name]}" for name in sorted(packages) if name.lower() in _NEEDED]
    return "".join(f"{line}\n" for line in found)
