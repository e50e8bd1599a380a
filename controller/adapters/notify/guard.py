"""Keeps senders out of the network's inside, but for the hosts that the operator allows."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager

from controller.adapters.connections import Address, is_inside, watched


def guarded(allowed: Collection[str]) -> AbstractContextManager[None]:
    """Within the block this thread connects to nothing inside the network but what ``allowed`` names.

    Raises Unavailable with the reason if something was refused, also where a library swallowed the refusal.
    """
    known = frozenset(_addresses(allowed))

    def refuses(address: Address, _port: int) -> str:
        return "inside the network" if address not in known and is_inside(address) else ""

    return watched(
        refuses, "If it is meant, name its host under `allow` in the file of INCUMBENT_NOTIFY."
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
