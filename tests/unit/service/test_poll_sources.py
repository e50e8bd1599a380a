from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.memory import MemoryDataSource
from controller.domain.data import served_stream
from controller.domain.errors import ConfigurationError
from controller.domain.rules import DataSection, Policy, Served, SourceKey
from controller.domain.signals import SignalKind
from controller.ports import Batch, Poll, Query
from controller.service.sources.bucket_hints import hint_addresses
from controller.service.sources.health import KeptHealth
from controller.service.sources.poll import PollConfig, PollSources
from tests.support.house import MODEL, House, policy
from tests.support.waiting import until


def batch(name: str, digest: str = "d1", rows: int | None = 100, **more: Any) -> Batch:
    return Batch(uri=f"/data/{name}.parquet", digest=digest, size=1000, rows=rows, **more)


HERE = "data/*.parquet"
THERE = "other/*.parquet"


def elsewhere(model: str, source: str = THERE) -> Policy:
    """A policy that reads another place."""
    return policy(model=model, data=DataSection(source=source, target="arr_delay"))


class Timer:
    """A monotonic clock, set by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sources:
    """A source for each model, and the service that polls them."""

    def __init__(
        self,
        house: House,
        by_address: dict[str, Any] | None = None,
        config: PollConfig | None = None,
    ) -> None:
        self.house = house
        self.by_address: dict[str, Any] = by_address or {HERE: MemoryDataSource()}
        self.timer = Timer()
        self.health = KeptHealth(house.store)
        config = config or PollConfig(timer=self.timer)
        self.service = PollSources(
            house.store, house.clock, house.parse, self._open, self.health, config
        )

    def _open(self, key: SourceKey):
        found = self.by_address[key.address]
        if isinstance(found, Exception):
            raise found
        return found

    def later(self, seconds: float):
        self.timer.now += seconds
        return self.service.run_once()

    def after_a_round(self) -> list[SignalKind]:
        self.service.run_once()
        return self.kinds()

    def kinds(self) -> list[SignalKind]:
        with self.house.store.read() as tx:
            return [signal.kind for signal in reversed(tx.signals.find(Query()))]

    def state(self, model: str = MODEL):
        return next(state for state in self.health.all() if state.model == model)


@pytest.fixture
def house() -> House:
    return House()


def test_batch_signal_and_cursor_are_booked_together(house):
    sources = Sources(house)
    sources.by_address[HERE].arrive(batch("a", details={"time_max": "2013-01-31T00:00:00Z"}))
    report = sources.service.run_once()
    assert (report.looked, report.batches, report.signals) == (1, 1, 1)
    with house.store.read() as tx:
        [signal] = tx.signals.find(Query())
        assert tx.data.cursor(MODEL) == "1"
        assert [b.sequence for b in tx.data.batches(MODEL)] == [1]
    assert signal.key == f"data:{MODEL}:/data/a.parquet:d1"
    assert signal.kind is SignalKind.NEW_DATA
    assert signal.payload == {
        "uri": "/data/a.parquet",
        "rows": 100,
        "size": 1000,
        "digest": "d1",
        "sequence": 1,
        "files": 1,
        "time_max": "2013-01-31T00:00:00Z",
    }


def test_content_that_came_back_is_the_data_again(house):
    sources = Sources(house)
    for digest in ("d1", "d2", "d3", "d1"):
        sources.by_address[HERE].arrive(batch("a", digest))
        sources.later(60)
    with house.store.read() as tx:
        assert [b.digest for b in tx.data.batches(MODEL)] == ["d1"]
    assert len(sources.kinds()) == 3


def test_nothing_new_writes_nothing(house, monkeypatch):
    sources = Sources(house)
    sources.by_address[HERE].arrive(batch("a"))
    sources.service.run_once()
    monkeypatch.setattr(house.store, "begin", lambda: pytest.fail("it wrote"))
    assert sources.later(60).looked == 1


def test_cursor_that_moved_meanwhile_leaves_the_booking_to_the_other(house):
    class Slow(MemoryDataSource):
        def poll(self, cursor):
            found = super().poll(cursor)
            with house.store.begin() as tx:
                tx.data.set_cursor(MODEL, "moved")
            return found

    sources = Sources(house, {HERE: Slow([batch("a")])})
    report = sources.service.run_once()
    assert (report.batches, report.signals) == (0, 0)
    with house.store.read() as tx:
        assert tx.data.cursor(MODEL) == "moved"


def test_changed_columns_are_a_signal_of_their_own(house):
    sources = Sources(house)
    sources.by_address[HERE].arrive(
        batch("a", schema={"x": "BIGINT", "y": "VARCHAR"}),
        batch("b", schema={"x": "DOUBLE", "z": "VARCHAR"}),
        batch("c", schema={"x": "DOUBLE", "z": "VARCHAR"}),
    )
    sources.service.run_once()
    assert sources.kinds() == [
        SignalKind.NEW_DATA,
        SignalKind.NEW_DATA,
        SignalKind.SCHEMA_CHANGED,
        SignalKind.NEW_DATA,
    ]
    with house.store.read() as tx:
        [signal] = tx.signals.find(Query(kinds=(SignalKind.SCHEMA_CHANGED,)))
    assert signal.payload["sentence"] == (
        "The columns changed: 1 new (z), 1 gone (y), 1 of another type (x BIGINT → DOUBLE)"
    )


def test_pause_grows_while_nothing_comes_and_falls_back_when_data_come(house):
    sources = Sources(house)
    pauses = []
    for _ in range(12):
        sources.service.run_once()
        pauses.append(sources.service.next_in())
        sources.timer.now += pauses[-1]
    assert pauses[0] == 1.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    sources.by_address[HERE].arrive(batch("a"))
    sources.service.run_once()
    assert sources.service.next_in() == 1.0


def test_pause_is_the_one_that_the_policy_names(house):
    data = DataSection(source=HERE, target="y", poll=timedelta(minutes=5))
    house.review(policy(data=data))
    sources = Sources(house)
    sources.service.run_once()
    assert sources.service.next_in() == 300.0


def test_source_can_ask_for_an_earlier_look(house):
    class Settling(MemoryDataSource):
        def poll(self, cursor):
            return Poll(batches=(), cursor="1", again=timedelta(seconds=0.25))

    sources = Sources(house, {HERE: Settling()})
    sources.service.run_once()
    assert sources.service.next_in() == 0.25


def test_source_before_its_time_is_not_looked_at(house):
    sources = Sources(house)
    sources.service.run_once()
    assert sources.service.run_once().looked == 0


def test_hint_brings_the_look_forward(house, tmp_path):
    class Folder(MemoryDataSource):
        roots = (tmp_path,)

    sources = Sources(house, {HERE: Folder()})
    sources.service.run_once()
    assert sources.service.roots() == {tmp_path}
    assert not sources.service.hint([Path("/elsewhere/a.parquet")])
    assert sources.service.run_once().looked == 0
    assert sources.service.hint([tmp_path / "deep" / "a.parquet"])
    assert sources.service.run_once().looked == 1


def test_hint_that_comes_during_a_look_is_not_lost(house, tmp_path):
    class Folder(MemoryDataSource):
        roots = (tmp_path,)

        def poll(self, cursor):
            found = super().poll(cursor)
            if cursor is None:
                self.arrive(batch("late"))
                sources.service.hint([tmp_path / "late.parquet"])
            return found

    sources = Sources(house, {HERE: Folder([batch("a")])})
    assert sources.service.run_once().batches == 1
    assert sources.service.run_once().batches == 1


def test_a_bucket_s_notification_brings_the_look_forward_and_is_only_a_hint(house):
    data = DataSection(source="s3://warehouse/flights/*.parquet", target="arr_delay")
    house.review(policy(data=data))
    sources = Sources(house)
    sources.service.run_once()

    def told(*addresses: str) -> tuple[str, ...]:
        with house.store.begin() as tx:
            return hint_addresses(tx, addresses, house.parse, house.clock.now())

    assert told("s3://warehouse/trains/a.parquet", "s3://other/x") == ()
    assert sources.service.run_once().looked == 0
    assert told("s3://warehouse/flights/a.parquet") == (MODEL,)
    report = sources.service.run_once()
    assert (report.looked, report.batches) == (1, 0)
    assert sources.service.run_once().looked == 0


def test_people_are_told_once_when_a_source_stays_away():
    house = House(policy(notify={"source_failed": ("oncall",)}))
    source = MemoryDataSource()
    sources = Sources(house, {HERE: source})
    sources.later(1)
    source.broken = "the warehouse does not answer."
    for _ in range(6):
        sources.later(600)
    with house.store.read() as tx:
        (letter,) = tx.outbox.due("notify")
    assert (letter.payload["event"], letter.payload["channel"]) == ("source_failed", "oncall")
    assert letter.payload["sentence"] == (
        "data/*.parquet failed 3 times in a row: the warehouse does not answer;"
        " it was last read at 2013-01-31 12:00 UTC; the champion stays and is not trained again"
    )


def test_address_that_means_nothing_is_told_and_delays_nobody(house):
    house.review(elsewhere("other"))
    broken = ConfigurationError("the source ftp://x is not known.")
    sources = Sources(house, {HERE: broken, THERE: MemoryDataSource([batch("a")])})
    report = sources.service.run_once()
    assert (report.failed, report.batches) == (1, 1)
    assert sources.state(MODEL).error == "the source ftp://x is not known."
    assert sources.state("other").error == ""


def test_source_that_hangs_delays_only_its_own_model(house):
    release = threading.Event()

    class Hanging(MemoryDataSource):
        def poll(self, cursor):
            release.wait(60)
            return super().poll(cursor)

    house.review(elsewhere("other"))
    timer = Timer()
    config = PollConfig(timer=timer, patience=0.05, timeout=10, at_once=1)
    hanging, other = Hanging([batch("h")]), MemoryDataSource([batch("a")])
    sources = Sources(house, {HERE: hanging, THERE: other}, config)
    assert sources.service.run_once().looked == 0
    timer.now += 11
    assert sources.service.run_once().failed == 1
    assert sources.state(MODEL).error == "the source did not answer within 10 seconds."
    until(lambda: SignalKind.NEW_DATA in sources.after_a_round())
    assert len(sources.kinds()) == 1
    release.set()
    until(lambda: len(sources.after_a_round()) == 2)
    assert sources.state(MODEL).error == ""


def test_problems_are_kept_for_the_doctor_and_forgotten_with_the_policy(house):
    sources = Sources(house)
    sources.by_address[HERE].problems = ("a.parquet is not data: it is empty.",)
    sources.service.run_once()
    assert sources.state().problems == ("a.parquet is not data: it is empty.",)
    assert sources.state().error == ""
    with house.store.begin() as tx:
        tx.rules.retire(MODEL, "gone", house.clock.now())
    sources.service.run_once()
    assert sources.health.all() == []


def test_a_serving_log_is_looked_at_beside_the_data_and_trains_nothing():
    served = Served(source="logs/*.parquet", prediction="prediction")
    data = DataSection(source="data/*.parquet", target="arr_delay", key="id", served=served)
    house = House(policy(data=data))
    stream = served_stream(MODEL)
    log = MemoryDataSource()
    sources = Sources(house, {HERE: MemoryDataSource(), "logs/*.parquet": log})
    log.arrive(batch("log"))
    assert sources.service.run_once().signals == 1
    assert sources.kinds() == [SignalKind.SERVED]
    with house.store.read() as tx:
        assert tx.data.view(stream).batches == 1
        assert tx.data.view(MODEL).batches == 0
    assert sources.state(stream).source == "logs/*.parquet"
    (told,) = house.tick()
    assert told.answers[0].reason == "no rule of the policy asks for a signal of kind served"


def test_a_serving_log_that_is_away_does_not_hold_up_the_data():
    data = DataSection(source=HERE, target="y", key="id", served=Served(source="s3://log/*"))
    house = House(policy(data=data))
    stream = served_stream(MODEL)
    away = ConfigurationError("the log is away.")
    sources = Sources(house, {HERE: MemoryDataSource([batch("a")]), "s3://log/*": away})
    report = sources.service.run_once()
    assert (report.batches, report.failed) == (1, 1)
    assert sources.state(stream).error == "the log is away."
    assert sources.state().error == ""
