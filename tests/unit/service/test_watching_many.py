"""Many policies: how many rounds, looks and bookings they cost. Nothing here waits for time to pass."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from math import ceil
from pathlib import Path

import pytest

from controller.adapters.memory import MemoryDataSource
from controller.adapters.memory.rules import MemoryRuleStore
from controller.domain.rules import DataSection, SourceKey
from controller.domain.signals import SignalKind
from controller.ports import Batch, Poll, Query
from controller.service.sources.health import KeptHealth
from controller.service.sources.looks import Place
from controller.service.sources.place_queue import PlaceQueue
from controller.service.sources.poll import PollConfig, PollSources
from controller.service.sources.watch import WatchSources
from tests.support.house import MODEL, House, policy
from tests.support.waiting import until

AT_ONCE = 8


class Folder(MemoryDataSource):
    """A folder that counts how often it is looked at, and hangs while it is told to."""

    def __init__(self, root: Path, batches: Iterable[Batch] = ()) -> None:
        super().__init__(list(batches))
        self.roots = (root,)
        self.looks = 0
        self.answers = threading.Event()
        self.answers.set()

    def poll(self, cursor: str | None) -> Poll:
        self.looks += 1
        self.answers.wait(60)
        return super().poll(cursor)


class Timer:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Many:
    """A house with ``count`` models, each with a folder of its own or all with one."""

    def __init__(self, count: int, *, shared: bool = False, patience: float = 20.0) -> None:
        self.house = House()
        with self.house.store.begin() as tx:
            tx.rules.retire(MODEL, "gone", self.house.clock.now())
        self.timer = Timer()
        self.folders: dict[str, Folder] = {}
        self.shared = shared
        for number in range(count):
            self.add(number)
        self.service = PollSources(
            self.house.store,
            self.house.clock,
            self.house.parse,
            self._open,
            KeptHealth(self.house.store),
            PollConfig(timer=self.timer, patience=patience, at_once=AT_ONCE),
        )

    def add(self, number: int) -> None:
        address = "shared" if self.shared else f"own/{number:03d}"
        self.folders.setdefault(address, Folder(Path("/data", address)))
        data = DataSection(source=address, target="y")
        self.house.review(policy(model=f"m{number:03d}", data=data))

    def _open(self, key: SourceKey) -> Folder:
        return self.folders[key.address]

    def rounds(self, most: int = 1000) -> int:
        """Rounds until none is due at once, as the loop makes them."""
        for done in range(1, most + 1):
            self.service.run_once()
            if not self.service.has_more:
                return done
        raise AssertionError(f"there is no end after {most} rounds")

    def looks(self) -> list[int]:
        return [folder.looks for folder in self.folders.values()]

    def told(self) -> list[str]:
        """The models that have heard of new data, in order."""
        with self.house.store.read() as tx:
            found = tx.signals.find(Query(kinds=(SignalKind.NEW_DATA,), limit=1000))
        return [signal.model for signal in reversed(found)]


class Watcher:
    """A watcher that is told what to follow."""

    def __init__(self) -> None:
        self.followed: list[list[Path]] = []

    def follow(self, paths: Iterable[Path]) -> None:
        self.followed.append(list(paths))

    def wait(self, timeout: float, stop_event: threading.Event) -> set[Path]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def batch(name: str) -> Batch:
    return Batch(uri=f"/data/{name}", digest="d", size=1, rows=1)


@pytest.mark.parametrize("count", [1, 8, 20, 100, 300])
def test_all_are_looked_at_once_in_as_few_rounds_as_their_places_allow(count):
    many = Many(count)
    assert many.rounds() <= ceil(count / AT_ONCE) + 1
    assert many.looks() == [1] * count


def test_rounds_that_follow_each_other_read_the_policies_once(monkeypatch):
    many = Many(100)
    reads: list[int] = []
    blobs = MemoryRuleStore.blobs

    def counted(store: MemoryRuleStore) -> Mapping[str, str]:
        reads.append(1)
        return blobs(store)

    monkeypatch.setattr(MemoryRuleStore, "blobs", counted)
    assert many.rounds() > 10
    assert len(reads) == 1
    many.service.run_once()
    assert len(reads) == 2


def test_taking_the_next_place_asks_about_one_of_each_kind():
    waiting, asked = PlaceQueue(), []
    places = [Place(key=SourceKey(address=str(number))) for number in range(1000)]
    for place in places:
        place.is_slow = place.key.address.endswith("7")
        waiting.put(place, 0.0)

    def may(place: Place) -> bool:
        asked.append(place)
        return place.is_slow

    assert waiting.take(0.0, may) is places[7]
    assert len(asked) == 2
    assert waiting.take(0.0, lambda _: False) is None
    assert waiting.has(0.0, may)


def test_new_folders_hint_themselves_and_no_other():
    many = Many(20)
    watcher, woken = Watcher(), []
    watching = WatchSources(many.service, lambda: watcher, lambda: woken.append(1))
    many.rounds()
    watching.follow_roots(watcher)
    many.rounds()
    assert many.looks() == [2] * 20
    watching.follow_roots(watcher)
    many.add(20)
    many.rounds()
    watching.follow_roots(watcher)
    many.rounds()
    assert many.looks() == [2] * 21
    assert [len(paths) for paths in watcher.followed] == [20, 21]
    assert len(woken) == 2


def test_models_that_read_one_folder_share_a_look_and_are_told_in_its_round():
    many = Many(100, shared=True)
    many.rounds()
    many.folders["shared"].arrive(batch("a"))
    assert many.service.hint([Path("/data/shared/a")])
    report = many.service.run_once()
    assert (report.looked, report.batches, report.signals) == (1, 100, 100)
    assert many.looks() == [2]
    assert many.told() == [f"m{number:03d}" for number in range(100)]
    with many.house.store.read() as tx:
        assert {tx.data.cursor(f"m{number:03d}") for number in range(100)} == {"1"}
        (state,) = tx.sources.all()
    assert (state.model, state.source) == ("m000", "shared")


def test_a_model_that_joins_later_reads_from_its_own_cursor():
    many = Many(2, shared=True)
    many.folders["shared"].arrive(batch("a"), batch("b"))
    many.rounds()
    many.add(2)
    many.folders["shared"].arrive(batch("c"))
    many.rounds()
    assert [many.told().count(f"m{number:03d}") for number in range(3)] == [3, 3, 3]
    assert many.looks() == [3], "one look, with one poll for each cursor"
    many.timer.now += 60
    many.rounds()
    assert many.looks() == [4], "all read from one cursor again"


def test_what_columns_mean_does_not_part_those_who_read_the_same():
    house = House()
    for name, data in {
        "a": DataSection(source="s", target="y"),
        "b": DataSection(source="s", target="z", key="id"),
        "c": DataSection(source="s", target="y", time="t"),
    }.items():
        house.review(policy(model=name, data=data))
    opened: list[SourceKey] = []

    def open_source(key: SourceKey) -> MemoryDataSource:
        opened.append(key)
        return MemoryDataSource()

    health = KeptHealth(house.store)
    PollSources(house.store, house.clock, house.parse, open_source, health).run_once()
    assert [key for key in opened if key.address == "s"] == [
        SourceKey(address="s"),
        SourceKey(address="s", time="t"),
    ]


def test_hinted_sources_go_first_and_starve_nobody():
    many = Many(60)
    many.service.run_once()
    hot = [f"own/{number:03d}" for number in range(AT_ONCE)]
    rounds, most = 0, ceil((60 - AT_ONCE) / (AT_ONCE // 4)) + 1
    while not all(many.looks()) and rounds <= most:
        many.service.hint([Path("/data", address, "a") for address in hot])
        many.service.run_once()
        rounds += 1
    assert rounds <= most
    assert all(many.folders[address].looks >= rounds // 2 for address in hot)


def test_a_hint_goes_before_those_that_were_never_looked_at():
    many = Many(100)
    many.service.run_once()
    first = many.folders["own/000"]
    first.arrive(batch("a"))
    many.service.hint([Path("/data/own/000/a")])
    assert many.service.run_once().signals == 1
    assert sum(many.looks()) == 2 * AT_ONCE


def test_sources_that_hang_delay_only_themselves():
    many = Many(40, patience=0.05)
    dead = [folder for address, folder in many.folders.items() if address < "own/020"]
    well = [folder for address, folder in many.folders.items() if address >= "own/020"]
    for folder in dead:
        folder.answers.clear()
    rounds, most = 0, ceil(40 / AT_ONCE) + 2
    while not all(folder.looks for folder in well) and rounds <= most:
        many.service.run_once()
        many.timer.now += 1
        rounds += 1
    assert rounds <= most
    assert [folder.looks for folder in dead] == [1] * 20

    def known() -> int:
        many.service.run_once()
        with many.house.store.read() as tx:
            return len(tx.sources.all())

    until(lambda: known() == 20)
    for folder in dead:
        folder.answers.set()
    until(lambda: known() == 40)


def test_a_look_that_ends_after_its_round_wakes_the_loop():
    many = Many(1, patience=0.0)
    woken = threading.Event()
    many.service.wake = woken.set
    folder = many.folders["own/000"]
    folder.answers.clear()
    folder.arrive(batch("a"))
    assert many.service.run_once().looked == 0
    assert not many.service.has_more
    folder.answers.set()
    assert woken.wait(60)
    assert many.service.has_more
    assert many.service.run_once().signals == 1


def test_what_cannot_be_written_for_one_is_written_for_the_others():
    many = Many(3)
    for address, folder in many.folders.items():
        rows = object() if address == "own/001" else 1
        folder.arrive(Batch(uri=address, digest="d", size=1, rows=1, details={"x": rows}))
    report = many.service.run_once()
    assert (report.looked, report.failed, report.signals) == (3, 1, 2)
    assert many.told() == ["m000", "m002"]
    with many.house.store.read() as tx:
        states = {state.model: state.error for state in tx.sources.all()}
        assert tx.data.cursor("m001") is None
    assert states["m001"].startswith("what the source brought cannot be kept: TypeError")
    assert states["m000"] == states["m002"] == ""


def test_a_folder_that_nobody_reads_any_more_is_given_up():
    many = Many(3)
    many.rounds()
    with many.house.store.begin() as tx:
        tx.rules.retire("m001", "gone", many.house.clock.now())
    many.rounds()
    assert many.service.roots() == {Path("/data/own/000"), Path("/data/own/002")}
    assert not many.service.hint([Path("/data/own/001/a")])
    with many.house.store.read() as tx:
        assert [state.model for state in tx.sources.all()] == ["m000", "m002"]
