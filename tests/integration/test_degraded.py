"""Disk full, no connection left, a database that only reads: a controller says so, loses nothing, and goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from controller.adapters.memory import MemoryDispatcher
from controller.bootstrap import Controller, build_controller, open_store, watched
from controller.ports import Query, Store
from controller.service.loops.readiness import conditions, ready
from controller.settings import Settings, load_settings
from tests.support.controllers import POLICY
from tests.support.postgres import PostgresServer
from tests.support.waiting import until

SIZE = 96 << 20


@dataclass
class Running:
    """A controller in this process, with what it says of itself."""

    settings: Settings
    store: Store
    controller: Controller
    said: set[str] = field(default_factory=set)

    def ready(self) -> bool:
        found = conditions(watched(self.settings, self.store, self.controller))
        self.said |= {one.sentence for one in found if not one.ok}
        return ready(found)

    def fires(self) -> list[tuple[datetime, int]]:
        with self.store.read() as tx:
            found = tx.signals.find(Query(kinds=("schedule",), limit=1000))
        return [
            (datetime.fromisoformat(s.payload["due"]), s.payload["missed"]) for s in reversed(found)
        ]

    def has_gone_on(self) -> None:
        """It is ready again, fires again, and no due time was lost or came twice."""
        until(self.ready)
        count = len(self.fires())
        until(lambda: len(self.fires()) > count)
        for (before, _), (due, missed) in pairwise(self.fires()):
            assert due - before == (missed + 1) * timedelta(seconds=1)


@contextmanager
def running(home: Path, rules: Path, url: str | None = None) -> Iterator[Running]:
    rules.mkdir(exist_ok=True)
    (rules / "tick.yaml").write_text(POLICY)
    settings = load_settings(home=home, rules=str(rules), database_url=url, lead=1.0)
    with ExitStack() as stack:
        store = open_store(settings, create=True)
        stack.callback(store.close)
        controller = build_controller(settings, store, MemoryDispatcher())
        controller.start()
        stack.callback(controller.stop)
        running = Running(settings, store, controller)
        until(lambda: running.fires() and running.ready())
        yield running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the room there is."""
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        size = 16 << 20
        while size >= 4096:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
            except OSError:
                size //= 2
    return ballast


def test_a_full_disk_and_room_again(small_disk: Path, tmp_path: Path):
    with running(small_disk / "home", tmp_path / "rules") as held:
        ballast = fill(small_disk)
        until(lambda: not held.ready() and any("is full" in said for said in held.said))
        assert any("MB are free" in said for said in held.said)
        ballast.unlink()
        held.has_gone_on()


@pytest.fixture
def crowded_server() -> Iterator[PostgresServer]:
    server = PostgresServer(settings={"max_connections": "14"})
    try:
        server.start()
        yield server
    finally:
        server.remove()


def clerk(server: PostgresServer, database: str) -> str:
    """The URL of a user without the superuser's reserved connections."""
    with psycopg.connect(server.dsn(database), autocommit=True) as session:
        session.execute("CREATE ROLE clerk LOGIN")
        session.execute(f"ALTER DATABASE {database} OWNER TO clerk".encode())
        session.execute("GRANT ALL ON SCHEMA public TO clerk")
    return server.url(database).replace("incumbent@", "clerk@")


def cut(server: PostgresServer, database: str) -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND application_name = 'incumbent'",
            [database],
        )


def hog(url: str) -> Callable[[], None]:
    """Take every connection that is to be had; answers with what gives them back."""
    held: list[psycopg.Connection[tuple[object, ...]]] = []

    def give_back() -> None:
        for session in held:
            session.close()

    try:
        while True:
            held.append(psycopg.connect(url))
    except psycopg.OperationalError:
        return give_back


@pytest.mark.long
def test_no_connection_is_left_and_some_are_again(crowded_server: PostgresServer, tmp_path: Path):
    database = crowded_server.create()
    url = clerk(crowded_server, database)
    with running(tmp_path / "home", tmp_path / "rules", url) as held, ExitStack() as stack:
        stack.callback(hog(url))
        cut(crowded_server, database)
        stack.callback(hog(url))  # what the controller held before
        until(lambda: not held.ready() and any("no more connections" in s for s in held.said))
        stack.close()
        held.has_gone_on()


@pytest.mark.long
def test_a_database_that_only_reads_and_writes_again(
    postgres_server: PostgresServer, tmp_path: Path
):
    database = postgres_server.create()

    def set_to(word: str) -> None:
        with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as session:
            session.execute(
                f"ALTER DATABASE {database} SET default_transaction_read_only = {word}".encode()
            )

    url = postgres_server.url(database)
    with running(tmp_path / "home", tmp_path / "rules", url) as held:
        set_to("on")
        cut(postgres_server, database)
        until(lambda: not held.ready() and any("is read-only" in said for said in held.said))
        assert held.fires(), "what is there can still be read"
        set_to("off")
        held.has_gone_on()
    postgres_server.drop(database)
