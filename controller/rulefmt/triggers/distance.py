"""What the sections of drift and skew share: a distance of two distributions of a column."""

from __future__ import annotations

from typing import Any, TypedDict

from controller.domain.drift import DriftMetric
from controller.rulefmt.schema.vocabulary import COLUMN
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.triggers.base import SeriesFormat
from controller.rulefmt.types import ChoiceType, ListOf, NumberType

DISTANCES = tuple(metric.value for metric in DriftMetric)
"""Distances of two profiles that a trigger may name."""


def distance_section(
    title: str,
    doc: str,
    metrics: tuple[str, ...],
    held: tuple[Key, ...],
    more: tuple[Key, ...] = (),
) -> Section:
    """The keys of a trigger on a distance; ``held`` says how long it must hold, ``more`` what it alone has."""
    return Section(
        title=title,
        doc=doc,
        keys=(
            Key(
                name="metric",
                type=ChoiceType(metrics),
                doc="The distance of the two distributions of a column.",
                example="jensen_shannon",
                default="psi",
            ),
            Key(
                name="above",
                type=NumberType(0),
                doc="The threshold.",
                example="0.2",
                default_says="where the column's verdict is an alert (docs/reference/drift.md)",
            ),
            Key(
                name="columns",
                type=ListOf(COLUMN, least=1, unique=True),
                doc="The columns that are looked at; one above the threshold is enough.",
                example="[distance, carrier]",
                default_says="all features",
            ),
            *held,
            *more,
        ),
    )


class Distance(TypedDict):
    """The fields of a :class:`controller.policy.triggers.distance.DistanceTrigger`."""

    metric: str
    above: float | None
    columns: tuple[str, ...] | None


def read_distance(section: Values) -> Distance:
    """What both kinds say of the distance."""
    return {
        "metric": section["metric"],
        "above": None if section["above"] is None else float(section["above"]),
        "columns": section["columns"],
    }


def distance_series(key: str) -> SeriesFormat:
    """Columns that are measured at the same step come in one signal."""

    def fill(payload: dict[str, Any], series: Values, value: float) -> None:
        columns = payload.setdefault("columns", {})
        columns.setdefault(series[key], {})[series["distance"]] = value

    return SeriesFormat(fill=fill, is_merged=True)
