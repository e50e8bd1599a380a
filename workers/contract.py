"""What a training function is given: ``def train(run): ...``. The whole contract, and no more than it.

    def train(run):
        frame = run.pandas()                     # or run.arrow(), run.polars(): the training rows, labels included
        model = fit(frame[list(run.features)], frame[run.target], **run.params, seed=run.seed)
        run.log_metric("mae", 14.2, step=10)
        run.progress(10, 100)
        run.log_artifact("figure.png")
        return model                             # anything with predict(frame), or: run.save_model("model.onnx")

The rows that will judge the model are not among them.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.failure import Failure

if TYPE_CHECKING:
    import pyarrow as pa

    from workers.snapshot import Split


class EventPipe:
    """The pipe to the worker: one JSON object a line. Where there is none (a try by hand) nothing is sent."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def from_environment(cls) -> EventPipe:
        text = os.environ.get("INCUMBENT_EVENTS_FD")
        return cls(int(text) if text else None)

    def send(self, **event: Any) -> None:
        if self._descriptor is None:
            return
        line = memoryview(json.dumps(event).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]


class TrainingData:
    """The training rows: features, target, time and key. Whichever form is asked for is made once and kept."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._frames: dict[str, Any] = {}
        self.form = "pandas"
        """The form that was asked for last: the model will be asked for predictions in the same one."""

    def arrow(self) -> pa.Table:
        """As a :class:`pyarrow.Table`."""
        return self._as("arrow", lambda: self._table)

    def pandas(self) -> Any:
        """As a :class:`pandas.DataFrame`."""
        return self._as("pandas", self._table.to_pandas)

    def polars(self) -> Any:
        """As a :class:`polars.DataFrame`; polars must be installed beside the training code."""
        return self._as("polars", lambda: _polars().from_arrow(self._table))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._table.column_names)

    def _as(self, form: str, make: Callable[[], Any]) -> Any:
        self.form = form
        if form not in self._frames:
            self._frames[form] = make()
        return self._frames[form]


def to_form(table: pa.Table, form: str) -> Any:
    """``table`` as a pandas or Polars frame, or itself."""
    if form == "polars":
        return _polars().from_arrow(table)
    return table if form == "arrow" else table.to_pandas()


def _polars() -> Any:
    try:
        return importlib.import_module("polars")
    except ImportError as error:
        raise Failure(
            "polars is not installed where the worker runs: install it beside the worker."
        ) from error


class TrainingRun:
    """One training, as its function sees it."""

    def __init__(
        self, split: Split, order: Mapping[str, Any], folder: Path, events: EventPipe
    ) -> None:
        self.data = TrainingData(split.training)
        self.features: tuple[str, ...] = split.features
        self.target: str = order["target"]
        self.time: str | None = order["time"]
        self.key: str | None = order["key"]
        self.params: dict[str, Any] = dict(order["params"])
        self.seed: int = order["seed"]
        self.search: Mapping[str, Any] | None = order["search"]
        self.id: str = order["run"]
        self.model: str = order["model"]
        self.folder = folder
        """A folder of this run's own, for whatever is needed while it lasts; it is removed afterwards."""
        self.saved: Path | None = None
        self.metrics: dict[str, tuple[float, int]] = {}
        self.artifacts: dict[str, str] = {}
        self._events = events
        self._steps: dict[str, int] = {}

    def arrow(self) -> pa.Table:
        """The training rows as a :class:`pyarrow.Table`."""
        return self.data.arrow()

    def pandas(self) -> Any:
        """The training rows as a :class:`pandas.DataFrame`."""
        return self.data.pandas()

    def polars(self) -> Any:
        """The training rows as a :class:`polars.DataFrame`."""
        return self.data.polars()

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record ``value`` of the metric ``name``; without ``step`` each call counts one on.

        A value that is no number is recorded as such. If the last one of a metric is, the run fails: a training
        that has diverged is no challenger.
        """
        number = float(value)
        at = self._steps.get(name, -1) + 1 if step is None else int(step)
        self._steps[name] = at
        self.metrics[name] = (number, at)
        told = number if math.isfinite(number) else str(number)
        self._events.send(metric=name, value=told, step=at)

    def progress(self, done: float, total: float) -> None:
        """``done`` of ``total``, in whatever unit."""
        if total > 0:
            self._events.send(progress=min(max(done / total, 0.0), 1.0))

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file with the run, under its own name or ``name``. It is copied now."""
        source = Path(path)
        kept = name or source.name
        if not source.is_file():
            raise FileNotFoundError(f"log_artifact: {source} is not a file")
        if "/" in kept or kept in self.artifacts:
            raise ValueError(f"log_artifact: {kept!r} is taken or has a slash; give another name")
        target = self.folder / "artifacts" / kept
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
        self.artifacts[kept] = str(target)

    def save_model(self, path: str | Path) -> None:
        """Hand over a model that the training wrote itself: a file, or a folder that is stored whole."""
        source = Path(path)
        if not source.exists():
            raise FileNotFoundError(f"save_model: {source} is not there")
        self.saved = source.resolve()


def last_metrics(metrics: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """The last value of each metric; Failure where one is no number: a training that diverged is no challenger."""
    for name, (value, step) in metrics.items():
        if not math.isfinite(value):
            raise Failure(
                f"metric {name} is {value} at its last step ({step}): the training diverged or had no data for it."
            )
    return {name: value for name, (value, _) in metrics.items()}
