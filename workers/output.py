"""Keeps what a user process prints: all of a little, the beginning and the end of a lot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_HEAD = 512 * 1024
_TAIL = 512 * 1024
_LINE = 2_000
_LIVE_LINES = 2_000


class Output:
    """Bytes in, as they come; lines out, live, until there were too many of them."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._left_out = 0
        self._rest = b""
        self._lines = 0

    def feed(self, chunk: bytes) -> None:
        """Keep ``chunk`` and pass on the lines that it ends."""
        room = _HEAD - len(self._head)
        self._head += chunk[:room]
        self._keep_end(chunk[room:])
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._rest) > _LINE:
            self._say(self._rest)
            self._rest = b""

    def close(self) -> None:
        """Pass on a last line that did not end."""
        if self._rest:
            self._say(self._rest)
            self._rest = b""

    def content(self) -> bytes:
        """All that was kept, with a note where something was left out."""
        note = f"\n… {self._left_out:,} bytes left out …\n".encode() if self._left_out else b""
        return bytes(self._head) + note + b"".join(self._tail)

    def last_line(self) -> str:
        """The last line that is not empty."""
        lines = [line for line in self.content()[-4096:].splitlines() if line.strip()]
        return lines[-1].decode(errors="replace").strip() if lines else ""

    def _keep_end(self, chunk: bytes) -> None:
        if not chunk:
            return
        self._tail.append(chunk[-_TAIL:])
        self._left_out += max(0, len(chunk) - _TAIL)
        self._tail_size += len(self._tail[-1])
        while self._tail_size - len(self._tail[0]) >= _TAIL:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._left_out += len(gone)

    def _say(self, line: bytes) -> None:
        self._lines += 1
        if self._lines < _LIVE_LINES:
            self._on_line(line[:_LINE].decode(errors="replace").rstrip("\r"))
        elif self._lines == _LIVE_LINES:
            self._on_line("… more than is shown live; the whole is stored when the run ends …")
