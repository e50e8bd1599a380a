"""Keeps senders out of the network's inside, at the moment of connecting.

An address of a message is configured by a person, but where its name leads is decided by whoever owns the name, and
where a server redirects by whoever runs it. So the address itself is looked at, when the socket connects, by an audit
hook of the interpreter (PEP 578): it sees every connection of every library, and cannot be resolved around. Outside
of :func:`guarded` it does nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn

from controller.domain.errors import Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CONNECTIONS = frozenset({"socket.connect", "socket.sendto"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"})


class Refused(PermissionError):
    """A connection that may not be made. An OSError, because that is what libraries expect of a connection."""


@dataclass(slots=True)
class _Guard:
    """What one send may do. ``refused`` remembers what libraries swallow."""

    allowed: frozenset[Address]
    refused: list[str] = field(default_factory=list)

    def look(self, where: Any) -> None:
        """Raise unless the address is outside, or allowed."""
        if not isinstance(where, tuple):
            self._refuse("it leads to a socket of this machine")
        text = str(where[0]).partition("%")[0]
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            # A name that only the system resolves, later: what it will be by then, nobody knows.
            self._refuse(f"it leads to {text!r}, which was not looked up before")
        if address not in self.allowed and is_inside(address):
            self._refuse(f"it leads to {address}, inside the network")

    def _refuse(self, what: str) -> NoReturn:
        self.refused.append(what)
        raise Refused(what)

    def program(self) -> None:
        """Raise: no message needs a program."""
        self._refuse("it would start a program")


_present: ContextVar[_Guard | None] = ContextVar("notify_guard", default=None)
_installing = threading.Lock()
_installed = False


def is_inside(address: Address) -> bool:
    """Whether the address belongs to this machine or its networks, however it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if embedded is None and address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if embedded is not None:
            return is_inside(embedded)
    return not address.is_global or address.is_multicast


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTIONS:
        guard = _present.get()
        if guard is not None:
            guard.look(arguments[1])
    elif event in _PROGRAMS:
        guard = _present.get()
        if guard is not None:
            guard.program()


def _install() -> None:
    global _installed  # noqa: PLW0603 - an audit hook is for ever, and once
    with _installing:
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True


@contextmanager
def guarded(allowed: Collection[str]) -> Iterator[None]:
    """Within the block this thread connects to nothing inside the network but what ``allowed`` names.

    Raises Unavailable with the reason if something was refused, also where a library swallowed the refusal.
    """
    _install()
    guard = _Guard(frozenset(_addresses(allowed)))
    token = _present.set(guard)
    try:
        yield
    except Refused:
        pass
    except Exception:
        if not guard.refused:
            raise
    finally:
        _present.reset(token)
    if guard.refused:
        raise Unavailable(
            f"The address was refused: {guard.refused[-1]}.",
            hint="If it is meant, name its host under `allow` in the file of INCUMBENT_NOTIFY.",
        )


def _addresses(names: Collection[str]) -> Iterator[Address]:
    """Where the allowed names lead now."""
    for name in names:
        try:
            yield ipaddress.ip_address(name)
        except ValueError:
            try:
                for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
                    yield ipaddress.ip_address(str(info[4][0]).partition("%")[0])
            except OSError:
                continue
