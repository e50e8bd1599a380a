"""Links of messages: signed, good for a while, and harmless, for scanners of mail open every one.

A link carries a path of ours and when it ends. Who opens it is led to that page; nothing is changed by it, and nobody
is logged in by it. The signature keeps our address from sending people elsewhere. It is made with the standard
library alone, because messages leave from processes that serve no page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.errors import NotLoggedIn

_PURPOSE = b"incumbent.message-link\n"
_LONGEST = 2_000
_CLOCKS = 300
"""Seconds that the clocks of our machines may be apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageLinks:
    """Makes and checks links. ``key`` is the secret that all processes of one installation share; ``page`` is the
    address where people reach the page, with a slash at its end.
    """

    key: str
    page: str
    lasts: timedelta = timedelta(days=7)

    def to(self, path: str, now: datetime) -> str:
        """The whole address that leads to ``path``, such as ``/decisions/17``, until ``now`` + ``lasts``."""
        ends = int((now + self.lasts).timestamp())
        said = f"{ends}:{path}".encode()
        return f"{self.page}go?to={_text(said)}.{_text(self._sign(said))}"

    def read(self, text: str, now: datetime) -> str:
        """The path that the link's ``to`` names; NotLoggedIn if it was forged or ran out."""
        said, _, mark = text[:_LONGEST].partition(".")
        raw = _bytes(said)
        if not hmac.compare_digest(self._sign(raw), _bytes(mark)):
            raise NotLoggedIn("This link is not ours.", hint="Log in and look for it there.")
        ends, _, path = raw.decode().partition(":")
        left = int(ends) - now.timestamp()
        if left <= 0:
            raise NotLoggedIn("This link ran out.", hint="Log in and look for it there.")
        if left > self.lasts.total_seconds() + _CLOCKS:
            raise NotLoggedIn(
                "This link was made in the future.", hint="Log in and look for it there."
            )
        return path

    def _sign(self, said: bytes) -> bytes:
        return hmac.new(self.key.encode(), _PURPOSE + said, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
