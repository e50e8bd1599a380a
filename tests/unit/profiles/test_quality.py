"""Expectations: what breaks them is counted and shown; what cannot be checked has not passed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from controller.domain.canonical import to_plain
from controller.domain.codec import load_plain
from controller.domain.errors import UserError
from controller.domain.quality import QualityReport, SchemaChangeKind
from controller.domain.rules import Expectation
from workers.profiles import BatchData, make_layout, make_profile
from workers.quality import check_and_profile, check_batch, schema_changes

NOW = datetime(2013, 3, 1, tzinfo=UTC)
ROWS = pa.table(
    {
        "id": [1, 2, 3, 4, 4],
        "carrier": ["UA", "AA", None, "ZZ", "UA"],
        "distance": [100.0, -5.0, float("nan"), 9000.0, None],
        "at": pa.array([datetime(2013, 2, day, tzinfo=UTC) for day in (1, 2, 3, 4, 26)]),
        "late": [True, False, None, True, False],
        "nested": [[1], [2], None, [], [3]],
    }
)


def check(column: str | None, name: str, value: Any, rows: pa.Table = ROWS):
    expectation = Expectation(column=column, check=name, value=value, line=7)
    return check_batch(BatchData(table=rows), [expectation], now=NOW).results[0]


PASSING = [
    ("carrier", "max_null_rate", 0.2),
    ("distance", "max_null_rate", 0.4),
    ("distance", "min", -5),
    ("distance", "max", 9000),
    ("carrier", "allowed", ["UA", "AA", "ZZ"]),
    ("id", "allowed", [1, 2, 3, 4]),
    ("late", "allowed", [True, False]),
    ("carrier", "unique", False),
    ("at", "unique", True),
    ("at", "max_age", timedelta(days=4)),
    ("at", "max_age", 4 * 86400),
    ("at", "min", datetime(2013, 2, 1, tzinfo=UTC)),
    ("id", "type", "integer"),
    ("distance", "type", "number"),
    ("distance", "type", "double"),
    ("carrier", "type", "text"),
    ("late", "type", "boolean"),
    ("at", "type", "timestamp"),
    (None, "min_rows", 5),
    (None, "max_rows", 5),
    (None, "sql", "id > 0 AND \"at\" >= TIMESTAMP '2013-01-01'"),
]


@pytest.mark.parametrize(("column", "name", "value"), PASSING)
def test_what_holds_passes(column, name, value):
    found = check(column, name, value)
    assert found.passed, found.message
    assert found.rows == 5


BROKEN = [
    ("carrier", "max_null_rate", 0.0, 1, "1 of 5 values are missing (20.00%)"),
    ("distance", "max_null_rate", 0.1, 2, "2 of 5 values are missing"),
    ("distance", "min", 0, 1, "1 of 5 rows are below 0"),
    ("distance", "max", 5000, 1, "1 of 5 rows are above 5000"),
    ("carrier", "allowed", ["UA", "AA"], 1, "1 of 5 rows are none of UA, AA"),
    ("id", "allowed", [1, 2], 3, "3 of 5 rows are none of 1, 2"),
    ("id", "unique", True, 1, "1 values come more than once (1 rows too many)"),
    ("at", "max_age", timedelta(days=1), None, "the newest value is 3 days"),
    ("at", "max", datetime(2013, 2, 20, tzinfo=UTC), 1, "1 of 5 rows are above"),
    ("carrier", "type", "number", None, "the type is VARCHAR, number expected"),
    (None, "min_rows", 6, None, "5 rows, at least 6 expected"),
    (None, "max_rows", 4, None, "5 rows, at most 4 expected"),
    (None, "sql", "distance > 0 OR distance IS NULL", 1, "1 of 5 rows do not fulfil"),
    (None, "sql", "carrier IN ('UA', 'AA', 'ZZ')", 1, "1 of 5 rows do not fulfil"),
]


@pytest.mark.parametrize(("column", "name", "value", "failing", "message"), BROKEN)
def test_what_is_broken_is_counted(column, name, value, failing, message):
    found = check(column, name, value)
    assert not found.passed
    assert found.failing == failing
    assert message in found.message
    assert found.line == 7


NOT_COMPUTED = [
    ("carrier", "min", 0, "carrier is VARCHAR, no number to compare with 0"),
    ("carrier", "max_age", 60, "carrier is VARCHAR, no time"),
    ("distance", "min", NOW, "distance is DOUBLE, no time to compare"),
    ("altitude", "min", 0, "the batch has no column 'altitude'"),
    ("carrier", "allowed", [], "the list of allowed values is empty"),
    (None, "sql", "speed > 3", "cannot be computed"),
    (None, "sql", "1) ; DROP TABLE x; SELECT (1", "not one expression"),
    (None, "sql", "id >", "cannot be computed"),
]


@pytest.mark.parametrize(("column", "name", "value", "message"), NOT_COMPUTED)
def test_what_cannot_be_computed_has_not_passed(column, name, value, message):
    found = check(column, name, value)
    assert not found.passed
    assert message in found.message
    assert "\n" not in found.message


@pytest.mark.parametrize(
    ("column", "name", "value"), [("x", "mean", 3), (None, "unique", True), ("id", "min_rows", 1)]
)
def test_a_check_that_does_not_exist_is_refused(column, name, value):
    with pytest.raises(UserError, match="there is no check"):
        check(column, name, value)


def test_examples_are_rows_that_break_the_check():
    found = check("distance", "min", 0)
    assert found.examples[0]["id"] == "2"
    assert found.examples[0]["distance"] == "-5.0"
    twice = check("id", "unique", True)
    assert twice.examples == ({"value": "4", "times": "2"},)


def test_examples_are_few_and_short():
    found = check("x", "allowed", ["a"], pa.table({"x": ["b" * 10_000] * 50}))
    assert len(found.examples) == 5
    assert len(found.examples[0]["x"] or "") == 80


def test_a_batch_without_rows_breaks_no_row_but_min_rows():
    empty = ROWS.slice(0, 0)
    assert check("distance", "min", 0, empty).passed
    assert check("carrier", "max_null_rate", 0, empty).passed
    assert not check(None, "min_rows", 1, empty).passed
    assert not check("at", "max_age", 60, empty).passed


def test_a_column_that_some_files_lack_is_null_there(tmp_path):
    pq.write_table(ROWS.select(["id", "carrier"]), tmp_path / "a.parquet")
    pq.write_table(ROWS.select(["id"]), tmp_path / "b.parquet")
    expectation = Expectation(column="carrier", check="max_null_rate", value=0.5)
    found = check_batch(BatchData.of(tmp_path), [expectation], now=NOW)
    assert (found.rows, found.results[0].failing, found.passed) == (10, 6, False)


def test_quality_and_profile_come_from_one_scan(tmp_path):
    path = tmp_path / "batch.csv"
    path.write_text("x,g\n" + "".join(f"{i},a\n" for i in range(100)))
    data = BatchData.of(path)
    layout = make_layout(data)
    expectation = Expectation(column="x", check="max", value=98)
    report, profile = check_and_profile(data, [expectation], now=NOW, layout=layout)
    assert (report.passed, report.results[0].failing) == (False, 1)
    assert profile == make_profile(data, layout)
    assert report.schema_changes == ()


def test_a_changed_schema_is_told():
    layout = make_layout(BatchData(table=pa.table({"a": [1], "b": ["x"], "c": [1.0], "d": [1]})))
    now = pa.table({"a": pa.array([1], pa.int8()), "b": [2], "d": [1], "e": [True]})
    found = check_batch(BatchData(table=now), [], now=NOW, layout=layout)
    assert found.passed
    assert [(c.kind, c.column, c.harmless) for c in found.schema_changes] == [
        (SchemaChangeKind.TYPE_CHANGED, "a", True),
        (SchemaChangeKind.TYPE_CHANGED, "b", False),
        (SchemaChangeKind.REMOVED, "c", False),
        (SchemaChangeKind.ADDED, "e", False),
    ]
    assert found.schema_changes[1].sentence() == "the column 'b' changed from VARCHAR to BIGINT"


def test_a_time_zone_that_appears_is_a_change_that_matters():
    found = schema_changes({"t": "TIMESTAMP"}, {"t": "TIMESTAMP WITH TIME ZONE"})
    assert not found[0].harmless


def test_a_report_survives_json():
    found = check_batch(
        BatchData(table=ROWS), [Expectation(column="id", check="unique", value=True)], now=NOW
    )
    assert load_plain(QualityReport, json.loads(json.dumps(to_plain(found)))) == found
