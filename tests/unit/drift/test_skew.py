"""Row by row: what serving saw against what training computes for the same key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.evidence.inputs import Unusable
from controller.evidence.skew import row_skew

TRAINING: dict[str, Any] = {
    "id": [1, 2, 3, 4],
    "x": [1.0, 2.0, np.nan, 4.0],
    "g": ["a", "b", "c", None],
    "t": [1, 2, 3, 4],
}


def test_equal_rows_in_another_order_have_no_skew():
    serving = {name: list(reversed(column)) for name, column in TRAINING.items()}
    found = row_skew(TRAINING, serving, key="id")
    assert found.matched == 4
    assert [feature.rate for feature in found.features] == [0.0, 0.0, 0.0]


def test_the_rate_of_mismatch_is_by_feature_with_examples():
    serving = {
        "id": [2, 3, 4, 9],
        "x": [2.0 + 1e-9, 5.0, 4.4, 0.0],
        "g": ["b", "C", None, "z"],
        "t": ["2", "3", "4", "9"],
    }
    found = row_skew(TRAINING, serving, key="id")
    rates = {feature.feature: feature.mismatches for feature in found.features}
    assert rates == {"x": 2, "g": 1, "t": 0}
    assert (found.matched, found.only_training, found.only_serving) == (3, 1, 1)
    assert found.features[1].examples == (("3", "c", "C"),)
    assert found.features[0].rate == pytest.approx(2 / 3)


def test_no_common_key_gives_no_rate():
    found = row_skew(TRAINING, {"id": [7], "x": [1.0]}, key="id", features=["x"])
    assert found.features[0].rate is None


def test_features_that_one_side_lacks_are_named():
    assert row_skew(TRAINING, {"id": [1], "x": [1.0]}, key="id").missing_features == ("g", "t")


@pytest.mark.parametrize(
    ("serving", "message"),
    [
        ({"x": [1.0]}, "the serving log have no key column 'id'"),
        ({"id": [1, 1], "x": [1.0, 2.0]}, "not unique in the serving log: 1 comes more than once"),
        ({"id": [1, None], "x": [1.0, 2.0]}, "missing from a row of the serving log"),
        ({"id": [1, 2], "x": [1.0]}, "has 1 values for 2 keys"),
    ],
    ids=["no key", "a key twice", "a key missing", "lengths"],
)
def test_tables_that_cannot_be_joined_are_refused(serving, message):
    with pytest.raises(Unusable, match=message):
        row_skew(TRAINING, serving, key="id", features=["x"])
