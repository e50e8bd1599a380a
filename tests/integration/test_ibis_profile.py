"""One expression, the same counts: DuckDB and a real PostgreSQL against the profile from the files.

Local Spark as well in `make test-long`, where pyspark is installed (`pip install 'ibis-framework[pyspark]'`, and a
Java 17): it takes two minutes. Without them it is skipped, and says so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ibis = pytest.importorskip("ibis", reason="the extra ibis is not installed")

from controller.domain.errors import Unavailable, UserError  # noqa: E402
from controller.domain.layouts import Layout  # noqa: E402
from controller.domain.profiles import ColumnProblem, ColumnProfile, Profile  # noqa: E402
from controller.evidence.drift import compare  # noqa: E402
from workers.profiles import BatchData, make_layout, make_profile  # noqa: E402
from workers.profiles.ibis_profile import make_ibis_profile  # noqa: E402

# ibis 12 calls functions that DuckDB 2 and pandas 3 have deprecated; Spark leaves its sockets to the collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ENGINES = ["duckdb", "postgres", pytest.param("spark", marks=pytest.mark.long)]


def pick(rng: np.random.Generator, values: list[str | None], n: int) -> list[str | None]:
    return [values[at] for at in rng.integers(0, len(values), size=n)]


def rows(seed: int, n: int = 3000) -> pa.Table:
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random(n) < 0.02, np.nan, rng.normal(size=n))
    numbers[:3] = [np.inf, -np.inf, 1e200]
    start = datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    moments = [start + timedelta(minutes=int(m)) for m in rng.integers(0, 10**6, size=n)]
    return pa.table(
        {
            "normal": pa.array(numbers, mask=rng.random(n) < 0.05),
            "heavy": rng.lognormal(sigma=4, size=n),
            "zeros": np.where(rng.random(n) < 0.4, 0.0, rng.lognormal(size=n)),
            "whole": rng.integers(-50, 5000, size=n),
            "few": rng.choice([0.1, 0.2, 0.7], size=n),
            "category": pick(rng, ["a", "b", "it's", 'say "x"', None], n),
            "many": [f"c{i}" for i in rng.zipf(1.5, size=n) % 3000],
            "flag": rng.random(n) < 0.3,
            "moment": moments,
            "day": [m.date() for m in moments],
            "text": [f"{i:x}" for i in rng.integers(0, 10**12, size=n)],
        }
    )


@pytest.fixture(scope="module")
def reference() -> pa.Table:
    return rows(1)


@pytest.fixture(scope="module")
def layout(reference) -> Layout:
    return make_layout(BatchData(table=reference))


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    builder = sql.SparkSession.builder.master("local[1]")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(params=ENGINES)
def connection(request) -> Iterator[Any]:
    if request.param == "duckdb":
        found = ibis.duckdb.connect()
        yield found
        found.disconnect()
        return
    if request.param == "spark":
        session = request.getfixturevalue(
            "spark"
        )  # skips first: the attribute itself needs pyspark
        yield ibis.pyspark.connect(session)
        return
    server = request.getfixturevalue("postgres_server")
    database = server.create()
    found = ibis.postgres.connect(
        host="127.0.0.1", port=server.port, user="incumbent", database=database
    )
    yield found
    found.disconnect()
    server.drop(database)


@pytest.fixture
def load(tmp_path) -> Callable[[Any, pa.Table, str], Any]:
    return functools.partial(_load, tmp_path)


def _load(scratch: Path, connection: Any, table: pa.Table, name: str) -> Any:
    if connection.name == "duckdb":
        connection.con.register("loaded", table)
        connection.con.execute(f"CREATE TABLE {name} AS SELECT * FROM loaded")
        return connection.table(name)
    if connection.name == "pyspark":
        path = scratch / f"{name}.parquet"
        pq.write_table(table, path, coerce_timestamps="us")
        return connection.read_parquet(path)
    return connection.create_table(name, table)


def portable(column: ColumnProfile) -> ColumnProfile:
    """What every engine computes alike; sums are compared apart."""
    return replace(column, sketch=None, examples=(), total=0.0, squares=0.0)


def assert_same(found: Profile, expected: Profile) -> None:
    assert found.rows == expected.rows
    for one, other in zip(found.columns, expected.columns, strict=True):
        assert portable(one) == portable(other)
        assert one.total == pytest.approx(other.total, rel=1e-9)


def test_the_engine_counts_what_duckdb_counts_from_files(load, connection, reference, layout):
    for seed, name in ((1, "reference"), (2, "batch")):
        table = rows(seed)
        found = make_ibis_profile(load(connection, table, name), layout)
        assert_same(found, make_profile(BatchData(table=table), layout))


def test_the_profiles_can_be_compared_and_added(load, connection, reference, layout):
    before = make_profile(BatchData(table=reference), layout)
    now = make_ibis_profile(load(connection, rows(3), "third"), layout)
    assert compare(layout, before, now).verdict.value == "ok"
    assert before.merge(now).rows == 6000


def test_an_empty_table_is_a_profile_of_zeros(load, connection, reference, layout):
    found = make_ibis_profile(load(connection, reference.slice(0, 0), "empty"), layout)
    assert found.rows == 0
    assert all(sum(column.bins) == 0 for column in found.columns)


def test_missing_changed_and_new_columns_are_told(load, connection, layout):
    table = pa.table({"normal": ["a", "b"], "whole": [1, 2], "fresh": [1.0, 2.0]})
    found = make_ibis_profile(load(connection, table, "changed"), layout)
    assert found.by_name["normal"].problem is ColumnProblem.TYPE_CHANGED
    assert found.by_name["normal"].invalid == 2
    assert found.by_name["heavy"].problem is ColumnProblem.MISSING
    assert [name for name, _ in found.extra] == ["fresh"]


def test_a_table_of_another_model_is_refused(load, connection, layout):
    with pytest.raises(UserError, match="none of the expected columns"):
        make_ibis_profile(load(connection, pa.table({"z": [1]}), "other"), layout)


def test_an_engine_that_goes_away_is_unavailable(load, layout, reference):
    connection = ibis.duckdb.connect()
    table = load(connection, reference, "gone")
    connection.con.execute("DROP TABLE gone")
    with pytest.raises(Unavailable, match="the engine did not count the table"):
        make_ibis_profile(table, layout)


def test_dates_are_days_of_the_week_on_every_engine(load, connection):
    table = pa.table({"day": [date(2024, 1, 1) + timedelta(days=i) for i in range(10)]})
    layout = make_layout(BatchData(table=table))
    found = make_ibis_profile(load(connection, table, "days"), layout)
    assert found.by_name["day"].bins == (2, 2, 2, 1, 1, 1, 1)
