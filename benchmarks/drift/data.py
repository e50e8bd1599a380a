"""Seeded Parquet files: 15 numbers (normal, lognormal, Pareto, whole, with nulls), 5 categories."""

from __future__ import annotations

from pathlib import Path

import duckdb

NORMAL = "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"
NUMBERS = (
    NORMAL,
    f"exp({NORMAL})",
    "pow(1 - random(), -1 / 2.5)",
    "floor(random() * 1000)::BIGINT",
    f"CASE WHEN random() < 0.02 THEN NULL ELSE 10 + 3 * {NORMAL} END",
)
CATEGORIES = (2, 20, 100, 1000, 5000)
NUMERIC = [f"x{i}" for i in range(15)]
CATEGORICAL = [f"g{i}" for i in range(len(CATEGORIES))]


def write(path: Path, rows: int, seed: float) -> None:
    """``rows`` rows; the same seed gives the same file."""
    columns = [f"{NUMBERS[i % 5]} AS x{i}" for i in range(15)]
    columns += [
        f"'c' || floor(pow(random(), 2) * {size})::INTEGER AS g{i}"
        for i, size in enumerate(CATEGORIES)
    ]
    connection = duckdb.connect(config={"threads": 1, "memory_limit": "2GB"})
    connection.execute(f"SELECT setseed({seed})")
    connection.execute(
        f"COPY (SELECT {', '.join(columns)} FROM range({rows})) TO '{path}' (FORMAT parquet)"
    )
    connection.close()
