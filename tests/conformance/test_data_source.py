"""What every data source does, wherever the data lie."""

from __future__ import annotations

import hashlib
import io
import json

import fsspec
import pyarrow.parquet as pq
import pytest

from controller.domain.errors import IncumbentError
from controller.ports import Batch
from tests.support.data_places import DataPlace, rows


def read(batch: Batch) -> list[dict]:
    """The rows of a batch, read as a worker reads them: by its address, checked against its digest."""
    with fsspec.open(batch.uri, "rb") as stream:
        content = stream.read()
    assert len(content) == batch.size
    assert hashlib.sha256(content).hexdigest() == batch.digest
    return pq.read_table(io.BytesIO(content)).to_pylist()


def test_nothing_is_there_yet(place: DataPlace):
    poll = place.source().poll(None)
    assert sum(batch.rows or 0 for batch in poll.batches) == 0
    assert poll.gone == ()


def test_what_is_there_is_brought_with_digest_rows_and_columns(place: DataPlace):
    place.append(rows(1, 5))
    batches = [batch for batch in place.source().poll(None).batches if batch.rows]
    [batch] = batches
    assert batch.rows == 5
    assert batch.schema == {"id": "BIGINT", "delay": "DOUBLE", "origin": "VARCHAR"}
    assert read(batch) == rows(1, 5)


def test_what_was_seen_is_not_brought_again(place: DataPlace):
    place.append(rows(1, 5))
    source = place.source()
    first = source.poll(None)
    for looking in (source, place.source()):
        again = looking.poll(first.cursor)
        assert (again.batches, again.cursor, again.gone) == ((), first.cursor, ())


def test_only_what_is_new_is_brought(place: DataPlace):
    place.append(rows(1, 5))
    first = place.source().poll(None)
    place.append(rows(6, 3))
    place.append(rows(9, 1))
    second = place.source().poll(first.cursor)
    found = [row for batch in second.batches for row in read(batch)]
    assert sorted(found, key=lambda row: row["id"]) == rows(6, 4)
    assert not {b.uri for b in first.batches if b.rows} & {b.uri for b in second.batches}


def test_batch_is_the_same_however_often_it_is_looked_at(place: DataPlace):
    place.append(rows(1, 5))
    one, other = place.source().poll(None), place.source().poll(None)
    assert [(b.uri, b.digest) for b in one.batches] == [(b.uri, b.digest) for b in other.batches]


def test_cursor_is_json(place: DataPlace):
    place.append(rows(1, 2))
    assert isinstance(json.loads(place.source().poll(None).cursor), dict)


def test_column_without_a_value_keeps_its_type(place: DataPlace):
    place.append(rows(1, 2))
    first = place.source().poll(None)
    place.append([{"id": 3, "delay": None, "origin": "JFK"}])
    [batch] = place.source().poll(first.cursor).batches
    assert batch.schema["delay"] == "DOUBLE"


def test_place_that_goes_away_is_told_in_one_sentence(place: DataPlace):
    place.append(rows(1, 2))
    cursor = place.source().poll(None).cursor
    place.remove()
    if place.kind in {"files", "s3"}:
        # A folder that is gone holds nothing; what it brought is still known.
        assert place.source().poll(cursor).batches == ()
        return
    with pytest.raises(IncumbentError) as raised:
        place.source().poll(cursor)
    assert "\n" not in raised.value.sentence()
    assert len(raised.value.sentence()) < 400
