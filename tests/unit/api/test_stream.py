"""Event streams: nothing is missed, many share one look, and a reader that does not read costs nobody else anything."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.domain.signals import SignalKind
from controller.entrypoints.api import stream
from controller.entrypoints.api.serve import Server
from controller.entrypoints.api.watch import EventWatch, Listener, News
from tests.support.house import MODEL
from tests.support.page import Office
from tests.support.waiting import until as wait_until


def test_the_stream_tells_of_decisions_and_has_a_bound(tmp_path: Path):
    office = Office(tmp_path, {"api_streams": 1})
    office.held()
    api, watch = office.client(role="viewer"), office.app.state.watch
    text = api.get("/v1/stream", params={"after": 4, "once": True}).text
    assert "id: 5\nevent: decision\n" in text
    assert '"verdict": "hold"' in text
    resumed = api.get("/v1/stream", params={"once": True}, headers={"last-event-id": "5"}).text
    assert "id: 6\n" in resumed
    assert "id: 5\n" not in resumed
    watch.enter()
    full = api.get("/v1/stream", params={"once": True})
    assert (full.status_code, full.json()["code"]) == (503, "unavailable")
    with watch.place():
        pass
    assert api.get("/v1/stream", params={"once": True}).status_code == 200
    assert watch.open == 0


def test_a_listener_that_is_too_far_behind_ends_and_holds_no_more():
    listener = Listener("m")
    for number in range(1, 2000):
        listener.tell(News("m", b"x", number))
        listener.tell(News("other", b"y", number))
    assert (listener.behind, len(listener.waiting)) == (True, 500)


@dataclass
class Stream:
    """One request to the application itself, without a socket."""

    status: int = 0
    said: bytearray = field(default_factory=bytearray)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False

    async def receive(self) -> dict[str, Any]:
        if self.asked:
            await self.gone.wait()
            return {"type": "http.disconnect"}
        self.asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.said += message.get("body", b"")


@asynccontextmanager
async def streams(office: Office, count: int) -> AsyncIterator[list[Stream]]:
    token = office.token(role="viewer").encode()
    made = [Stream() for _ in range(count)]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/v1/stream", "raw_path": b"/v1/stream", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + token)],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    tasks = [
        asyncio.create_task(office.app(dict(scope), one.receive, one.send))  # type: ignore[arg-type]
        for one in made
    ]
    try:
        yield made
    finally:
        for one in made:
            one.gone.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("count", "most"),
    [
        pytest.param(150, 1000, id="150"),
        pytest.param(150, 100, id="150 where 100 may be"),
        pytest.param(10_000, 10_000, id="10,000", marks=pytest.mark.long),
        pytest.param(10_000, 1000, id="10,000 where 1,000 may be", marks=pytest.mark.long),
    ],
)
def test_many_streams_share_one_look_and_all_hear(
    tmp_path: Path, count: int, most: int, monkeypatch: pytest.MonkeyPatch
):
    office = Office(tmp_path, {"api_streams": most, "api_rate": 1e9})
    office.held()
    house, watch = office.house, office.app.state.watch
    looks: list[int] = []
    read = house.store.read
    open_ = min(count, most)

    def counted(**asked: Any) -> Any:
        looks.append(1)
        return read(**asked)

    async def story() -> None:
        async with streams(office, count) as made:
            await until(lambda: all(one.said or one.status == 503 for one in made), 240)
            good = [one for one in made if one.status == 200]
            assert (len(good), watch.open) == (open_, open_)
            await until(lambda: all(b"still here" in one.said for one in good), 240)
            monkeypatch.setattr(house.store, "read", counted)
            house.signal(SignalKind.HOLD, reason="look", actor="person:ana")
            house.tick()
            number = len(house.records())
            mine = len(looks)
            await until(lambda: all(b"id: %d\n" % number in one.said for one in good), 240)
            assert len(looks) - mine < 30
            assert all(one.said.count(b"id: %d\n" % number) == 1 for one in good)
        assert watch.open == 0

    asyncio.run(story())


def test_a_reader_that_does_not_read_loses_its_connection_and_nobody_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream, "SLOWEST", 0.3)
    office = Office(tmp_path, {"port": 0})
    office.held()
    house = office.house
    with Server(
        office.settings,
        house.store,
        clock=house.clock,
        parse=house.parse,
        key="k",
        decide_until_idle=None,
    ) as server:
        app: Any = server._server.config.app
        watch: EventWatch = app.state.watch
        port = int(server.url.rsplit(":", 1)[1].strip("/"))
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", port))
        head = f"GET /v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {office.token()}\r\n\r\n"
        slow.sendall(head.encode())
        wait_until(lambda: watch._listeners)

        def told_enough() -> bool:
            for listener in tuple(watch._listeners):
                loop = listener.ready._loop if hasattr(listener.ready, "_loop") else None
                if loop is not None:
                    loop.call_soon_threadsafe(listener.tell, News(MODEL, b"x" * 1_000_000, 0))
            return not watch.open

        wait_until(told_enough, words=lambda: "the slow reader kept its place")
        slow.close()
        assert office.client().get("/v1/models").status_code == 200
