"""Where the sources of policies may lead. A policy names an address; how far it reaches is the operator's word.

Without the setting ``source_places`` a policy may name files, object stores, connections and catalogs, and web servers
anywhere but on this machine, its link and the metadata services of clouds. With it, a policy may name only what begins
with one of the places; ``*`` among them stands for the rule without the setting.

The address is judged as it is written, and again when a socket connects, whatever its name, a number in another base or
a redirection led to. Drivers of object stores are not watched: their hosts are the operator's, never a policy's, and
they ask the metadata service for their credentials.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from controller.adapters.clouds import EXTRAS, without_secrets
from controller.adapters.connections import Address, is_local, refuse, watched
from controller.domain.errors import ConfigurationError

WEB = frozenset({"http", "https"})
FILES = frozenset({"file", "local"})
SCHEMES = frozenset(EXTRAS) | WEB | {"adl", "r2", "oss"}
"""What a policy may name where the operator says nothing, beside files."""

DEFAULT = "*"
GLOB_SIGN = re.compile(r"[*?\[]")
_HINT = "If it is meant, let the operator name its beginning in INCUMBENT_SOURCE_PLACES."
_LOCAL = "this machine, its link or a metadata service"
_LOCALHOST = ("127.0.0.1", "::1")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ODD = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Reach:
    """What sources may name: ``places`` are beginnings of addresses; a relative folder starts at ``base``."""

    places: tuple[str, ...] = ()
    base: Path = Path()

    @property
    def open(self) -> bool:
        """Whether the rule without the setting holds."""
        return not self.places or DEFAULT in self.places

    def require(self, address: str) -> None:
        """ConfigurationError unless a policy may name ``address`` (as in ``data.source``)."""
        kind, _, rest = address.partition(":")
        table = rest if kind == "delta" else address
        if kind in {"sql", "iceberg"} and not rest.startswith("//"):
            self.require_name(address)
            return
        if kind == "delta" and urlsplit(table).scheme in WEB:
            self._refuse(address, "a Delta table lies in a folder or in an object store")
        if reason := self.reason(table):
            self._refuse(address, reason)

    def require_name(self, address: str) -> None:
        """The same for what the operator names as a whole: a connection, a catalog, the source of a plugin."""
        if not self.open and not any(_begins(address, place) for place in self.places):
            self._refuse(address, "it is none of the places that sources may lead to")

    def reason(self, address: str) -> str:
        """Why a file or URL may not be read; empty where it may."""
        scheme, mark, rest = address.partition("://")
        if not mark or scheme in FILES:
            return self._reason_of_file(rest if mark else address)
        if reason := _reason_of_form(scheme, address):
            return reason
        parts = urlsplit(address)
        if any(_below(parts, place) for place in self.places):
            return ""
        if not self.open:
            return "it is none of the places that sources may lead to"
        if scheme not in SCHEMES:
            return f"sources of the kind {scheme}:// are not read unless the operator names one"
        host = _literal(parts.hostname or "") if scheme in WEB else None
        # What a name means is seen when it connects.
        return f"it leads to {host}, {_LOCAL}" if host and is_local(host) else ""

    def guard(self, address: str) -> AbstractContextManager[None]:
        """Within the block a web server's address leads to nothing that :meth:`reason` is against."""
        if address.partition("://")[0] not in WEB:
            return nullcontext()
        return watched(self._refuses, _HINT)

    def options(self, address: str) -> dict[str, Any]:
        """Options for fsspec's driver of web servers: where it is sent on to is judged as it is written, too."""
        if address.partition("://")[0] not in WEB:
            return {}
        try:
            from fsspec.implementations.http import aiohttp
        except ImportError:
            return {}  # whoever opens the address says which library is missing

        async def sent_on(_session: Any, _context: Any, params: Any) -> None:
            place = params.response.headers.get("Location", "")
            target = str(params.url.join(params.url.__class__(place)))
            if reason := self.reason(target):
                refuse(f"it redirects to {without_secrets(target)}: {reason}")

        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(sent_on)
        return {"client_kwargs": {"trace_configs": [trace]}, "skip_instance_cache": True}

    def _reason_of_file(self, pattern: str) -> str:
        if self.open:
            return ""
        path = Path(self.base, Path(pattern).expanduser())
        first = next((i for i, part in enumerate(path.parts) if GLOB_SIGN.search(part)), None)
        top = Path(*path.parts[:first]).resolve()
        for place in self.places:
            scheme, mark, rest = place.partition("://")
            if mark and scheme not in FILES:
                continue
            folder = Path(self.base, Path(rest if mark else place).expanduser()).resolve()
            if top.is_relative_to(folder):
                return ""
        return "it lies outside the places that sources may lead to"

    def _refuses(self, address: Address, port: int) -> str:
        return _LOCAL if is_local(address) and (address, port) not in self._named() else ""

    def _named(self) -> frozenset[tuple[Address, int]]:
        """The addresses that the places name themselves. A host's name does not vouch for where it leads."""
        found: set[tuple[Address, int]] = set()
        for parts in map(urlsplit, self.places):
            if parts.scheme in WEB:
                host, port = _host(parts)
                hosts = _LOCALHOST if host == "localhost" else (host,)
                found |= {(address, port) for address in map(_literal, hosts) if address}
        return frozenset(found)

    def _refuse(self, address: str, reason: str) -> NoReturn:
        raise ConfigurationError(
            f"the source {without_secrets(address)} may not be read: {reason}.", hint=_HINT
        )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _reason_of_form(scheme: str, address: str) -> str:
    """What makes a URL one that two programs may read in two ways; empty where nothing does."""
    if "::" in address:
        return "it chains file systems"
    if not scheme.islower() or ".." in unquote(address).split("/"):
        return "it holds a scheme in capitals or a `..`"
    if scheme not in WEB:
        return ""
    if _ODD.search(address):
        return "it holds a space, a backslash or a control character"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "it is no address"
    if _is_odd_number(host):
        return "it writes a numeric address in another way than as four numbers"
    return ""


def _is_odd_number(host: str) -> bool:
    """Whether programs take the host for a number: ``2130706433``, ``127.1``, ``0x7f.1``, ``0177.0.0.1``."""
    return _literal(host) is None and bool(_NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]))


def _begins(address: str, place: str) -> bool:
    """Whether ``sql:NAME/TABLE?…`` or ``iceberg:CATALOG.NAMESPACE.TABLE`` begins with a whole part of itself."""
    after = address.removeprefix(place)
    return after != address and (not after or after[0] in "/?.")


def _below(parts: SplitResult, place: str) -> bool:
    """Whether a URL lies at or below the place: the same scheme, host and port, and whole names of the path."""
    if "://" not in place:
        return False
    wanted = urlsplit(place)
    if parts.scheme != wanted.scheme:
        return False
    if not wanted.netloc and not wanted.path:
        return True  # `hdfs://` means all of its kind
    if _host(parts) != _host(wanted):
        return False
    path = wanted.path.rstrip("/")
    return parts.path.rstrip("/") == path or parts.path.startswith(f"{path}/")


def _host(parts: SplitResult) -> tuple[str, int]:
    """The host as it counts; of other than web servers the whole part, for a container stands before the ``@``."""
    if parts.scheme not in WEB:
        return parts.netloc, 0
    return parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
