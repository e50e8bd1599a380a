"""Models as files: how a returned object is stored, and how one is loaded again. Only children do either.

A returned object is stored with cloudpickle, and the modules of the user's own code go into the file by value: the
version stays what was trained, whatever happens to the code afterwards. A model that the training saved itself keeps
its own format (ONNX, safetensors, skops, a folder …); ``load(path)`` beside the training function reads it if we
cannot. Unpickling runs code, so it happens in a child process of a worker and nowhere else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from controller.adapters.plugins import PluginGroup, find_plugin, installed
from controller.domain.errors import ConfigurationError
from workers.failure import Failure, described
from workers.plugins import load_plugin

PICKLED = "cloudpickle"
_BY_ENDING = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".skops": "skops",
    ".joblib": "joblib",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".json": "json",
    ".txt": "text",
    ".bin": "binary",
}


def store_object(model: Any, target: Path, code: Path) -> None:
    """Write ``model`` to ``target``; Failure names what cannot be pickled."""
    import cloudpickle
    from cloudpickle import cloudpickle as inside

    # A class that goes into the file is named at random otherwise, and equal trainings would differ in their digest.
    inside._get_or_create_tracker_id = _stable_name  # noqa: SLF001
    for module in list(sys.modules.values()):
        if _is_users(module, code):
            cloudpickle.register_pickle_by_value(module)
    try:
        with target.open("wb") as file:
            cloudpickle.dump(model, file)
    except OSError:
        raise
    except Exception as error:
        raise Failure(
            f"the model (a {type(model).__name__}) cannot be stored: {described(error)}; "
            "save it yourself with run.save_model(path)."
        ) from error


def _stable_name(kind: type) -> str:
    """A name for a class: from where it is and what its file says, so that another state of the code has another."""
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    source = Path(file).read_bytes() if file and Path(file).is_file() else b""
    place = f"{kind.__module__}:{kind.__qualname__}:".encode()
    return hashlib.sha256(place + source).hexdigest()[:32]


def store_saved(saved: Path, target: Path) -> str:
    """Bring a model that the user saved to ``target``; its format. A folder becomes a tar, equal for equal content."""
    if saved.is_dir():
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as bundle:
            for path in sorted(saved.rglob("*")):
                bundle.add(
                    path, arcname=str(path.relative_to(saved)), recursive=False, filter=_anonymous
                )
        return "folder"
    with saved.open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(1 << 20):
            copy.write(chunk)
    return _BY_ENDING.get(saved.suffix.lower()) or _scorer_of(saved.suffix.lower())


def _scorer_of(ending: str) -> str:
    """The name of the plugin that says it reads files with this ending; ``file`` where none does."""
    scorers = [one for one in installed() if one.group is PluginGroup.SCORERS and not one.problem]
    return next((one.name for one in scorers if ending in one.facts.get("endings", ())), "file")


def load_model(path: Path, lineage: Mapping[str, Any], code: Path) -> Any:
    """The model in ``path`` as an object with ``predict``; Failure with one sentence if that cannot be had."""
    kind = lineage.get("model", {}).get("format", PICKLED)
    entrypoint = lineage.get("entrypoint")
    if kind == PICKLED:
        return _unpickled(path, code)
    loader = _users_loader(entrypoint, code)
    if loader:
        return loader(unpacked(path) if kind == "folder" else path)
    ours: dict[str, Callable[[Path], Any]] = {
        "joblib": _joblib,
        "pickle": lambda p: _unpickled(p, code),
        "onnx": _Onnx,
        "skops": _skops,
    }
    plugin = None if kind in ours else find_plugin(PluginGroup.SCORERS, kind)
    if plugin is not None:
        try:
            return load_plugin(plugin).load(path)
        except ConfigurationError as error:
            raise Failure(error.message.rstrip(".")) from error
    if kind not in ours:
        raise Failure(
            f"a model of the format {kind!r} needs a function load(path) beside {entrypoint or 'the training'}, "
            "or a scorer: a plugin of this name."
        )
    return ours[kind](path)


def find_function(entrypoint: str, code: Path) -> Callable[..., Any]:
    """The function that ``module:function`` or ``path/to/file.py:function`` names, imported from ``code``."""
    place, _, name = entrypoint.partition(":")
    name = name or "train"
    module = _module(place, code)
    found = getattr(module, name, None)
    if not callable(found):
        has = ", ".join(
            n for n in vars(module) if not n.startswith("_") and callable(getattr(module, n))
        )
        raise Failure(f"{place} has no function {name}; it has {has or 'none'}.")
    return found  # type: ignore[no-any-return]


def _module(place: str, code: Path) -> ModuleType:
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name and (place == error.name or place.startswith(error.name + ".")):
                raise Failure(
                    f"the entry point's module {place} is not in {code}: name it as module:function, "
                    "seen from the folder that the worker runs in (INCUMBENT_CODE)."
                ) from error
            raise Failure(f"{place} cannot be imported: {error}.") from error
        except Exception as error:
            raise Failure(f"{place} cannot be imported: it raised {described(error)}.") from error
    path = code / place
    if not path.is_file():
        raise Failure(f"the entry point's file {place} is not in {code}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Failure(f"{place} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Failure(f"{place} cannot be imported: it raised {described(error)}.") from error
    return module


def _users_loader(entrypoint: str | None, code: Path) -> Callable[..., Any] | None:
    if not entrypoint:
        return None
    loader = getattr(_module(entrypoint.partition(":")[0], code), "load", None)
    return loader if callable(loader) else None


def _is_users(module: Any, code: Path) -> bool:
    """Whether a module is the user's own: below the code folder, and neither installed nor ours."""
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    if not file or name.partition(".")[0] in {"__main__", "controller", "workers"}:
        return False
    path = Path(file)
    return (
        path.is_relative_to(code)
        and not {"site-packages", "dist-packages"} & set(path.parts)
        and (not path.is_relative_to(sys.prefix))
    )


def _unpickled(path: Path, code: Path) -> Any:
    import pickle

    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - in a child process, of an artifact whose digest was verified


def _joblib(path: Path) -> Any:
    return importlib.import_module("joblib").load(path)


def _skops(path: Path) -> Any:
    try:
        skops_io = importlib.import_module("skops.io")
    except ImportError as error:
        raise Failure(
            "skops is not installed where the worker runs, so its model cannot be loaded."
        ) from error
    return skops_io.load(path)


class _Onnx:
    """An ONNX model that takes all features as one matrix of numbers."""

    def __init__(self, path: Path) -> None:
        try:
            runtime = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise Failure(
                "onnxruntime is not installed where the worker runs, so an ONNX model cannot be loaded."
            ) from error
        self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def predict(self, frame: Any) -> Any:
        matrix = frame.to_numpy(dtype="float32")
        return self._session.run(None, {self._session.get_inputs()[0].name: matrix})[0].reshape(
            len(matrix), -1
        )[:, 0]


def unpacked(path: Path) -> Path:
    """The folder that a model of the format ``folder`` was stored from.

    Only what :func:`store_saved` writes is read: no compression, so that nothing grows; nothing outside the folder.
    """
    folder = path.with_name(path.name + ".folder")
    try:
        with tarfile.open(path, "r:") as bundle:
            entries = bundle.getmembers()
            if sum(entry.size for entry in entries) > path.stat().st_size:
                raise Failure("its folder says that it unpacks to more than it holds")
            bundle.extractall(folder, entries, filter="data")
    except tarfile.TarError as error:
        raise Failure(f"its folder cannot be unpacked: {error}") from None
    return folder


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owner and time, so that equal content has equal bytes."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry
