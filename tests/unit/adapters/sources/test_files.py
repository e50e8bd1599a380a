from __future__ import annotations

import gzip
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from controller.adapters.sources.files import FileOptions, FileSource
from controller.adapters.sources.reach import Reach
from controller.domain.errors import Unavailable

LONG_AGO = 1_000_000_000
CSV = "id,time_hour,delay\n1,2013-01-01 05:00:00,3\n2,2013-01-31 23:00:00,\n"


def parquet(path: Path, rows: int = 3) -> Path:
    table = (
        "SELECT range AS id, TIMESTAMP '2013-01-01 05:00:00' + INTERVAL (range) DAY AS time_hour "
        f"FROM range({rows})"
    )
    part = path.with_name(f".{path.name}.part")
    duckdb.execute(f"COPY ({table}) TO '{part}' (FORMAT parquet)")
    part.rename(path)
    return path


def write(path: Path, text: str | bytes, *, at: float = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (at, at))
    return path


def names(poll) -> list[str]:
    return [Path(batch.uri).name for batch in poll.batches]


class Wall:
    """The file system's clock, set by the test."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_parquet_is_data_at_once(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    poll = FileSource("*.parquet", base=tmp_path, options=FileOptions(time="time_hour")).poll(None)
    [batch] = poll.batches
    assert batch.uri == str(path)
    assert batch.rows == 3
    assert batch.size == path.stat().st_size
    assert batch.schema == {"id": "BIGINT", "time_hour": "TIMESTAMP"}
    assert batch.details["time_min"] == "2013-01-01T05:00:00.000000Z"
    assert batch.details["time_max"] == "2013-01-03T05:00:00.000000Z"
    assert poll.again is None
    assert poll.problems == ()


def test_digest_is_the_sha256_of_the_content(tmp_path):
    import hashlib

    path = parquet(tmp_path / "a.parquet")
    [batch] = FileSource(str(path)).poll(None).batches
    assert batch.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_was_seen_is_not_read_again(tmp_path, monkeypatch):
    parquet(tmp_path / "a.parquet")
    first = FileSource("*.parquet", base=tmp_path).poll(None)
    later = FileSource("*.parquet", base=tmp_path)
    monkeypatch.setattr(later, "_batch", lambda *_: pytest.fail("the file was read again"))
    again = later.poll(first.cursor)
    assert again.batches == ()
    assert again.cursor == first.cursor


def test_changed_content_is_a_new_batch(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    source = FileSource("*.parquet", base=tmp_path)
    first = source.poll(None)
    parquet(path, rows=5)
    second = source.poll(first.cursor)
    assert [batch.rows for batch in second.batches] == [5]
    assert second.batches[0].digest != first.batches[0].digest


def test_touched_file_with_equal_content_is_no_new_batch(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    source = FileSource("*.parquet", base=tmp_path)
    first = source.poll(None)
    os.utime(path, (LONG_AGO, LONG_AGO))
    second = source.poll(first.cursor)
    assert second.batches == ()
    assert second.cursor != first.cursor


@pytest.mark.parametrize(
    "name",
    [".a.parquet", "_a.parquet", "a.parquet.tmp", "a.parquet.part", "a.parquet~", "_SUCCESS"],
)
def test_temporary_names_are_not_data(tmp_path, name):
    parquet(tmp_path / "whole.parquet").rename(tmp_path / name)
    poll = FileSource("*", base=tmp_path).poll(None)
    assert poll.batches == ()
    assert poll.problems == ()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.parquet", ["a.parquet"]),
        ("**/*.parquet", ["a.parquet", "c.parquet", "b.parquet"]),
        ("**", ["a.parquet", "d.csv", "c.parquet", "b.parquet"]),
        ("y=*/*.parquet", ["b.parquet"]),
        ("x/y/?.parquet", ["c.parquet"]),
        ("x/[xy]/c.parquet", ["c.parquet"]),
        (".", ["a.parquet", "d.csv"]),
        ("a.parquet", ["a.parquet"]),
        ("missing/*.parquet", []),
    ],
)
def test_pattern(tmp_path, pattern, found):
    write(tmp_path / "d.csv", CSV)
    for place in ("a.parquet", "y=2013/b.parquet", "x/y/c.parquet"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        parquet(tmp_path / place)
    assert names(FileSource(pattern, base=tmp_path).poll(None)) == found


def test_deep_pattern_follows_no_link_to_a_folder(tmp_path):
    parquet(tmp_path / "a.parquet")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert names(FileSource("**/*.parquet", base=tmp_path).poll(None)) == ["a.parquet"]


def test_name_full_of_signs_is_one_file(tmp_path):
    parquet(tmp_path / "a1.parquet", rows=7)
    parquet(tmp_path / "plain.parquet").rename(tmp_path / "a[1]*?'.parquet")
    [batch] = FileSource("a[[]*", base=tmp_path).poll(None).batches
    assert batch.rows == 3


@pytest.mark.parametrize("keep", [0, 3, 4, 20, -1, -8])
def test_cut_parquet_is_a_problem_once_it_rests(tmp_path, keep):
    whole = parquet(tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").unlink()
    cut = write(tmp_path / "b.parquet", whole[:keep], at=LONG_AGO)
    wall = Wall(LONG_AGO + 0.5)
    source = FileSource("*.parquet", base=tmp_path, wall=wall)
    being_written = source.poll(None)
    assert being_written.batches == ()
    assert being_written.problems == ()
    assert being_written.again == timedelta(seconds=1)
    wall.now += 1
    rests = source.poll(being_written.cursor)
    [problem] = rests.problems
    assert problem.startswith(f"{cut} is not data: ")
    assert rests.again is None


def test_broken_file_is_data_once_it_is_mended(tmp_path):
    write(tmp_path / "a.parquet", b"PAR1")
    source = FileSource("*.parquet", base=tmp_path)
    broken = source.poll(None)
    assert len(broken.problems) == 1
    parquet(tmp_path / "a.parquet")
    mended = source.poll(broken.cursor)
    assert names(mended) == ["a.parquet"]
    assert mended.problems == ()


def test_file_that_changes_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    path = parquet(tmp_path / "a.parquet")
    source = FileSource("*.parquet", base=tmp_path)
    measure = source._meter.measure

    def replaced_meanwhile(*about: Any):
        found = measure(*about)
        parquet(path, rows=9)
        return found

    monkeypatch.setattr(source._meter, "measure", replaced_meanwhile)
    torn = source.poll(None)
    assert torn.batches == ()
    assert torn.again is not None
    monkeypatch.undo()
    assert [batch.rows for batch in source.poll(torn.cursor).batches] == [9]


def test_broken_change_keeps_the_good_batch(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    whole = path.read_bytes()
    source = FileSource("*.parquet", base=tmp_path)
    first = source.poll(None)
    write(path, b"PAR1 and then nothing")
    broken = source.poll(first.cursor)
    assert (broken.batches, len(broken.problems)) == ((), 1)
    write(path, whole)
    assert source.poll(broken.cursor).batches == ()


def test_csv_must_rest(tmp_path):
    write(tmp_path / "a.csv", CSV, at=LONG_AGO)
    wall = Wall(LONG_AGO + 0.1)
    source = FileSource("*.csv", base=tmp_path, wall=wall, options=FileOptions(time="time_hour"))
    growing = source.poll(None)
    assert growing.batches == ()
    assert growing.again == timedelta(seconds=1)
    wall.now += 1
    [batch] = source.poll(growing.cursor).batches
    assert batch.rows == 2
    assert batch.details["time_max"] == "2013-01-31T23:00:00.000000Z"


def test_csv_with_a_time_in_the_future_rests_by_our_clock(tmp_path):
    write(tmp_path / "a.csv", CSV, at=LONG_AGO + 3600)
    wall = Wall(LONG_AGO)
    source = FileSource("*.csv", base=tmp_path, wall=wall)
    first = source.poll(None)
    wall.now += 1
    assert names(source.poll(first.cursor)) == ["a.csv"]


def test_csv_that_changes_between_two_looks_starts_resting_anew(tmp_path):
    wall = Wall(LONG_AGO)
    write(tmp_path / "a.csv", CSV, at=LONG_AGO)
    source = FileSource("*.csv", base=tmp_path, wall=wall)
    first = source.poll(None)
    write(tmp_path / "a.csv", CSV + "3,2013-02-01 00:00:00,1\n", at=LONG_AGO + 0.9)
    wall.now += 1
    second = source.poll(first.cursor)
    assert second.batches == ()
    wall.now += 1
    assert [batch.rows for batch in source.poll(second.cursor).batches] == [3]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "a,b\n1,2", "its last line has no line feed, so it may still be growing"),
        ("a.csv", "", "it is empty"),
        ("a.csv", "\n1\n", "its first line names no columns"),
        ("a.csv", "a,b\n1,2\n3\n", "its lines do not have the columns that the first line names"),
        ("a.csv", b"a,b\n\xff\xfe,2\n", "Invalid unicode"),
        ("a.jsonl", '{"a": 1}', "its last line has no line feed"),
        ("a.jsonl", '{"a": 1}\n{"a":\n', "a.jsonl"),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:-9], "its gzip stream ends too early"),
        ("a.arrow", b"ARROW1\0\0 and nothing more", "its Arrow footer is missing"),
        ("a.arrow", b"ARROW1" + b"\xff" * 50 + b"\x20\0\0\0ARROW1", "its Arrow footer is damaged"),
        ("a.parquet", b"PAR1" + b"\0" * 20 + b"\x08\0\0\0PAR1", "a.parquet"),
        ("a.parquet", b"PARE" + b"\0" * 20 + b"\x08\0\0\0PARE", "its footer is encrypted"),
    ],
)
def test_broken_file_is_named_in_one_sentence(tmp_path, name, content, sentence):
    write(tmp_path / name, content)
    poll = FileSource("*", base=tmp_path).poll(None)
    assert poll.batches == ()
    [problem] = poll.problems
    assert sentence in problem
    assert "\n" not in problem
    assert len(problem) < 400


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", "a;b\n1;2,5\n3;4,0\n", 2),
        ("a.tsv", "a\tb\n1\t2\n", 1),
        ("a.csv", 'a,b\n1,"two\nlines"\n', 1),
        ("a.csv", "a,b\n", 0),
        ("a.csv", "\ufeffa,b\r\n1,2\r\n", 1),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0), 2),
        ("a.jsonl", '{"a": 1}\n{"a": 2, "b": "x"}\n', 2),
        ("a.json", '[{"a": 1}, {"a": 2}]', 2),
        ("a.ndjson.gz", gzip.compress(b'{"a": 1}\n', mtime=0), 1),
    ],
)
def test_rows_of_line_formats(tmp_path, name, content, rows):
    write(tmp_path / name, content)
    poll = FileSource("*", base=tmp_path).poll(None)
    assert poll.problems == ()
    assert [batch.rows for batch in poll.batches] == [rows]


def test_rows_and_columns_of_arrow(tmp_path):
    import pyarrow as pa
    from pyarrow import ipc

    table = pa.table({"a": pa.array([1, 2], pa.int16()), "b": ["x", "y"]})
    with ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
        writer.write_table(table)
    [batch] = FileSource("*.arrow", base=tmp_path).poll(None).batches
    assert batch.rows == 4
    assert batch.schema == {"a": "SMALLINT", "b": "VARCHAR"}


def test_file_without_rows_is_a_batch_of_none(tmp_path):
    parquet(tmp_path / "a.parquet", rows=0)
    [batch] = (
        FileSource("*.parquet", base=tmp_path, options=FileOptions(time="time_hour"))
        .poll(None)
        .batches
    )
    assert batch.rows == 0
    assert batch.details == {"format": "parquet"}


def test_first_look_at_many_files_comes_in_parts(tmp_path):
    for i in range(5):
        parquet(tmp_path / f"{i}.parquet", rows=1)
    source = FileSource("*.parquet", base=tmp_path, options=FileOptions(most=2))
    seen, cursor, parts = [], None, 0
    while True:
        poll = source.poll(cursor)
        seen += names(poll)
        cursor, parts = poll.cursor, parts + 1
        if poll.again is None:
            break
    assert seen == [f"{i}.parquet" for i in range(5)]
    assert parts == 3


def test_unknown_ending_is_a_problem_when_it_is_named(tmp_path):
    write(tmp_path / "a.xlsx", "x")
    assert FileSource("*", base=tmp_path).poll(None).problems == ()
    [problem] = FileSource("a.xlsx", base=tmp_path).poll(None).problems
    assert "its ending names no format that is known" in problem


def test_file_that_is_gone_leaves_the_cursor(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    source = FileSource("*.parquet", base=tmp_path)
    first = source.poll(None)
    path.unlink()
    assert json.loads(source.poll(first.cursor).cursor)["files"] == {}


def test_time_column_as_text_and_with_a_zone(tmp_path):
    write(
        tmp_path / "a.csv", "t,x\n2013-01-01T01:00:00+01:00,1\nnonsense,2\n2013-01-02T00:00:00Z,3\n"
    )
    [batch] = FileSource("*.csv", base=tmp_path, options=FileOptions(time="t")).poll(None).batches
    assert batch.details["time_min"] == "2013-01-01T00:00:00.000000Z"
    assert batch.details["time_max"] == "2013-01-02T00:00:00.000000Z"


def test_place_of_fsspec_is_read_like_a_folder(tmp_path):
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/bucket/a.parquet", parquet(tmp_path / "a.parquet").read_bytes())
    system.pipe("/bucket/_tmp.parquet", b"x")
    try:
        source = FileSource(
            "memory://bucket/*.parquet",
            options=FileOptions(time="time_hour"),
            reach=Reach(("memory://",)),
        )
        first = source.poll(None)
        [batch] = first.batches
        assert batch.uri == "memory:///bucket/a.parquet"
        assert batch.rows == 3
        assert source.poll(first.cursor).batches == ()
        system.pipe("/bucket/a.parquet", parquet(tmp_path / "a.parquet", rows=9).read_bytes())
        assert [batch.rows for batch in source.poll(first.cursor).batches] == [9]
    finally:
        system.rm("/bucket", recursive=True)


def test_place_that_does_not_answer_is_unavailable():
    source = FileSource("http://127.0.0.1:9/data.csv", reach=Reach(("http://127.0.0.1:9/",)))
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9/data\.csv does not answer"):
        source.poll(None)


@pytest.mark.parametrize(
    "files", [5_000, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["5k", "1M"]
)
def test_folder_of_very_many_files_is_looked_at_in_parts_and_then_costs_a_listing(tmp_path, files):
    """Hard links to a few files: what counts is their number. The first parts come at once, not after them all."""
    folder = tmp_path / "data"
    folder.mkdir()
    one = parquet(tmp_path / "one.parquet", rows=1)
    for start in range(0, files, 10_000):
        first = folder / f"{start:07}.parquet"
        first.write_bytes(one.read_bytes())
        for at in range(start + 1, min(start + 10_000, files)):
            os.link(first, folder / f"{at:07}.parquet")
    source = FileSource("data/*.parquet", base=tmp_path, options=FileOptions(most=50))
    poll = source.poll(None)
    assert len(poll.batches) == 50
    assert poll.again is not None
    more = source.poll(poll.cursor)
    assert names(more)[0] == "0000050.parquet"
