from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import deltalake
import pytest

from controller.adapters.sources.files import FileSource
from controller.adapters.sources.lakes import DeltaPlace, IcebergPlace
from controller.domain.errors import Unavailable
from controller.domain.signals import SignalKind
from controller.ports import Query
from controller.service.sources.health import KeptHealth
from controller.service.sources.poll import PollConfig, PollSources
from tests.support.data_places import rows, table
from tests.support.house import MODEL, House


class Lake:
    """A Delta table and a house that polls it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "table"
        self.write(1, 4)
        self.house = House()
        self.now = 0.0
        self.service = PollSources(
            self.house.store,
            self.house.clock,
            self.house.parse,
            lambda _: FileSource("delta:table", place=DeltaPlace("table", folder)),
            KeptHealth(self.house.store),
            PollConfig(timer=lambda: self.now, patience=20),
        )

    def write(self, start: int, count: int) -> None:
        deltalake.write_deltalake(self.path, table(rows(start, count)), mode="append")

    @property
    def table(self) -> deltalake.DeltaTable:
        return deltalake.DeltaTable(self.path)

    def look(self) -> list[int]:
        """One look; the rows that new-data signals speak of, each in turn."""
        before = self.signals()
        self.now += 1000
        self.service.run_once()
        return self.signals()[len(before) :]

    def signals(self) -> list[int]:
        with self.house.store.read() as tx:
            found = tx.signals.find(Query(kinds=(SignalKind.NEW_DATA,)))
        return [signal.payload["rows"] for signal in reversed(found)]

    def rows(self) -> int:
        """How many rows the data snapshot has."""
        with self.house.store.read() as tx:
            return sum(batch.rows or 0 for batch in tx.data.batches(MODEL))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_appended_rows_are_new(lake):
    assert lake.look() == [4]
    lake.write(5, 2)
    assert lake.look() == [2]
    assert lake.rows() == 6


def test_compaction_brings_nothing_new_and_loses_nothing(lake):
    lake.write(5, 2)
    lake.look()
    lake.table.optimize.compact()
    assert lake.look() == []
    assert lake.rows() == 6


def test_deletion_brings_nothing_new(lake):
    lake.look()
    lake.table.delete("id = 1")
    assert lake.look() == []
    assert lake.rows() == 3


def test_rewriting_with_new_rows_counts_what_was_added(lake):
    lake.look()
    deltalake.write_deltalake(lake.path, table(rows(1, 7)), mode="overwrite")
    assert lake.look() == [3]
    assert lake.rows() == 7


def test_partitioned_table_is_refused(tmp_path):
    deltalake.write_deltalake(tmp_path / "t", table(rows(1, 3)), partition_by=["origin"])
    with pytest.raises(Unavailable, match="is partitioned by origin"):
        list(DeltaPlace("t", tmp_path).entries())


def test_rows_deleted_by_vectors_are_refused(tmp_path, monkeypatch):
    deltalake.write_deltalake(tmp_path / "t", table(rows(1, 3)))
    monkeypatch.setattr(deltalake.DeltaTable, "deletion_vectors", lambda _: [["a vector"]])
    with pytest.raises(Unavailable, match="deleted by vectors only"):
        list(DeltaPlace("t", tmp_path).entries())


def test_delete_files_of_iceberg_are_refused(monkeypatch):
    task = SimpleNamespace(delete_files={"d"}, file=None)
    scan = SimpleNamespace(plan_files=lambda: [task])
    catalog = SimpleNamespace(load_table=lambda _: SimpleNamespace(scan=lambda: scan))
    place = IcebergPlace("lake.air.flights")
    monkeypatch.setattr(place, "_load", lambda *_, **__: nullcontext(catalog))
    with pytest.raises(Unavailable, match="has delete files"):
        list(place.entries())
