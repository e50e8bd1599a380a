"""Training against serving: the same features must have the same values.

Two questions. Do the distributions agree? That is drift between the training profile and the
serving log's (``controller.evidence.drift.compare``). And where a row can be found again by its
key: did serving see what training would have computed? Distributions can agree while every row
is wrong (a join on the wrong day), so both are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from controller.domain.decay import FeatureSkew, SkewReport
from controller.evidence.inputs import Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MISMATCH_EXAMPLES = 3


def row_skew(
    training: Mapping[str, Any],
    serving: Mapping[str, Any],
    *,
    key: str,
    features: Sequence[str] | None = None,
    tolerance: float = 1e-6,
) -> SkewReport:
    """Each feature's rate of rows that differ between two tables (columns by name) with the same key.

    Numbers may differ by ``tolerance``, relative to the larger one; two missing values are equal.

    Raises:
        Unusable: a key is missing from a table, absent in a row, or not unique; or a column has
            another length than its key.
    """
    left, right = (_keys(table, key, side) for table, side in _sides(training, serving))
    common, at_left, at_right = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    wanted = [f for f in training if f != key] if features is None else list(features)
    missing = tuple(f for f in wanted if f not in training or f not in serving)
    found = [
        _compare(
            name,
            common,
            _column(training, name, left.size)[at_left],
            _column(serving, name, right.size)[at_right],
            tolerance,
        )
        for name in wanted
        if name not in missing
    ]
    return SkewReport(
        matched=int(common.size),
        only_training=int(left.size - common.size),
        only_serving=int(right.size - common.size),
        features=tuple(found),
        missing_features=missing,
    )


def _sides(training: Mapping[str, Any], serving: Mapping[str, Any]) -> Any:
    return (training, "the training rows"), (serving, "the serving log")


def _keys(table: Mapping[str, Any], key: str, side: str) -> NDArray[Any]:
    if key not in table:
        raise Unusable(f"{side} have no key column {key!r}.")
    values = np.asarray(table[key])
    if _absent(values).any():
        raise Unusable(f"the key {key!r} is missing from a row of {side}.")
    keys = values.astype(str)
    unique, counts = np.unique(keys, return_counts=True)
    if unique.size != keys.size:
        twice = unique[counts > 1][0]
        raise Unusable(f"the key {key!r} is not unique in {side}: {twice} comes more than once.")
    return keys


def _column(table: Mapping[str, Any], name: str, rows: int) -> NDArray[Any]:
    values = np.asarray(table[name])
    if len(values) != rows:
        raise Unusable(f"the column {name!r} has {len(values)} values for {rows} keys.")
    return values


def _absent(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    if values.dtype == object:
        return np.array([v is None or v != v for v in values], dtype=bool)  # noqa: PLR0124
    return np.zeros(values.shape, dtype=bool)


def _compare(
    name: str, keys: NDArray[Any], left: NDArray[Any], right: NDArray[Any], tolerance: float
) -> FeatureSkew:
    absent_left, absent_right = _absent(left), _absent(right)
    both = ~absent_left & ~absent_right
    differs = absent_left != absent_right
    differs[both] = _differ(left[both], right[both], tolerance)
    wrong = np.flatnonzero(differs)
    return FeatureSkew(
        feature=name,
        rows=int(keys.size),
        mismatches=int(wrong.size),
        rate=float(wrong.size / keys.size) if keys.size else None,
        examples=tuple(
            (str(keys[at]), str(left[at]), str(right[at])) for at in wrong[:MISMATCH_EXAMPLES]
        ),
    )


def _differ(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    try:
        numbers = left.astype(np.float64), right.astype(np.float64)
    except (TypeError, ValueError):
        return np.asarray(left.astype(str) != right.astype(str))
    scale = np.maximum(np.abs(numbers[0]), np.abs(numbers[1]))
    with np.errstate(invalid="ignore"):
        near = np.abs(numbers[0] - numbers[1]) <= tolerance * scale
    return np.asarray(~(near | (numbers[0] == numbers[1])))
