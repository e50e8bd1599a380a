from __future__ import annotations

import threading

from controller.adapters.sources.files import FileSource
from controller.adapters.sources.watch import Watcher
from controller.service.sources.health import KeptHealth
from controller.service.sources.poll import PollSources
from controller.service.sources.watch import WatchSources
from tests.support.house import House


def test_file_that_is_renamed_into_place_wakes_the_loop(tmp_path):
    house = House()
    sources = PollSources(
        house.store,
        house.clock,
        house.parse,
        lambda key: FileSource(key.address, base=tmp_path),
        KeptHealth(house.store),
    )
    (tmp_path / "data").mkdir()
    sources.run_once()
    assert sources.roots() == {tmp_path / "data"}
    woken = threading.Event()
    watch = WatchSources(sources, Watcher, woken.set)
    watch.start()
    try:
        assert woken.wait(20), "the start of the watch is a hint"
        woken.clear()
        assert sources.run_once().looked == 1
        (tmp_path / "data" / "a.tmp").write_bytes(b"PAR1")
        (tmp_path / "data" / "a.tmp").rename(tmp_path / "data" / "a.parquet")
        assert woken.wait(20)
        assert sources.run_once().looked == 1
    finally:
        watch.stop()
