"""Keeps a client away from addresses that it must not reach, at the moment of connecting.

An address is written by a person, but where its name leads is decided by whoever owns the name, and where a server
redirects by whoever runs it. So the address itself is looked at, when the socket connects, by an audit hook of the
interpreter (PEP 578): it sees every connection of every library in Python, and cannot be resolved around. Outside of
:func:`watched` it does nothing. What connects in compiled code (the readers of Delta Lake) is not seen.
"""

from __future__ import annotations

import ipaddress
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn

from controller.domain.errors import Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Refuses = Callable[[Address, int], str]
"""Why an address and port may not be reached; empty where they may."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_METADATA = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)
"""Metadata services of AWS (IPv6), Alibaba, Azure and Oracle; the others answer on 169.254.169.254."""

_CONNECTIONS = frozenset({"socket.connect", "socket.sendto"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"})


class Refused(PermissionError):
    """A connection that may not be made. An OSError, because that is what libraries expect of a connection."""


@dataclass(slots=True)
class _Guard:
    """What may be reached. ``refused`` keeps what libraries swallow."""

    refuses: Refuses
    refused: list[str] = field(default_factory=list)

    def look(self, where: Any) -> None:
        """Raise if the address may not be reached."""
        if not isinstance(where, tuple):
            self.refuse("it leads to a socket of this machine")
        text = str(where[0]).partition("%")[0]
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            # A name that only the system resolves, later: what it will be by then, nobody knows.
            self.refuse(f"it leads to {text!r}, which was not looked up before")
        if reason := self.refuses(address, int(where[1])):
            self.refuse(f"it leads to {address}, {reason}")

    def refuse(self, what: str) -> NoReturn:
        """Raise, and remember it."""
        self.refused.append(what)
        raise Refused(what)


_present: ContextVar[_Guard | None] = ContextVar("connections", default=None)
_installing = threading.Lock()
_installed = False


def is_inside(address: Address) -> bool:
    """Whether the address belongs to this machine or its networks, however it is written."""
    plain = _plain(address)
    return not plain.is_global or plain.is_multicast


def is_local(address: Address) -> bool:
    """Whether the address is this machine, its link, or the service that tells a machine in a cloud its secrets."""
    plain = _plain(address)
    return (
        plain.is_loopback
        or plain.is_link_local
        or plain.is_unspecified
        or plain.is_multicast
        or plain in _THIS_NETWORK
        or plain in _METADATA
    )


def is_link(address: Address) -> bool:
    """Whether the address is this machine's link, or a metadata service."""
    return is_local(address) and not _plain(address).is_loopback


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTIONS:
        guard = _present.get()
        if guard is not None:
            guard.look(arguments[1])
    elif event in _PROGRAMS:
        guard = _present.get()
        if guard is not None:
            guard.refuse("it would start a program")


def _install() -> None:
    global _installed  # noqa: PLW0603 - an audit hook is for ever, and once
    with _installing:
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True


def refuse(what: str) -> None:
    """For what a client sees before it connects (a redirection): refuse it, inside of :func:`watched`."""
    guard = _present.get()
    if guard is not None:
        guard.refuse(what)


@contextmanager
def watched(refuses: Refuses, hint: str) -> Iterator[None]:
    """Within the block nothing connects to an address that ``refuses`` has a reason against, and no program starts.

    What the block hands to an event loop of another thread is watched too, for a task keeps its context. Raises
    Unavailable with the reason and ``hint`` if something was refused, also where a library swallowed the refusal.
    """
    _install()
    guard = _Guard(refuses)
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
        raise Unavailable(f"The address was refused: {guard.refused[-1]}.", hint=hint)
