"""What a comparison of two profiles says: distances by column, verdicts, and the thresholds behind them.

Workers fill these shapes (``controller.evidence.drift``); they travel in the payload of a drift
signal, so that a decision carries the same numbers that a person is shown. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.domain.errors import NotFound

MIN_ROWS = 500
"""Below this many rows on either side nothing is said about drift: "not enough data"."""

FALSE_DISCOVERY_RATE = 0.01
"""Of the columns called significant. Where nothing drifted it is the chance of any alarm in a report."""


class DriftVerdict(StrEnum):
    """The answer for a column or a data set."""

    OK = "ok"
    WARN = "warn"
    ALERT = "alert"
    NOT_ENOUGH_DATA = "not_enough_data"


class DriftMetric(StrEnum):
    """The distances. All but ``chi2`` are effects: they do not grow with the number of rows.

    ``null_rate`` is the change of the share of rows that are null or NaN, up or down;
    ``unseen_rate`` is the share of values never seen before, beyond what the reference foretells.
    """

    JENSEN_SHANNON = "jensen_shannon"
    PSI = "psi"
    HELLINGER = "hellinger"
    KS = "ks"
    TOTAL_VARIATION = "total_variation"
    WASSERSTEIN = "wasserstein"
    CRAMERS_V = "cramers_v"
    CHI2 = "chi2"
    NULL_RATE = "null_rate"
    UNSEEN_RATE = "unseen_rate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """From where on a metric is worth a warning or an alert, and why there."""

    metric: DriftMetric
    warn: float
    alert: float
    reason: str


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold(
        metric=DriftMetric.JENSEN_SHANNON,
        warn=0.05,
        alert=0.10,
        reason="the distance (nats) of two normals whose means differ by 0.14 and 0.28 deviations",
    ),
    Threshold(
        metric=DriftMetric.PSI,
        warn=0.10,
        alert=0.25,
        reason="the custom of credit scoring; a normal mean moved by 0.32 and 0.5 deviations",
    ),
    Threshold(
        metric=DriftMetric.KS,
        warn=0.05,
        alert=0.10,
        reason="a normal mean moved by 0.13 and 0.25 deviations; for ordered values only",
    ),
    Threshold(
        metric=DriftMetric.WASSERSTEIN,
        warn=0.10,
        alert=0.25,
        reason="values moved by that share of the reference's interquartile range",
    ),
    Threshold(
        metric=DriftMetric.TOTAL_VARIATION,
        warn=0.05,
        alert=0.10,
        reason="the share of rows that would have to change their bin",
    ),
    Threshold(
        metric=DriftMetric.NULL_RATE,
        warn=0.02,
        alert=0.02,
        reason="two points up or down; an alert only if the rate doubled or halved as well",
    ),
    Threshold(
        metric=DriftMetric.UNSEEN_RATE,
        warn=0.005,
        alert=0.01,
        reason="the model has learned nothing of these values; beyond what the reference's singletons foretell",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedBin:
    """A bin and its share of the rows before and now."""

    label: str
    reference: float
    current: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDrift:
    """One column compared. A metric that does not apply, or lacks data, is not in ``values``.

    ``values`` are debiased: what two samples of these sizes would show without any drift is
    subtracted. ``significant`` is the verdict of Benjamini and Hochberg over all columns.
    ``firing`` are the metrics over their thresholds, ``reasons`` the sentences for people.
    """

    column: str
    kind: str
    verdict: DriftVerdict
    reference_rows: int
    rows: int
    values: Mapping[str, float]
    p_value: float | None = None
    significant: bool = False
    firing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    moved: tuple[MovedBin, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport:
    """A batch (or a window of batches) compared with its reference.

    The verdict is that of the ``critical`` columns; it never is a share of the columns.
    """

    verdict: DriftVerdict
    reference_rows: int
    rows: int
    layout: str
    critical: tuple[str, ...]
    columns: tuple[ColumnDrift, ...]
    reasons: tuple[str, ...] = ()
    false_discovery_rate: float = FALSE_DISCOVERY_RATE

    def column(self, name: str) -> ColumnDrift:
        """The comparison of one column.

        Raises:
            NotFound: the report has no such column.
        """
        for found in self.columns:
            if found.column == name:
                return found
        raise NotFound(f"the drift report has no column {name!r}")


def worst_verdict(verdicts: Sequence[DriftVerdict]) -> DriftVerdict:
    """An alert outweighs a warning, which outweighs missing data, which outweighs calm."""
    for verdict in (DriftVerdict.ALERT, DriftVerdict.WARN, DriftVerdict.NOT_ENOUGH_DATA):
        if verdict in verdicts:
            return verdict
    return DriftVerdict.OK if verdicts else DriftVerdict.NOT_ENOUGH_DATA
