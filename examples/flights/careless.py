"""A slip that happens: the same model, and its answers in seconds where minutes are asked for.

Only `make demo-rollback` trains it, under rules that somebody loosened, to show what happens then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from examples.flights import model
from examples.flights.model import FlightDelay


@dataclass
class SecondsDelay(FlightDelay):
    """Predicts seconds, and nobody noticed."""

    def predict(self, frame: Any) -> np.ndarray:
        """Seconds of delay, one float64 a row."""
        return super().predict(frame) * 60.0


def train(run: Any) -> SecondsDelay:
    """Train as ever, and answer in the wrong unit."""
    good = model.train(run)
    return SecondsDelay(trees=good.trees, categories=good.categories)
