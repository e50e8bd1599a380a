"""Files that were made to harm whoever opens them, at the places where the control plane does."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.adapters import series_files
from controller.adapters.series_files import read_series
from controller.adapters.sources import formats, limits, parquet_footer
from controller.adapters.sources.files import FileSource
from controller.domain.errors import UserError

MOST_MEMORY = 800
"""Megabytes at the peak of a process that looks at all of them: DuckDB may take 512, the rest is Python."""


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"t": [1, 2, 3]})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


# --- footers by hand: Thrift's compact protocol, as Parquet writes FileMetaData -----------------------------------


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def signed(value: int) -> bytes:
    return number((value << 1) ^ (value >> 63))


def footer(rest: bytes) -> bytes:
    return b"PAR1" + rest + struct.pack("<I", len(rest)) + b"PAR1"


VERSION = b"\x15" + signed(1)
ROOT = b"\x48" + number(4) + b"root" + b"\x15" + signed(1) + b"\x00"
LEAF = b"\x15" + signed(1) + b"\x25" + signed(0) + b"\x18" + number(1) + b"t" + b"\x00"
DEEPER = b"\x48" + number(1) + b"r" + b"\x15" + signed(1) + b"\x00"


def counted(rows: int) -> bytes:
    return footer(VERSION + b"\x19\x2c" + ROOT + LEAF + b"\x16" + signed(rows) + b"\x19\x0c\x00")


def boasting() -> bytes:
    """An Arrow file whose record batch says that it has 2^62 rows."""
    content = arrow()
    place = content.index(struct.pack("<q", 3))
    return content[:place] + struct.pack("<q", 1 << 62) + content[place + 8 :]


MANY = limits.MOST_COLUMNS + 1
LONG = 4_000_000
"""Parts of a list, for which a reader makes room before the first: gigabytes, and no allocator refuses them."""
BOMBS = {
    "rows.parquet": counted(1 << 62),
    "negative.parquet": counted(-5),
    "list.parquet": footer(VERSION + b"\x19\xfc" + number(LONG) + ROOT),
    "groups.parquet": footer(
        VERSION + b"\x19\x2c" + ROOT + LEAF + b"\x16" + signed(1) + b"\x19\xfc" + number(2**31 - 1)
    ),
    "chunks.parquet": footer(
        VERSION
        + b"\x19\x2c"
        + ROOT
        + LEAF
        + b"\x16"
        + signed(1)
        + b"\x19\x1c\x19\xfc"
        + number(LONG)
        + b"\0" * LONG
    ),
    "string.parquet": footer(VERSION + b"\x19\x2c\x48" + number(2**31 - 1) + b"root"),
    "deep.parquet": footer(VERSION + b"\x19\xfc" + number(100_000) + DEEPER * 100_000),
    "nested.parquet": footer(b"\x1c" * 1_000_000),
    "columns.parquet": parquet(pa.table({f"c{i}": [1] for i in range(MANY)})),
    "rows.arrow": boasting(),
    "zeros.csv.gz": gzip.compress(b"t\n", mtime=0) + gzip.compress(bytes(1 << 20), mtime=0) * 100,
    "lines.csv.gz": gzip.compress(b"t\n" + b"2020-01-01\n" * 100_000, mtime=0) * 200,
    "columns.csv": b"t," * MANY + b"\n" + b"1," * MANY + b"\n",
    "names.jsonl": b"{" + b",".join(b'"n%d":1' % i for i in range(20_000)) + b"}\n",
    "names.json": b"[{" + b",".join(b'"n%d":1' % i for i in range(20_000)) + b"}]",
    "row.jsonl": b'{"t":"' + b"y" * limits.MOST_ROW + b'"}\n',
    "open.jsonl": b'{"t":' + b"[" * 1_000_000 + b"\n",
}
LOOK = """
import sys
from tests.support.peak import peak_memory
from controller.adapters.sources.files import FileOptions, FileSource
poll = FileSource(sys.argv[1] + "/*", options=FileOptions(time="t")).poll(None)
print([batch.uri.rpartition("/")[2] for batch in poll.batches])
print(*poll.problems, sep="\\n")
print(peak_memory())
"""


def test_every_bomb_is_one_sentence_and_the_file_beside_it_is_data(tmp_path: Path):
    for name, content in {
        **BOMBS,
        "good.parquet": parquet(pa.table({"t": ["2020-01-01"]})),
    }.items():
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (1, 1))
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    batches, *problems, memory = done.stdout.splitlines()
    assert batches == "['good.parquet']"
    assert sorted(Path(one.split(" is not data: ")[0]).name for one in problems) == sorted(BOMBS)
    assert all(one.endswith(".") and len(one.replace(str(tmp_path), "")) < 400 for one in problems)
    assert int(memory) < MOST_MEMORY


GOOD = {
    "a.parquet": parquet(pa.table({"t": ["2020-01-01"] * 9, "x": range(9)})),
    "a.arrow": arrow(),
}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(sorted(GOOD)),
    place=st.floats(0, 1, exclude_max=True),
    bite=st.sampled_from(
        [b"\xff" * 8, b"\0" * 8, struct.pack("<q", 1 << 62), b"\xfc\xff\xff\xff\xff\x0f"]
    )
    | st.binary(min_size=1, max_size=8),
)
def test_a_file_with_any_bytes_changed_is_data_or_one_sentence(
    name: str, place: float, bite: bytes, tmp_path: Path
):
    content = GOOD[name]
    at = int(place * len(content))
    path = tmp_path / name
    path.write_bytes((content[:at] + bite + content[at + len(bite) :])[: len(content)])
    os.utime(path, (1, 1))
    poll = FileSource(str(path)).poll(None)
    assert len(poll.batches) + len(poll.problems) == 1
    assert all(0 <= (batch.rows or 0) <= limits.SMALL for batch in poll.batches)


def test_a_reading_without_end_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(formats, "LONGEST", 0.05)
    with (
        formats.connect_reader() as connection,
        pytest.raises(duckdb.InterruptException),
        formats.bounded(connection),
    ):
        connection.execute("SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 8")


def test_a_series_without_end_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(series_files, "MOST_ROWS", 5)
    (tmp_path / "s.parquet").write_bytes(GOOD["a.parquet"])
    with pytest.raises(UserError, match="more than 5 rows"):
        read_series(tmp_path / "s.parquet")
    (tmp_path / "s.parquet").write_bytes(BOMBS["rows.parquet"])
    with pytest.raises(UserError):
        read_series(tmp_path / "s.parquet")


@settings(max_examples=100, deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.builds(lambda a, b: a + b, st.just(VERSION + ROOT), st.binary(max_size=50))
)
def test_any_bytes_are_a_footer_or_one_sentence(content: bytes):
    with suppress(limits.Unreadable):
        parquet_footer.check_footer(content)


@given(columns=st.integers(1, 30), groups=st.integers(1, 4), nested=st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_footer_of_a_table_is_walked_to_its_end(columns: int, groups: int, *, nested: bool):
    value: object = {"a": [1, 2], "b": "x"} if nested else 1.5
    table = pa.table({f"c{i}": [value] * groups for i in range(columns)})
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"k": "v"}), sink, row_group_size=1)
    content = sink.getvalue()
    (size,) = struct.unpack("<I", content[-8:-4])
    walk = parquet_footer._Walk(content[-8 - size : -8])
    walk.struct(0)
    assert walk._at == size
