"""Turns what a worker hands over into clean arrays, or says in one sentence why it cannot.

Every way in which predictions, labels, weights or blocks can be wrong ends here, before
any statistic: a wrong input must give a sentence, and can never give a pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

import numpy as np
import numpy.typing as npt

from controller.domain.errors import UserError
from controller.domain.metrics import Metric, MetricKind, PredictionType
from controller.evidence.losses import Array

AnyArray = npt.NDArray[Any]

_WHOSE: Final = {
    "challenger": "The challenger's predictions",
    "reference": "The reference's predictions",
}


class Unusable(UserError):
    """The input cannot be turned into evidence; the message is the sentence to show."""

    code = "evidence_unusable"

    def __init__(
        self, message: str, *, dropped_labels: int = 0, dropped_predictions: int = 0
    ) -> None:
        super().__init__(message)
        self.dropped_labels = dropped_labels
        self.dropped_predictions = dropped_predictions


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """Columns of the same holdout rows as they come: arrays or lists, unchecked."""

    y_true: Any
    challenger: Any
    reference: Any | None = None
    weights: Any | None = None
    blocks: Any | None = None
    classes: Any | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Clean columns: labels and predictions as floats, or as class codes 0..classes-1."""

    y: AnyArray
    challenger: AnyArray
    reference: AnyArray | None
    weights: Array
    block: npt.NDArray[np.int64] | None
    classes: int = 0
    weighted: bool = False
    dropped_labels: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Rows that count."""
        return len(self.y)

    @property
    def units(self) -> int:
        """What can be resampled: blocks where there are any, else rows."""
        return self.n if self.block is None else int(self.block.max()) + 1 if self.n else 0


def prepare_inputs(metric: Metric, raw: RawRows) -> Rows:
    """Check and convert; raises `Unusable` with the sentence to show.

    Rows without a label are dropped and counted. A row without a prediction is an error: a
    model that does not answer on hard rows must not look better for it.
    """
    if raw.y_true is None or raw.challenger is None:
        raise Unusable("There are no labels or no predictions of the challenger.")
    columns = {
        name: _array(name, getattr(raw, name))
        for name in ("y_true", "challenger", "reference", "weights", "blocks")
        if getattr(raw, name) is not None
    }
    _check_lengths(columns)
    missing = _missing(columns["y_true"])
    kept = ~missing
    if "weights" in columns:
        kept &= _weights(columns["weights"]) > 0
    if not kept.any():
        raise Unusable(
            "No row of the holdout has a label." if missing.any() else _EMPTY,
            dropped_labels=int(missing.sum()),
        )
    chosen = {name: column[kept] for name, column in columns.items()}
    _check_predictions(chosen, int(missing.sum()))
    if chosen["y_true"].ndim > 1:
        chosen["y_true"] = _one_column("The labels", chosen["y_true"])
    rows = Rows(
        y=chosen["y_true"],
        challenger=chosen["challenger"],
        reference=chosen.get("reference"),
        weights=_weights(chosen["weights"]) if "weights" in chosen else np.ones(int(kept.sum())),
        block=_codes_of(chosen["blocks"]) if "blocks" in chosen else None,
        weighted="weights" in chosen,
        dropped_labels=int(missing.sum()),
    )
    if metric.kinds & {MetricKind.BINARY, MetricKind.MULTICLASS}:
        return _classified(metric, rows, raw.classes)
    return _numeric(metric, rows)


_EMPTY: Final = "The holdout is empty: no row to judge on."


def _array(name: str, values: Any) -> AnyArray:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise Unusable(f"{_title(name)} cannot be read as an array: {error}.") from error
    if array.ndim == 0:
        raise Unusable(f"{_title(name)} must be one value a row, not a single value.")
    if np.ma.isMaskedArray(values):
        array = array.astype(object)
        array[np.ma.getmaskarray(values)] = None
    if name not in _WHOSE and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return array


def _title(name: str) -> str:
    plain = {"y_true": "The labels", "weights": "The weights", "blocks": "The blocks"}
    return _WHOSE.get(name) or plain[name]


def _check_lengths(columns: dict[str, AnyArray]) -> None:
    rows = len(columns["y_true"])
    for name, column in columns.items():
        if len(column) != rows:
            raise Unusable(f"{_title(name)} have {len(column)} rows and the labels have {rows}.")
    if rows == 0:
        raise Unusable(_EMPTY)


def _missing(column: AnyArray) -> npt.NDArray[np.bool_]:
    """Which rows hold None, NaN or NaT (any of them, in two dimensions)."""
    if column.dtype.kind in "fc":
        gone = np.isnan(column)
    elif column.dtype.kind in "mM":
        gone = np.isnat(column)
    elif column.dtype.kind == "O":
        gone = np.asarray(np.frompyfunc(_is_missing, 1, 1)(column), dtype=bool)
    else:
        gone = np.zeros(column.shape, dtype=bool)
    return np.asarray(gone if gone.ndim == 1 else gone.reshape(len(column), -1).any(axis=1))


def _is_missing(value: object) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124  NaN, NaT and their like differ from themselves
    except (TypeError, ValueError):
        return True  # pandas.NA: neither equal nor different


def _check_predictions(columns: dict[str, AnyArray], dropped: int) -> None:
    for name in ("challenger", "reference"):
        column = columns.get(name)
        if column is None:
            continue
        bad = _missing(column)
        if column.dtype.kind in "fc":
            infinite = ~np.isfinite(column)
            bad |= infinite if infinite.ndim == 1 else infinite.any(axis=1)
        if bad.any():
            raise Unusable(
                f"{_WHOSE[name]} are missing, NaN or infinite on {int(bad.sum()):,} of {len(bad):,} rows.",
                dropped_labels=dropped,
                dropped_predictions=int(bad.sum()),
            )


def _weights(column: AnyArray) -> Array:
    weights = _floats("The weights", _one_column("The weights", column))
    if not np.all(np.isfinite(weights)) or bool((weights < 0).any()):
        raise Unusable("The weights must be finite and not negative.")
    if not bool((weights > 0).any()):
        raise Unusable("All weights are zero: no row counts.")
    return weights


def _floats(title: str, column: AnyArray) -> Array:
    """A column of numbers as float64, shape kept; strings, dates and the like are refused."""
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    if column.dtype.kind == "O":
        flat = column.reshape(-1)
        if not any(isinstance(value, (str, bytes, complex)) for value in flat):
            try:
                return np.array([float(value) for value in flat]).reshape(column.shape)
            except (TypeError, ValueError, OverflowError):
                pass
    found = _type_name(column)
    raise Unusable(f"{title} must be numbers; found {found}.")


def _type_name(column: AnyArray) -> str:
    kinds = {"U": "text", "S": "bytes", "M": "times", "m": "durations", "c": "complex numbers"}
    if column.dtype.kind in kinds:
        return kinds[column.dtype.kind]
    return f"values of type {type(column.reshape(-1)[0]).__name__}"


def _one_column(title: str, column: AnyArray) -> AnyArray:
    if column.ndim == 2 and column.shape[1] == 1:
        return column[:, 0]
    if column.ndim != 1:
        raise Unusable(f"{title} must have one value a row; found the shape {column.shape}.")
    return column


def _numeric(metric: Metric, rows: Rows) -> Rows:
    y = _floats("The labels", rows.y)
    if not np.all(np.isfinite(y)):
        raise Unusable(f"{int((~np.isfinite(y)).sum()):,} labels are infinite.")
    sides = {
        name: _finite(name, _floats(_WHOSE[name], _one_column(_WHOSE[name], side)))
        for name, side in (("challenger", rows.challenger), ("reference", rows.reference))
        if side is not None
    }
    _check_range(metric, y, sides)
    return replace(rows, y=y, challenger=sides["challenger"], reference=sides.get("reference"))


def _finite(name: str, column: Array) -> Array:
    if not np.all(np.isfinite(column)):
        raise Unusable(f"{_WHOSE[name]} contain infinite values.")
    return column


def _check_range(metric: Metric, y: Array, sides: dict[str, Array]) -> None:
    """Labels and predictions for which the metric is not defined."""
    if metric.name == "mape" and bool((y == 0).any()):
        zeros = int((y == 0).sum())
        raise Unusable(
            f"MAPE is undefined where the label is 0 ({zeros:,} rows): use wape or smape."
        )
    if metric.name in {"msle", "rmsle"}:
        _at_least(metric, -1.0, strict=True, columns={"labels": y, **sides})
    if metric.name == "poisson_deviance":
        _at_least(metric, 0.0, strict=False, columns={"labels": y})
        _at_least(metric, 0.0, strict=True, columns=sides)


def _at_least(metric: Metric, bound: float, *, strict: bool, columns: dict[str, Array]) -> None:
    for name, column in columns.items():
        if bool((column <= bound if strict else column < bound).any()):
            whose = _WHOSE.get(name, "The labels")
            word = "above" if strict else "at least"
            raise Unusable(f"{whose} must be {word} {bound:g} for {metric.name}.")


# --- classification -------------------------------------------------------------------------


def _classified(metric: Metric, rows: Rows, classes: Any | None) -> Rows:
    match metric.prediction:
        case PredictionType.LABEL:
            rows = _to_labels(metric, rows, classes)
        case PredictionType.PROBABILITY | PredictionType.SCORE:
            rows = _to_scores(metric, rows, classes)
        case PredictionType.VALUE | PredictionType.NONE:
            raise Unusable(f"{metric.name} reads no classes.")
        case _:
            assert_never(metric.prediction)
    if metric.kinds == {MetricKind.BINARY} and rows.classes > 2:
        raise Unusable(f"{metric.name} is for two classes; the labels have {rows.classes}.")
    return rows


def _to_labels(metric: Metric, rows: Rows, classes: Any | None) -> Rows:
    notes = list(rows.notes)
    sides = [side for side in (rows.challenger, rows.reference) if side is not None]
    if any(side.ndim > 1 or _fractional(side) for side in sides):
        coded = _to_scores(metric, rows, classes)
        notes.append("Probabilities were turned into classes: the likeliest one, at 0.5 for two.")
        labelled = [
            None if s is None else _likeliest(s) for s in (coded.challenger, coded.reference)
        ]
        return replace(
            coded,
            challenger=labelled[0],  # type: ignore[arg-type]
            reference=labelled[1],
            notes=(*coded.notes, *notes),
        )
    columns = [
        _one_column("The labels", rows.y),
        *(_one_column("The predictions", s) for s in sides),
    ]
    known = _classes(np.concatenate(_alike(columns)), classes)
    codes = [_lookup(column, known, "A label or prediction") for column in _alike(columns)]
    return replace(
        rows,
        y=codes[0],
        challenger=codes[1],
        reference=codes[2] if rows.reference is not None else None,
        classes=len(known),
        notes=(*notes, *_positive_note(metric, known)),
    )


def _fractional(column: AnyArray) -> bool:
    return bool(column.dtype.kind == "f" and (column != np.rint(column)).any())


def _likeliest(scores: AnyArray) -> AnyArray:
    return scores.argmax(axis=1) if scores.ndim == 2 else (scores >= 0.5).astype(np.int64)


def _to_scores(metric: Metric, rows: Rows, classes: Any | None) -> Rows:
    labels = _alike([_one_column("The labels", rows.y)])[0]
    sides = {
        name: _floats(_WHOSE[name], side)
        for name, side in (("challenger", rows.challenger), ("reference", rows.reference))
        if side is not None
    }
    columns = {side.shape[1] for side in sides.values() if side.ndim == 2}
    if len(columns) > 1:
        raise Unusable("The two models give probabilities of different numbers of classes.")
    width = columns.pop() if columns else 1
    if width > 2 and classes is None and labels.dtype.kind in "biuf":
        classes = np.arange(width)
    known = _classes(labels, classes)
    if width == 1 and len(known) > 2:
        raise Unusable(
            f"{metric.name} of {len(known)} classes needs one column of probabilities a class."
        )
    if width > 1 and width != len(known):
        raise Unusable(
            f"The probabilities have {width} columns and there are {len(known)} classes."
        )
    scores = {name: _scores(metric, name, side, width) for name, side in sides.items()}
    return replace(
        rows,
        y=_lookup(labels, known, "A label"),
        challenger=scores["challenger"],
        reference=scores.get("reference"),
        classes=len(known),
        notes=(*rows.notes, *_positive_note(metric, known)),
    )


def _scores(metric: Metric, name: str, side: Array, width: int) -> Array:
    if side.ndim > 2:
        raise Unusable(f"{_WHOSE[name]} must have one or two dimensions.")
    if width == 2 and side.ndim == 2:
        side = side[:, 1]
    elif side.ndim == 2 and width == 1:
        side = side[:, 0]
    side = _finite(name, side)
    if metric.prediction is PredictionType.SCORE:
        return side
    if bool((side < 0).any() or (side > 1).any()):
        raise Unusable(f"{_WHOSE[name]} must be probabilities between 0 and 1 for {metric.name}.")
    if side.ndim == 2 and bool((np.abs(side.sum(axis=1) - 1.0) > 1e-3).any()):
        raise Unusable(f"{_WHOSE[name]} must sum to 1 in every row.")
    return side


def _alike(columns: list[AnyArray]) -> list[AnyArray]:
    """The columns in one comparable type: all numbers, or all text."""
    kinds = {_sort(column) for column in columns}
    if kinds == {"numbers"}:
        return [_floats("The labels", column) for column in columns]
    if kinds == {"text"}:
        return [column.astype(str) for column in columns]
    found = " and ".join(sorted(kinds))
    raise Unusable(f"Labels and predictions must be of one type, numbers or text; found {found}.")


def _sort(column: AnyArray) -> str:
    if column.dtype.kind in "biuf":
        return "numbers"
    if column.dtype.kind == "U":
        return "text"
    if column.dtype.kind == "O":
        types = {type(value) for value in column}
        if all(issubclass(kind, str) for kind in types):
            return "text"
        if all(issubclass(kind, (int, float, np.number, np.bool_)) for kind in types):
            return "numbers"
        return " and ".join(sorted(kind.__name__ for kind in types))
    return _type_name(column)


def _classes(values: AnyArray, given: Any | None) -> AnyArray:
    found = np.unique(values)
    if given is not None:
        return _alike([np.asarray(given)])[0]
    if found.dtype.kind == "f" and np.isin(found, (0.0, 1.0)).all():
        return np.array([0.0, 1.0])
    if len(found) > 10_000:
        raise Unusable(f"{len(found):,} different labels: this looks like a number, not a class.")
    return found


def _lookup(column: AnyArray, known: AnyArray, what: str) -> npt.NDArray[np.int64]:
    order = np.argsort(known, kind="stable")
    try:
        place = np.minimum(np.searchsorted(known[order], column), len(known) - 1)
    except (TypeError, ValueError) as error:
        raise Unusable(f"{what} is of another type than the classes.") from error
    codes = order[place]
    strange = known[codes] != column
    if bool(np.any(strange)):
        raise Unusable(f"{what} is none of the classes: {column[strange][0]}.")
    return np.asarray(codes, dtype=np.int64)


def _positive_note(metric: Metric, known: AnyArray) -> tuple[str, ...]:
    if metric.kinds != {MetricKind.BINARY} or len(known) != 2 or known.dtype.kind == "f":
        return ()
    return (f"The positive class is {known[1]!s}.",)


def _codes_of(column: AnyArray) -> npt.NDArray[np.int64]:
    """Blocks as codes 0..b-1, in the order of their sorted names."""
    if _missing(column).any():
        raise Unusable("Some rows have no block: each row must belong to a day or a group.")
    if column.ndim != 1:
        raise Unusable("The blocks must be one value a row.")
    if column.dtype.kind == "O":
        column = column.astype(str)
    return np.unique(column, return_inverse=True)[1].astype(np.int64)
