"""What stands before every route: limits of size and rate, and the headers that keep a page safe.

Plain ASGI: a body is counted while it comes in, so that one of a gigabyte is refused after the first megabyte.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.domain.errors import IncumbentError
from controller.entrypoints.api.context import PROVEN
from controller.entrypoints.api.problems import MEDIA_TYPE, problem
from controller.service.commands.access import digest_of

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_BURST_SECONDS = 10
SLOWEST_BODY = 30.0
"""Seconds that a body may take to come in."""
_KNOWN = 10_000
"""Callers whose buckets are kept; beyond, the ones that called longest ago are forgotten."""


class Buckets:
    """A token bucket for each caller."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._size, self._clock = rate, rate * _BURST_SECONDS, clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> float:
        """0 if the caller may go on, else the seconds to wait."""
        now = self._clock()
        with self._lock:
            left, at = self._left.pop(caller, (self._size, now))
            left = min(self._size, left + (now - at) * self._rate)
            wait = 0.0 if left >= 1 else (1 - left) / self._rate
            self._left[caller] = (left if wait else left - 1, now)
            if len(self._left) > _KNOWN:
                del self._left[next(iter(self._left))]
        return wait


class Proven:
    """Credentials that were found good, by digest. Only they have buckets of their own: a token that somebody made up
    would buy a new one with each request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, None] = {}

    def caller(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, str]:
        """Whose bucket this request takes from, the address until a credential is proven; and the credential."""
        shown = headers.get(b"authorization") or headers.get(b"cookie")
        client = scope.get("client")
        address = str(client[0]) if client else "unknown"
        if not shown:
            return address, ""
        credential = digest_of(shown.decode("latin-1"))
        with self._lock:
            return (credential if credential in self._known else address), credential

    def learn(self, credential: str, *, good: bool) -> None:
        """Keep a credential that was proven; forget one that is good no more."""
        if not credential:
            return
        with self._lock:
            self._known.pop(credential, None)
            if good:
                self._known[credential] = None
            if len(self._known) > _KNOWN:
                del self._known[next(iter(self._known))]


class Broken(IncumbentError):
    """The body is larger than the server takes, or does not come."""

    code = "broken_body"


class Guard:
    """The middleware."""

    def __init__(
        self, app: ASGIApp, *, largest: int, rate: float, hosts: Collection[str] | None = None
    ) -> None:
        self._app = app
        self._largest = largest
        self._buckets = Buckets(rate)
        self._proven = Proven()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        guarded = _with_headers(scope, send)
        if self._hosts is not None and _host(headers) not in self._hosts:
            # A name that somebody else points at 127.0.0.1 would give their pages a way in.
            body = problem(421, "misdirected", "This server does not go by that name.")
            await _refuse(guarded, body, {})
            return
        if b"%00" in scope.get("query_string", b"") or "\x00" in scope["path"]:
            await _refuse(guarded, problem(400, "wrong_use", "The address holds a NUL."), {})
            return
        caller, credential = self._proven.caller(scope, headers)
        wait = self._buckets.take(caller)
        if wait:
            body = problem(429, "too_many_requests", "Too many requests.", hint="Slow down.")
            await _refuse(guarded, body, {"retry-after": str(int(wait) + 1)})
            return
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._largest:
            await _refuse(guarded, _too_large(self._largest), {"connection": "close"})
            return
        incoming = _Body(receive, self._largest)
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            if incoming.refusal is not None and not answered:
                # Whatever the application made of the broken body: this is what was wrong with it.
                answered = True
                await _refuse(guarded, incoming.refusal, {"connection": "close"})
            elif incoming.refusal is None:
                answered = answered or message["type"] == "http.response.start"
                await guarded(message)

        scope[PROVEN] = proven = set[str]()
        try:
            await self._app(scope, incoming.receive, watched)
        finally:
            self._proven.learn(credential, good=bool(proven))


def _too_large(most: int) -> dict[str, Any]:
    return problem(413, "too_large", f"A body may have {most:,} bytes.")


def _too_slow() -> dict[str, Any]:
    said = f"The body was not here after {SLOWEST_BODY:g} seconds."
    return problem(408, "too_slow", said, hint="Send it again.")


class _Body:
    """Counts a body while it comes in, and the time that it takes."""

    def __init__(self, receive: Receive, largest: int) -> None:
        self._receive, self._largest, self._left = receive, largest, largest
        self._until = time.monotonic() + SLOWEST_BODY
        self._whole = False
        self.refusal: dict[str, Any] | None = None
        """Why the body is not taken; None while it is good."""

    async def receive(self) -> Message:
        """The next part; Broken once there is more than is taken, or it takes too long."""
        if (
            self._whole
        ):  # what comes now is only the end of the connection, and that may take its time
            return await self._receive()
        message: Message | None = None
        with anyio.move_on_after(max(self._until - time.monotonic(), 0.0)):
            message = await self._receive()
        if message is None:
            self.refusal = _too_slow()
            raise Broken("The body is too slow.")
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.refusal = _too_large(self._largest)
            raise Broken("The body is too large.")
        self._whole = not message.get("more_body", False)
        return message


def _host(headers: dict[bytes, bytes]) -> str:
    name = headers.get(b"host", b"").decode("latin-1")
    return name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]


def _with_headers(scope: Scope, send: Send) -> Send:
    fixed = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    if scope.get("scheme") == "https":
        fixed.append((b"strict-transport-security", b"max-age=31536000"))
    # What is said about models stays out of shared caches; files of ours name their version.
    static = scope["path"].startswith("/static/")
    cache = (b"cache-control", b"public, max-age=3600" if static else b"private, no-cache")

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            more = [*fixed] if b"cache-control" in present else [*fixed, cache]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending


async def _refuse(send: Send, body: dict[str, Any], headers: dict[str, str]) -> None:
    text = json.dumps(body).encode()
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    fixed = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(text)).encode())]
    await send(
        {"type": "http.response.start", "status": body["status"], "headers": [*fixed, *named]}
    )
    await send({"type": "http.response.body", "body": text})
