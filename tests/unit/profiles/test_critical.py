"""Whose verdicts make that of a batch."""

from __future__ import annotations

import pyarrow as pa
import pytest

from controller.domain.rules import DataSection
from workers.evaluate_batches import critical_columns
from workers.profiles import BatchData, make_layout

LAYOUT = make_layout(
    BatchData(table=pa.table({"id": ["a", "b"], "t": [1, 2], "x": [1.0, 2.0], "y": [0.0, 1.0]}))
)


@pytest.mark.parametrize(
    ("section", "critical"),
    [
        ({"features": ("x",)}, ("x", "y")),
        ({"key": "id", "time": "t"}, ("x", "y")),
        ({}, ("id", "t", "x", "y")),
        ({"features": ("gone",), "target": "also_gone"}, None),
    ],
    ids=["features and target", "all but key and time", "all", "none of them is there"],
)
def test_critical_columns_are_those_that_the_policy_means(section, critical):
    data = DataSection(**({"source": "data", "target": "y"} | section))
    assert critical_columns(data, LAYOUT) == critical
