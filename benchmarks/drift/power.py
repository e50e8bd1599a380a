"""What each rule finds: shifts, nulls, unseen values, mass between categories, a shift behind an outlier.

`python -m benchmarks.drift.power [--batches N]`
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.report import publish, table
from benchmarks.drift.rules import COLUMN_RULES, prepare, profiles
from controller.domain.drift import DriftVerdict
from controller.evidence.drift import compare_profiles

REFERENCE = 20_000
Draw = Callable[[np.random.Generator, int], NDArray[Any]]


def normal(shift: float, scale: float = 1.0) -> Draw:
    """Normal rows."""
    return lambda g, n: g.normal(shift, scale, size=n)


def nulls(share: float) -> Draw:
    """Normal rows, of which a share is missing."""
    return lambda g, n: np.where(g.random(n) < share, np.nan, g.normal(size=n))


def categories(moved: float = 0.0, unseen: float = 0.0) -> Draw:
    """Twenty equal categories: ``moved`` of the mass goes from the first half to the second."""

    def draw(g: np.random.Generator, n: int) -> NDArray[Any]:
        weights = np.repeat([(1 - 2 * moved) / 20, (1 + 2 * moved) / 20], 10)
        rows = g.choice(20, size=n, p=weights)
        return np.where(g.random(n) < unseen, 20, rows)

    return draw


def outlier(shift: float) -> Draw:
    """A shift, and one value of 1e9 that stretches every bin of equal width."""

    def draw(g: np.random.Generator, n: int) -> NDArray[Any]:
        rows = g.normal(shift, size=n)
        rows[0] = 1e9
        return rows

    return draw


CHANGES: dict[str, tuple[Draw, Draw]] = {
    "none": (normal(0), normal(0)),
    **{
        f"normal, mean + {shift} σ": (normal(0), normal(shift))
        for shift in (0.1, 0.2, 0.3, 0.5, 1.0)
    },
    "normal, σ x 1.5": (normal(0), normal(0, 1.5)),
    "lognormal x 1.2": (lambda g, n: g.lognormal(size=n), lambda g, n: 1.2 * g.lognormal(size=n)),
    "nulls 0 to 5 %": (nulls(0), nulls(0.05)),
    "nulls 0 to 90 %": (nulls(0), nulls(0.9)),
    "unseen category, 2 %": (categories(), categories(unseen=0.02)),
    "5 % of mass between categories": (categories(), categories(moved=0.05)),
    "20 % of mass between categories": (categories(), categories(moved=0.2)),
    "one outlier alone": (normal(0), outlier(0)),
    "+ 0.5 σ with the outlier in the reference": (outlier(0), normal(0.5)),
}


def rates(change: str, size: int, batches: int) -> list[str]:
    """The share of batches on which each rule alarms."""
    before, now = CHANGES[change]
    generator = np.random.default_rng([size, *change.encode()])
    hits = np.zeros(2 + len(COLUMN_RULES))
    for number in range(batches):
        column = prepare("x", before(generator, REFERENCE), number)
        rows = now(generator, size)
        verdict = compare_profiles(*profiles([column], [rows])).verdict
        found = [verdict is DriftVerdict.ALERT, verdict in (DriftVerdict.ALERT, DriftVerdict.WARN)]
        hits += [*found, *(rule(column.rows, rows) for rule in COLUMN_RULES.values())]
    return [f"{share:.0%}" for share in hits / batches]


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=100)
    batches = parser.parse_args().batches
    header = ["change", "rows", "Incumbent, alert", "Incumbent, warn or alert", *COLUMN_RULES]
    rows = [
        [change, f"{size:,}", *rates(change, size, batches)]
        for change in CHANGES
        for size in (1_000, 10_000)
    ]
    publish(
        "power",
        "Power",
        f"Share of {batches} batches on which a rule alarms; each against a new reference of {REFERENCE:,} rows. In "
        "'none' and 'one outlier alone' an alarm is false. Thresholds are effects: a mean moved by 0.1 σ is "
        "below ours on purpose, and a warning from about 0.15 σ, an alert from about 0.28 σ on.\n\n"
        + table(header, rows),
    )


if __name__ == "__main__":
    main()
