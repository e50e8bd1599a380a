"""A scorer: reads a model that a training saved as a file with an ending of its own, `run.save_model("m.table")`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Table:
    """A weight for each column, and what is added at the end under the name of no column."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights

    def predict(self, frame: Any) -> Any:
        """One number a row, (rows,); ``frame`` has the columns that the model was trained on."""
        weighted = (frame[name] * w for name, w in self.weights.items() if name)
        return sum(weighted) + self.weights.get("", 0.0)


def load(path: Path) -> Table:
    """The model in the file, as an object with ``predict`` (and ``predict_proba``, where it has probabilities)."""
    return Table(json.loads(path.read_text()))
