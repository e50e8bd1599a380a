"""Rows made into profiles, for the tests of drift: the real layout and the real counting."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from controller.domain.drift import ColumnDrift, DriftReport
from controller.domain.layouts import Layout
from controller.domain.profiles import Profile
from controller.evidence.drift import DriftOptions, compare_profiles
from workers.profiles import BatchData, make_layout, make_profile


def profiled(reference: dict[str, Any], *batches: dict[str, Any]) -> tuple[Layout, list[Profile]]:
    """The layout of the reference, and the profiles of it and of the batches."""
    layout = make_layout(BatchData(table=pa.table(reference)))
    return layout, [
        make_profile(BatchData(table=pa.table(rows)), layout) for rows in (reference, *batches)
    ]


def report(
    reference: dict[str, Any], batch: dict[str, Any], options: DriftOptions | None = None
) -> DriftReport:
    layout, (before, now) = profiled(reference, batch)
    return compare_profiles(layout, before, now, options)


def drift_of(reference: Any, batch: Any, options: DriftOptions | None = None) -> ColumnDrift:
    """The comparison of one column."""
    return report({"x": reference}, {"x": batch}, options).column("x")
