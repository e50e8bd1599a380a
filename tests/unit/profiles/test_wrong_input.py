"""Each input that cannot be used ends in one clear sentence; what can be used in part is counted in part."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from controller.domain.errors import IncumbentError, NotFound, UserError
from controller.domain.profiles import ColumnProblem
from controller.evidence.drift import compare_profiles
from workers.profiles import BatchData, Format, ScanEngine, make_layout, make_profile

ROWS = pa.table({"x": np.arange(1000.0), "g": ["a", "b"] * 500})
TYPES = [pa.float64(), pa.int64(), pa.string(), pa.bool_(), pa.null(), pa.timestamp("us")]


@pytest.fixture(scope="module")
def layout():
    return make_layout(BatchData(table=ROWS))


def test_an_empty_reference_is_refused():
    with pytest.raises(UserError, match="has no rows, so it cannot be a reference"):
        make_layout(BatchData(table=ROWS.slice(0, 0)))


def test_an_empty_batch_is_a_profile_of_zeros(layout):
    found = make_profile(BatchData(table=ROWS.slice(0, 0)), layout)
    assert found.rows == 0
    assert all(column.null_rate is None for column in found.columns)


@pytest.mark.parametrize("rows", [1, 2])
def test_one_row_is_a_reference_and_a_batch(rows):
    data = BatchData(table=ROWS.slice(0, rows))
    assert make_profile(data, make_layout(data)).rows == rows


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_column_of_nulls_is_counted(kind):
    data = BatchData(table=pa.table({"x": pa.array([None] * 50, kind)}))
    found = make_profile(data, make_layout(data)).by_name["x"]
    assert (found.nulls, found.rows, found.problem) == (50, 50, None)


def test_a_batch_whose_column_is_all_null_has_not_changed_its_type(layout):
    batch = pa.table({"x": pa.array([None] * 5, pa.null()), "g": ["a"] * 5})
    found = make_profile(BatchData(table=batch), layout).by_name["x"]
    assert (found.nulls, found.problem) == (5, None)


def test_a_missing_column_is_all_null_and_says_so(layout):
    found = make_profile(BatchData(table=ROWS.select(["x"])), layout).by_name["g"]
    assert (found.problem, found.nulls, found.rows) == (ColumnProblem.MISSING, 1000, 1000)


def test_a_column_that_changes_type_is_counted_where_it_can_be_read(layout):
    batch = pa.table({"x": ["1.5", "2", "many", None], "g": [1, 2, 2, 2]})
    found = make_profile(BatchData(table=batch), layout)
    numbers, codes = found.by_name["x"], found.by_name["g"]
    assert (numbers.problem, numbers.found_type) == (ColumnProblem.TYPE_CHANGED, "VARCHAR")
    assert (sum(numbers.bins), numbers.invalid, numbers.nulls) == (2, 1, 1)
    assert (codes.problem, codes.unseen) == (ColumnProblem.TYPE_CHANGED, 4)


def test_a_boolean_that_becomes_a_number_is_read_as_a_boolean():
    layout = make_layout(BatchData(table=pa.table({"x": [True, False]})))
    found = make_profile(BatchData(table=pa.table({"x": [1, 0, 1]})), layout).by_name["x"]
    assert (found.bins, found.problem) == ((1, 2), ColumnProblem.TYPE_CHANGED)


def test_a_time_zone_that_appears_is_named():
    naive = pa.table({"x": pa.array([0, 1], pa.timestamp("us"))})
    zoned = pa.table({"x": pa.array([0, 1], pa.timestamp("us", tz="UTC"))})
    found = make_profile(BatchData(table=zoned), make_layout(BatchData(table=naive)))
    assert found.by_name["x"].problem is ColumnProblem.TIME_ZONE_CHANGED


def test_mixed_time_zones_in_text_are_read_in_utc(tmp_path):
    path = tmp_path / "zones.csv"
    moments = ["2024-01-01T00:00:00+02:00", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00-03:00"]
    path.write_text("\n".join(["t", *moments]) + "\n")
    data = BatchData.of(path)
    bins = make_profile(data, make_layout(data)).by_name["t"].bins
    assert (bins[22], bins[0], bins[3]) == (1, 1, 1)


def test_a_column_of_two_types_in_one_reference_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": ["u", "v"]}), tmp_path / "b.parquet")
    with pytest.raises(
        UserError, match=r"column 'x' is BIGINT in one file .* VARCHAR in .*b\.parquet"
    ):
        make_layout(BatchData.of(tmp_path))


def test_files_of_one_batch_may_lack_columns(tmp_path, layout):
    pq.write_table(ROWS, tmp_path / "a.parquet")
    pq.write_table(ROWS.select(["x"]), tmp_path / "b.parquet")
    found = make_profile(BatchData.of(tmp_path), layout)
    assert (found.rows, found.batches) == (2000, 1)
    assert found.by_name["g"].nulls == 1000
    assert found.by_name["g"].problem is ColumnProblem.MISSING


def test_a_parquet_file_that_is_cut_is_named(tmp_path, layout):
    pq.write_table(ROWS, tmp_path / "whole.parquet")
    path = tmp_path / "cut.parquet"
    path.write_bytes((tmp_path / "whole.parquet").read_bytes()[:700])
    with pytest.raises(UserError, match=r"cut\.parquet is cut short"):
        make_profile(BatchData.of(path), layout)


def test_a_parquet_file_with_a_broken_page_is_named(tmp_path, layout):
    path = tmp_path / "broken.parquet"
    pq.write_table(ROWS, path, use_dictionary=False, compression="zstd")
    content = bytearray(path.read_bytes())
    content[200:900] = b"\xff" * 700
    path.write_bytes(bytes(content))
    with pytest.raises(IncumbentError, match=r"broken\.parquet") as error:
        make_profile(BatchData.of(path), layout)
    assert "\n" not in error.value.sentence()


def test_an_encrypted_parquet_file_is_named(tmp_path, layout):
    path = tmp_path / "secret.parquet"
    connection = duckdb.connect()
    connection.execute("SET force_mbedtls_unsafe = 'true'")
    connection.execute("PRAGMA add_parquet_key('k', '0123456789112345')")
    options = "FORMAT parquet, ENCRYPTION_CONFIG {footer_key: 'k'}"
    connection.execute(f"COPY (SELECT 1.0 AS x) TO '{path}' ({options})")
    with pytest.raises(UserError, match=r"secret\.parquet is encrypted"):
        make_profile(BatchData.of(path), layout)


@pytest.mark.parametrize("name", ["nothing.parquet", "nothing.csv"])
def test_a_file_that_is_not_there(tmp_path, layout, name):
    with pytest.raises(NotFound, match="does not exist"):
        make_profile(BatchData.of(tmp_path / name), layout)


def test_a_folder_without_data(tmp_path, layout):
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(NotFound, match="holds no data file"):
        make_profile(BatchData.of(tmp_path), layout)


def test_no_file_at_all(layout):
    with pytest.raises(UserError, match="names no file"):
        make_profile(BatchData.of(), layout)


def test_mixed_formats_are_refused(tmp_path, layout):
    pq.write_table(ROWS, tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("x,g\n1,a\n")
    with pytest.raises(UserError, match="mixes formats"):
        make_profile(BatchData.of(tmp_path), layout)


def test_an_unknown_ending_is_refused_and_may_be_explained(tmp_path, layout):
    path = tmp_path / "batch.dat"
    pq.write_table(ROWS, path)
    with pytest.raises(UserError, match="no known ending"):
        make_profile(BatchData.of(path), layout)
    found = make_profile(BatchData(paths=(str(path),), format=Format.PARQUET), layout)
    assert found.rows == 1000


def test_an_empty_csv(tmp_path, layout):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="is empty, not even a header line"):
        make_profile(BatchData.of(tmp_path / "empty.csv"), layout)


def test_a_csv_of_a_header_only(tmp_path, layout):
    (tmp_path / "header.csv").write_text("x,g\n")
    assert make_profile(BatchData.of(tmp_path / "header.csv"), layout).rows == 0


@pytest.mark.parametrize(
    "delimiter", [",", ";", "|", "\t"], ids=["comma", "semicolon", "bar", "tab"]
)
def test_the_delimiter_of_a_csv_is_found_out(tmp_path, layout, delimiter):
    lines = [delimiter.join(("x", "g")), *(delimiter.join((str(i), "a")) for i in range(50))]
    (tmp_path / "b.csv").write_text("\n".join(lines) + "\n")
    found = make_profile(BatchData.of(tmp_path / "b.csv"), layout)
    assert (sum(found.by_name["x"].bins), found.by_name["g"].bins[0]) == (50, 50)


def test_a_csv_read_with_the_wrong_delimiter_says_so(tmp_path, layout):
    (tmp_path / "b.csv").write_text("x;g\n1;a\n2;b\n")
    data = BatchData(paths=(str(tmp_path / "b.csv"),), delimiter=",")
    with pytest.raises(UserError, match="none of the expected columns") as error:
        make_profile(data, layout)
    assert "is the delimiter another one" in error.value.sentence()


def test_a_word_among_the_numbers_of_a_csv_is_invalid_and_the_rest_is_counted(tmp_path, layout):
    lines = ["x,g", *(f"{i},a" for i in range(30_000)), "unknown,b"]
    (tmp_path / "b.csv").write_text("\n".join(lines) + "\n")
    found = make_profile(BatchData.of(tmp_path / "b.csv"), layout).by_name["x"]
    assert (sum(found.bins), found.invalid) == (30_000, 1)
    assert found.problem is ColumnProblem.TYPE_CHANGED


def test_codes_with_leading_zeros_stay_text(tmp_path):
    reference = BatchData(table=pa.table({"g": ["007", "008"] * 50}))
    (tmp_path / "b.csv").write_text("g\n007\n008\n")
    found = make_profile(BatchData.of(tmp_path / "b.csv"), make_layout(reference)).by_name["g"]
    assert (found.bins, found.unseen, found.problem) == ((1, 1), 0, None)


def _write(path: Path, ending: str) -> None:
    if ending == "parquet":
        pq.write_table(ROWS, path)
    elif ending == "csv":
        path.write_text("x,g\n" + "".join(f"{r['x']},{r['g']}\n" for r in ROWS.to_pylist()))
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS.to_pylist()))
    else:
        opened = pa.ipc.new_file if ending == "arrow" else pa.ipc.new_stream
        with path.open("wb") as sink, opened(sink, ROWS.schema) as writer:
            writer.write_table(ROWS)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "arrow", "stream.arrow"])
def test_every_format_gives_the_same_counts(tmp_path, layout, ending):
    path = tmp_path / f"batch.{ending}"
    _write(path, ending)
    assert make_profile(BatchData.of(path), layout) == make_profile(BatchData(table=ROWS), layout)


def test_a_broken_line_of_json_is_named(tmp_path, layout):
    (tmp_path / "b.jsonl").write_text('{"x": 1}\n{"x":\n')
    with pytest.raises(UserError, match=r"b\.jsonl holds a line that is no JSON"):
        make_profile(BatchData.of(tmp_path / "b.jsonl"), layout)


def test_an_arrow_file_that_is_cut_is_named(tmp_path, layout):
    path = tmp_path / "b.arrow"
    _write(path, "arrow")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(IncumbentError, match=r"b\.arrow"):
        make_profile(BatchData.of(path), layout)


def test_files_behind_fsspec_are_staged(layout):
    memory = fsspec.filesystem("memory")
    with memory.open("/profiles/b.parquet", "wb") as sink:
        pq.write_table(ROWS, sink)
    found = make_profile(BatchData(paths=("/profiles/b.parquet",), filesystem=memory), layout)
    assert found == make_profile(BatchData(table=ROWS), layout)


def test_a_file_that_is_not_behind_fsspec(layout):
    memory = fsspec.filesystem("memory")
    with pytest.raises(NotFound, match="gone"):
        make_profile(BatchData(paths=("/gone.parquet",), filesystem=memory), layout)


def test_more_files_than_one_statement_takes(tmp_path, layout, monkeypatch):
    monkeypatch.setattr("workers.profiles.batches.FILES_AT_ONCE", 3)
    for i in range(10):
        pq.write_table(ROWS.slice(i * 100, 100), tmp_path / f"{i}.parquet")
    found = make_profile(BatchData.of(tmp_path), layout)
    assert found.by_name == make_profile(BatchData(table=ROWS), layout).by_name


def test_nothing_is_left_in_the_scratch_directory(tmp_path, layout):
    (tmp_path / "b.csv").write_text("x,g\n1,a\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    make_profile(BatchData.of(tmp_path / "b.csv"), layout, ScanEngine(directory=scratch))
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "columns", [500, pytest.param(10_000, marks=pytest.mark.long)], ids=["500", "10k"]
)
def test_very_many_columns_are_counted(tmp_path, columns):
    """As wide as anybody's table."""
    names = [f"c{i}" for i in range(columns)]
    wide = pa.table({name: pa.array([1.0, 2.0, float(i)]) for i, name in enumerate(names)})
    path = tmp_path / "wide.parquet"
    pq.write_table(wide, path)
    layout = make_layout(BatchData.of(path))
    profile = make_profile(BatchData.of(path), layout)
    assert len(profile.columns) == columns
    assert all(column.rows == 3 for column in profile.columns)


def test_one_constant_is_no_drift_and_another_one_is():
    before = pa.table({"x": [7.0] * 1000})
    layout = make_layout(BatchData(table=before))
    reference = make_profile(BatchData(table=before), layout)
    assert compare_profiles(layout, reference, reference).verdict.value == "ok"
    other = make_profile(BatchData(table=pa.table({"x": [8.0] * 1000})), layout)
    assert compare_profiles(layout, reference, other).verdict.value == "alert"
