from __future__ import annotations

import threading
from pathlib import Path

from controller.adapters.sources.watch import Watcher

LONG = 20.0


def wait_in_thread(
    watcher: Watcher, stop: threading.Event, seconds: float = LONG
) -> tuple[threading.Thread, list[set[Path]]]:
    found: list[set[Path]] = []
    thread = threading.Thread(target=lambda: found.append(watcher.wait(seconds, stop)), daemon=True)
    thread.start()
    return thread, found


def test_rename_into_place_wakes(tmp_path):
    with Watcher([tmp_path]) as watcher:
        (tmp_path / ".a.parquet.part").write_bytes(b"x")
        thread, found = wait_in_thread(watcher, threading.Event())
        (tmp_path / ".a.parquet.part").rename(tmp_path / "a.parquet")
        thread.join(LONG)
        assert found == [{tmp_path / "a.parquet"}]


def test_file_that_came_before_the_wait_is_not_missed(tmp_path):
    with Watcher([tmp_path]) as watcher:
        (tmp_path / "a.csv").write_text("a\n1\n")
        assert watcher.wait(LONG, threading.Event()) == {tmp_path / "a.csv"}


def test_temporary_file_does_not_wake(tmp_path):
    with Watcher([tmp_path]) as watcher:
        (tmp_path / "_a.parquet").write_bytes(b"x")
        (tmp_path / "a.parquet.tmp").write_bytes(b"x")
        assert watcher.wait(0.3, threading.Event()) == set()


def test_stop_ends_the_wait(tmp_path):
    stop = threading.Event()
    with Watcher([tmp_path]) as watcher:
        thread, found = wait_in_thread(watcher, stop, seconds=3600)
        stop.set()
        thread.join(LONG)
        assert found == [set()], "it waits for its hour"


def test_folder_that_comes_later_is_watched_then(tmp_path):
    folder = tmp_path / "later"
    with Watcher([tmp_path / "now", folder]) as watcher:
        assert watcher.unwatched == (tmp_path / "now", folder)
        thread, found = wait_in_thread(watcher, threading.Event())
        folder.mkdir()
        thread.join(LONG)
        assert found == [{folder}]
        (folder / "a.parquet").write_bytes(b"x")
        assert watcher.wait(LONG, threading.Event()) == {folder / "a.parquet"}
