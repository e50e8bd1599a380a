"""10,000 undrifted batches of eight columns: how often each rule alarms, per column and per report.

`python -m benchmarks.drift.false_alarms [--batches N]`
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.report import publish, table
from benchmarks.drift.rules import COLUMN_RULES, Prepared, prepare, profiles
from controller.domain.drift import DriftVerdict
from controller.evidence.drift import compare_profiles

REFERENCE = 20_000
SIZES = {500: 0.5, 2_000: 0.35, 10_000: 0.13, 100_000: 0.02}
"""Rows of a batch, and the share of the batches that have them."""
KEPT = 50
"""Batches for each draw of the reference."""
OURS = {"Incumbent, alert": DriftVerdict.ALERT, "Incumbent, warn or alert": DriftVerdict.WARN}
CATEGORIES = (2, 20, 500, 5000)


def draw(generator: np.random.Generator, rows: int) -> dict[str, NDArray[Any]]:
    """Rows of the eight columns, always of the same distributions."""
    found: dict[str, NDArray[Any]] = {
        "normal": generator.normal(size=rows),
        "lognormal": generator.lognormal(size=rows),
        "Pareto 1.5": generator.pareto(1.5, size=rows),
        "5 % null": np.where(generator.random(rows) < 0.05, np.nan, generator.normal(size=rows)),
    }
    for size in CATEGORIES:
        share = 1 / np.arange(1, size + 1) ** 0.5
        found[f"{size:,} categories"] = generator.choice(size, size=rows, p=share / share.sum())
    return found


def run(batches: int) -> tuple[Counter[tuple[str, int, str]], Counter[int]]:
    """Alarms by (rule, size, column or "report"), and batches by size."""
    generator = np.random.default_rng(13)
    alarms: Counter[tuple[str, int, str]] = Counter()
    seen: Counter[int] = Counter()
    columns: list[Prepared] = []
    for number in range(batches):
        if number % KEPT == 0:
            drawn = draw(generator, REFERENCE)
            columns = [prepare(name, rows, number) for name, rows in drawn.items()]
        size = int(generator.choice(list(SIZES), p=list(SIZES.values())))
        batch = draw(generator, size)
        seen[size] += 1
        report = compare_profiles(*profiles(columns, list(batch.values())))
        for verdict, title in (
            (DriftVerdict.ALERT, "Incumbent, alert"),
            (DriftVerdict.WARN, "Incumbent, warn or alert"),
        ):
            hit = [c.column for c in report.columns if c.verdict in (verdict, DriftVerdict.ALERT)]
            alarms.update((title, size, name) for name in (*hit, *(["report"] if hit else [])))
        for title, rule in COLUMN_RULES.items():
            hit = [c.name for c in columns if rule(c.rows, batch[c.name])]
            alarms.update((title, size, name) for name in (*hit, *(["report"] if hit else [])))
    return alarms, seen


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=10_000)
    batches = parser.parse_args().batches
    alarms, seen = run(batches)
    rules = [*OURS, *COLUMN_RULES]
    names = list(draw(np.random.default_rng(0), 10))

    def rates(name: str, sizes: list[int]) -> list[str]:
        total = max(sum(seen[size] for size in sizes), 1)
        return [f"{sum(alarms[rule, size, name] for size in sizes) / total:.2%}" for rule in rules]

    by_column = [[name, *rates(name, list(SIZES))] for name in names]
    by_size = [
        [f"{size:,} rows ({seen[size]:,} batches)", *rates("report", [size])] for size in SIZES
    ]
    every = ["**all reports**", *rates("report", list(SIZES))]
    publish(
        "false_alarms",
        "False alarms",
        f"{batches:,} undrifted batches of 8 columns, against references of {REFERENCE:,} rows ({KEPT} batches each). "
        "The stated rate is 1 % per report (Benjamini-Hochberg at q = .01). A report alarms if any column does.\n\n"
        + table(["reports with an alarm", *rules], [*by_size, every])
        + "\n\n"
        + table(["columns with an alarm", *rules], by_column),
    )


if __name__ == "__main__":
    main()
