"""The smallest project: a training that fits a line, a policy over its data, and deliveries of data."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TRAINING = """
import numpy as np


class Line:
    def __init__(self, slope, start):
        self.slope, self.start = slope, start

    def predict(self, frame):
        return self.slope * frame["x"].to_numpy() + self.start


def train(run):
    frame = run.pandas()
    return Line(*np.polyfit(frame["x"], frame["y"], 1))
"""
POLICY = """\
version: 1
model: tiny
data: {source: "data/*.parquet", target: y, features: [x], holdout: {fraction: 0.2, min_rows: 10}}
train: {entrypoint: "tiny:train"}
triggers:
  - TRIGGER
promote:
  - {metric: mae, better_than: champion}
"""


def lay_out(folder: Path, trigger: str) -> None:
    """The project's files below ``folder``; ``trigger`` is the policy's only one."""
    (folder / "rules").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "tiny.py").write_text(TRAINING)
    (folder / "rules" / "tiny.yaml").write_text(POLICY.replace("TRIGGER", trigger))


def deliver(folder: Path, name: str, slope: int) -> None:
    """Another file of 400 rows, there at once and whole."""
    x = [float(i * 37 % 101) for i in range(400)]
    rows = pa.table({"x": x, "y": [slope * value + i % 7 for i, value in enumerate(x)]})
    pq.write_table(rows, folder / name)
    (folder / name).rename(folder / "data" / name)
