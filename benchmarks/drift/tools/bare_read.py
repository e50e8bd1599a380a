"""DuckDB reads every column of the batch and adds it up."""

import sys

import duckdb
from measured import measured

NUMERIC = [f"x{i}" for i in range(15)]
CATEGORICAL = [f"g{i}" for i in range(5)]


def work():
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "400MB"})
    connection.execute("SET enable_external_file_cache = false")
    sums = [f"sum({c})" for c in NUMERIC] + [f"sum(strlen({c}))" for c in CATEGORICAL]
    connection.execute(f"SELECT {', '.join(sums)} FROM '{sys.argv[2]}'").fetchall()
    connection.close()


measured(work, int(sys.argv[3]))
