"""Which rows are trained on, which judge, and what is said about data that cannot be used."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from controller.domain.rules import DataSection, Holdout
from controller.ports import Batch
from workers.failure import Failure
from workers.snapshot import Request, load_split

START = datetime(2013, 1, 1, tzinfo=UTC)
DATA = DataSection(
    source="data/*",
    target="y",
    time="t",
    key="id",
    holdout=Holdout(last=timedelta(days=2), min_rows=10),
)


def rows(first_day: int = 0, days: int = 10, **columns: Any) -> pa.Table:
    """Ten rows a day."""
    n = days * 10
    table: dict[str, Any] = {
        "id": [f"r{first_day * 10 + i}" for i in range(n)],
        "t": pa.array(
            [START + timedelta(days=first_day, hours=2.4 * i) for i in range(n)], pa.timestamp("us")
        ),
        "x": [float(i) for i in range(n)],
        "group": [f"g{i % 20}" for i in range(n)],
        "y": [float(i % 7) for i in range(n)],
    }
    return pa.table(table | columns)


class Files:
    """Data files of a test, in order of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batches: list[Batch] = []

    def add(self, table: pa.Table, name: str = "") -> Path:
        path = self.folder / (name or f"{len(self.batches):02}.parquet")
        if name.endswith(".csv"):
            pv.write_csv(table, path)
        elif name.endswith(".csv.gz"):
            plain = self.folder / "plain.csv"
            pv.write_csv(table, plain)
            path.write_bytes(gzip.compress(plain.read_bytes()))
        else:
            pq.write_table(table, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        size, number = path.stat().st_size, len(self.batches) + 1
        self.batches.append(
            Batch(uri=str(path), digest=digest, size=size, rows=None, sequence=number)
        )
        return path

    def request(self, data: DataSection = DATA, **changes: Any) -> Request:
        fields: dict[str, Any] = {
            "data": data,
            "batches": tuple(self.batches),
            "as_of": START + timedelta(days=400),
            "folder": self.folder / "fetched",
        }
        return Request(**(fields | changes))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_the_newest_days_judge_and_training_ends_before_them(files: Files):
    files.add(rows())
    split = load_split(files.request())
    assert (split.training.num_rows, split.holdout.num_rows) == (80, 20)
    assert max(split.training["t"].to_pylist()) <= min(split.holdout["t"].to_pylist())
    assert split.boundary == START + timedelta(days=9, hours=21.6) - timedelta(days=2)
    assert split.features == ("id", "t", "x", "group")


def test_a_window_leaves_out_what_is_older(files: Files):
    files.add(rows())
    split = load_split(files.request(window=timedelta(days=3).total_seconds()))
    assert (split.training.num_rows, split.counts["before_window"]) == (31, 49)


def test_labels_that_are_not_due_are_neither_trained_on_nor_judged(files: Files):
    files.add(rows())
    data = replace(DATA, label_delay=timedelta(days=3))
    split = load_split(files.request(data, as_of=START + timedelta(days=10)))
    assert split.counts["label_not_due"] == 29
    assert (split.training.num_rows, split.holdout.num_rows) == (51, 20)


def test_rows_without_a_label_are_counted_and_do_not_move_the_holdout(files: Files):
    labels: list[float | None] = [float(i % 7) for i in range(100)]
    labels[:5] = [None] * 5
    labels[85] = None
    labels[90:] = [None] * 10
    files.add(rows(y=pa.array(labels)))
    counts = load_split(files.request()).counts
    assert counts["unlabelled"] == 5
    assert (counts["holdout"], counts["holdout_labelled"], counts["holdout_unlabelled"]) == (
        30,
        19,
        11,
    )


@pytest.mark.parametrize(
    ("holdout", "judging"),
    [
        pytest.param(Holdout(fraction=0.3, min_rows=1), 30, id="a fraction by time"),
        pytest.param(Holdout(fraction=0.3, min_rows=1, by="rows"), 30, id="a fraction by rows"),
        pytest.param(Holdout(min_rows=1), 20, id="a fifth, if nothing is said"),
    ],
)
def test_a_share_of_the_rows_judges(files: Files, holdout: Holdout, judging: int):
    files.add(rows())
    split = load_split(files.request(replace(DATA, holdout=holdout)))
    assert (split.training.num_rows, split.holdout.num_rows) == (100 - judging, judging)


def test_whole_groups_judge_and_always_the_same(files: Files):
    files.add(rows())
    holdout = Holdout(fraction=0.4, min_rows=1, by="group", group="group")
    first = load_split(files.request(replace(DATA, holdout=holdout)))
    trained, judged = (set(t["group"].to_pylist()) for t in (first.training, first.holdout))
    assert trained
    assert judged
    assert not trained & judged
    files.add(rows(10))
    second = load_split(files.request(replace(DATA, holdout=holdout)))
    assert set(second.holdout["group"].to_pylist()) == judged


def test_without_a_time_the_last_rows_judge(files: Files):
    files.add(rows())
    data = replace(DATA, time=None, holdout=Holdout(fraction=0.1, min_rows=1))
    split = load_split(files.request(data))
    assert split.holdout["id"].to_pylist() == [f"r{i}" for i in range(90, 100)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_text_files_are_read_with_their_types(files: Files, name: str):
    files.add(rows(), name)
    split = load_split(files.request())
    assert (split.training.num_rows, split.holdout.num_rows) == (80, 20)
    assert split.schema["x"] == "double" or split.schema["x"] == "int64"


def test_only_what_is_asked_for_is_read(files: Files):
    files.add(rows())
    split = load_split(files.request(replace(DATA, features=("x",)), also=("group", "nowhere")))
    assert split.training.column_names == ["x", "y", "t", "id", "group"]
    assert split.features == ("x",)


def test_a_column_that_only_newer_files_have_waits(files: Files):
    files.add(rows())
    files.add(rows(10).append_column("z", pa.array([1.0] * 100)))
    assert "z" not in load_split(files.request()).features


def test_a_number_may_change_its_width(files: Files):
    files.add(rows())
    files.add(rows(10, x=pa.array(range(100), pa.int32())))
    assert load_split(files.request()).schema["x"] == "double"


def test_a_time_may_be_text(files: Files):
    texts = [moment.isoformat() + "Z" for moment in rows()["t"].to_pylist()]
    files.add(rows(t=pa.array(texts)))
    assert load_split(files.request()).holdout.num_rows == 20


def cut(files: Files) -> None:
    path = files.add(rows(), "cut.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    files.batches[-1] = replace(
        files.batches[-1], size=len(whole) - 8, digest=hashlib.sha256(whole[:-8]).hexdigest()
    )


def vanish(files: Files) -> None:
    files.add(rows())
    files.add(rows(10).drop_columns(["x"]))


def gone(files: Files) -> None:
    files.add(rows()).unlink()


def no_time(files: Files) -> None:
    files.add(rows(t=pa.array(range(100))))


def bad_time(files: Files) -> None:
    files.add(rows(t=pa.array(["yesterday"] * 100)))


def unlabelled(files: Files) -> None:
    files.add(rows(y=pa.array([None] * 100, pa.float64())))


def short(files: Files) -> None:
    files.add(rows(days=1))


def other(files: Files) -> None:
    files.add(rows(), "data.xlsx")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(
            lambda _: None, "there is no data yet: data/* has brought no whole file", id="nothing"
        ),
        pytest.param(cut, "cut.parquet cannot be read, it may be cut or damaged", id="half a file"),
        pytest.param(
            vanish, "column x vanished from 01.parquet (it is still in 00.parquet)", id="vanished"
        ),
        pytest.param(gone, "00.parquet is gone from", id="gone"),
        pytest.param(no_time, "column t is int64, not a time", id="no time"),
        pytest.param(bad_time, "column t holds something that is not a time", id="words for times"),
        pytest.param(
            unlabelled, "holdout has 0 labelled rows, at least 10 are needed", id="no labels"
        ),
        pytest.param(
            short, "no rows are left to train on: of 10 rows 10 are holdout", id="all holdout"
        ),
        pytest.param(other, "data.xlsx has an ending that names no format", id="unknown format"),
    ],
)
def test_unusable_data_is_one_sentence(files: Files, spoil: Callable[[Files], None], said: str):
    spoil(files)
    with pytest.raises(Failure) as failure:
        load_split(files.request())
    assert str(failure.value).startswith(said)
    assert "\n" not in str(failure.value)
