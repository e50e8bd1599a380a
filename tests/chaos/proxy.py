"""A TCP proxy between our processes and a server, for failures of the network: it resets, swallows, and goes deaf."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends a reset instead of a farewell."""


class Weather(StrEnum):
    """What happens to the bytes."""

    FAIR = "fair"
    SWALLOW = "swallow"
    """Both directions vanish, as behind a cut cable: nobody is told."""
    DEAF = "deaf"
    """Requests arrive and answers vanish: the outcome of a commit is unknown to the one who asked for it."""
    REFUSE = "refuse"
    """New connections are reset at once."""


@dataclass(eq=False)
class _Connection:
    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    poisoned: bool = False

    def reset(self) -> None:
        for writer in self.writers:
            handle = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
            writer.transport.abort()


@dataclass
class Proxy:
    """Listens on ``port`` of 127.0.0.1 and hands on to ``target``. Runs in a thread of its own."""

    target: int
    port: int = 0
    weather: Weather = Weather.FAIR
    _open: set[_Connection] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        async def close() -> None:
            self._server.close()
            for connection in self._open:
                connection.reset()
            mine = asyncio.current_task()
            rest = [task for task in asyncio.all_tasks() if task is not mine]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            await asyncio.sleep(0)  # the transports close in the next round of the loop

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def reset(self) -> int:
        """Reset every connection now; how many there were."""

        async def cut() -> int:
            there = list(self._open)
            for connection in there:
                connection.reset()
            return len(there)

        return asyncio.run_coroutine_threadsafe(cut(), self._loop).result(10)

    def change(self, weather: Weather) -> None:
        """From now on. Connections that missed something are reset when the weather turns fair again."""

        async def turn() -> None:
            self.weather = weather
            if weather is Weather.FAIR:
                for connection in [c for c in self._open if c.poisoned]:
                    connection.reset()

        asyncio.run_coroutine_threadsafe(turn(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.weather is Weather.REFUSE:
                raise ConnectionRefusedError
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _Connection((writer, writer)).reset()
            return
        connection = _Connection((writer, there[1]))
        self._open.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, reader, there[1], lost=(Weather.SWALLOW,)),
                self._pump(connection, there[0], writer, lost=(Weather.SWALLOW, Weather.DEAF)),
            )
        finally:
            self._open.discard(connection)

    async def _pump(
        self,
        connection: _Connection,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        lost: tuple[Weather, ...],
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if self.weather in lost:
                    connection.poisoned = True
                    continue
                sink.write(chunk)
                await sink.drain()
        if self.weather in lost:  # the farewell vanishes too
            connection.poisoned = True
            return
        with contextlib.suppress(OSError, RuntimeError):
            sink.close()
