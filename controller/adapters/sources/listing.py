"""Which files a pattern means, on this machine or at any place that fsspec reaches.

``*``, ``?`` and ``[…]`` match inside one name, ``**`` any number of folders. A folder without a pattern means the
files directly in it. Hidden and temporary names never match; ``**`` does not follow symbolic links to folders.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from controller.adapters.clouds import (
    EXTRAS,
    foreign_sentence,
    open_url,
    refused_by_cloud,
    without_secrets,
)
from controller.adapters.sources.formats import format_of, is_ignored
from controller.adapters.sources.reach import GLOB_SIGN, Reach
from controller.domain.errors import Unavailable

ATOMIC = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "r2", "oss"})
"""Places where an object appears whole or not at all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a listing shows it. ``stamp`` changes whenever the content may have changed.

    ``modified`` is in seconds since 1970, None where the place does not say; ``atomic``: it appeared whole.
    """

    uri: str
    size: int
    stamp: str
    modified: float | None = None
    atomic: bool = False

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.uri.rstrip("/").rpartition("/")[2]


class Location(Protocol):
    """Where files lie."""

    def entries(self) -> Iterator[Entry]:
        """Every file that the pattern means, in no order."""
        ...

    def stamp(self, entry: Entry) -> str:
        """The file's stamp now."""
        ...

    def local(self, entry: Entry) -> AbstractContextManager[Path]:
        """The file's content as a local path."""
        ...

    @property
    def roots(self) -> tuple[Path, ...]:
        """Local folders that can be watched; none where the system offers no watching."""
        ...

    @property
    def exact(self) -> bool:
        """Whether what is no longer listed is no longer data (a table), or was only moved away (a folder)."""
        ...


def open_place(pattern: str, base: Path, reach: Reach, options: dict[str, Any]) -> Location:
    """The place that ``pattern`` names; a relative path starts at ``base``. ConfigurationError beyond ``reach``."""
    reach.require(pattern)
    scheme, mark, rest = pattern.partition("://")
    if not mark:
        return LocalPlace(pattern, base)
    if scheme in {"file", "local"}:
        return LocalPlace(rest, base)
    return RemotePlace(pattern, options, reach)


# --- this machine -------------------------------------------------------------------------------------------


class LocalPlace:
    """Files of this machine, listed with ``os.scandir``. A file's URI is its absolute path."""

    exact = False

    def __init__(self, pattern: str, base: Path) -> None:
        path = Path(base, Path(pattern).expanduser())
        parts = path.parts
        first = next((i for i, part in enumerate(parts) if GLOB_SIGN.search(part)), len(parts))
        self.top = Path(*parts[:first])
        self.segments = parts[first:]

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.top,)

    def entries(self) -> Iterator[Entry]:
        if self.segments:
            yield from _walk(str(self.top), self.segments)
        elif self.top.is_dir():
            yield from _walk(str(self.top), ("*",))
        else:
            found = _stat(str(self.top))
            if found is not None:
                yield found

    def stamp(self, entry: Entry) -> str:
        found = _stat(entry.uri)
        return "" if found is None else found.stamp

    @contextmanager
    def local(self, entry: Entry) -> Iterator[Path]:
        yield Path(entry.uri)


def _walk(folder: str, segments: tuple[str, ...]) -> Iterator[Entry]:
    segment, rest = segments[0], segments[1:]
    if segment == "**":
        yield from _walk_deep(folder, rest or ("*",))
        return
    if not GLOB_SIGN.search(segment):
        yield from _step(folder, segment, rest)
        return
    matches = re.compile(fnmatch.translate(segment)).match
    for item in _scan(folder):
        if not matches(item.name) or is_ignored(item.name):
            continue
        if rest:
            if _is_folder(item, follow=True):
                yield from _walk(item.path, rest)
        elif _has_format(item.name):
            found = _stat(item.path)
            if found is not None:
                yield found


def _step(folder: str, name: str, rest: tuple[str, ...]) -> Iterator[Entry]:
    path = f"{folder.rstrip('/')}/{name}"
    if rest:
        yield from _walk(path, rest)
    else:
        found = _stat(path)
        if found is not None:
            yield found


def _walk_deep(folder: str, rest: tuple[str, ...]) -> Iterator[Entry]:
    """`rest` in this folder and in all below it."""
    yield from _walk(folder, rest)
    for item in _scan(folder):
        if not is_ignored(item.name) and _is_folder(item, follow=False):
            yield from _walk_deep(item.path, rest)


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unavailable(
            f"the folder {folder} cannot be listed: {error.strerror or error}.",
            hint="Check that the controller's user may read it.",
        ) from error


def _is_folder(item: os.DirEntry[str], *, follow: bool) -> bool:
    try:
        return item.is_dir(follow_symlinks=follow)
    except OSError:
        return False


def _has_format(name: str) -> bool:
    return format_of(name) is not None


def _stat(path: str) -> Entry | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - one system call a file, without an object a path
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    stamp = f"{found.st_size}:{found.st_mtime_ns}:{found.st_ino}"
    return Entry(path, found.st_size, stamp, found.st_mtime)


# --- anywhere else ------------------------------------------------------------------------------------------


class RemotePlace:
    """Files at a URL of fsspec. A file is copied once to a temporary file, to digest and to measure it."""

    exact = False

    def __init__(self, pattern: str, options: dict[str, Any], reach: Reach | None = None) -> None:
        self._reach = reach or Reach()
        options = {**self._reach.options(pattern), **options}
        self.pattern = without_secrets(pattern)
        self.scheme = pattern.partition("://")[0]
        self.system, self.path = open_url(pattern, "the data at", **options)
        self._account = _azure_account(pattern)

    @property
    def roots(self) -> tuple[Path, ...]:
        return ()

    def entries(self) -> Iterator[Entry]:
        try:
            with self._guard():
                found = self._list()
        except FileNotFoundError:
            found = []
        except Exception as error:
            raise self._silent(error) from error
        if not found:
            self._expect_bucket()
        for info in found:
            name = str(info["name"]).rstrip("/").rpartition("/")[2]
            if is_ignored(name) or not (_has_format(name) or len(found) == 1):
                continue
            known = info if info.get("size") is not None else self._asked(info)
            if known is not None:
                yield self._entry(known)

    def _guard(self) -> AbstractContextManager[None]:
        return self._reach.guard(self.pattern)

    def _silent(self, error: Exception) -> Unavailable:
        if isinstance(error, Unavailable):
            return error
        return refused_by_cloud(error, self.pattern, "look for data") or Unavailable(
            f"the source {self.pattern} does not answer: {foreign_sentence(error)}."
        )

    def _expect_bucket(self) -> None:
        """An empty bucket and one that is not there look alike to a pattern."""
        if EXTRAS.get(self.scheme) not in {"gcs", "azure"}:
            return
        try:
            self.system.info(self.path.partition("/")[0])
        except Exception as error:
            raise self._silent(error) from error

    def _address(self, name: str) -> str:
        """The URL by which a worker finds the object, with Azure's account where the policy names it."""
        if not self._account:
            return str(self.system.unstrip_protocol(name))
        container, _, path = name.partition("/")
        return f"{self.scheme}://{container}@{self._account}/{path}"

    def _asked(self, info: dict[str, Any]) -> dict[str, Any] | None:
        """A web server's listing has names alone: each file is asked for its size, tag and time."""
        try:
            with self._guard():
                return {**info, **self.system.info(info["name"])}
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._silent(error) from error

    def _list(self) -> list[dict[str, Any]]:
        self.system.invalidate_cache()
        if GLOB_SIGN.search(self.path):
            listed = self.system.glob(self.path, detail=True).values()
        elif self.system.isdir(self.path):
            listed = self.system.ls(self.path, detail=True)
        else:
            listed = [self.system.info(self.path)]
        return [info for info in listed if info.get("type", "file") == "file"]

    def _entry(self, info: dict[str, Any]) -> Entry:
        modified = _modified(info)
        tag = str(info.get("ETag") or info.get("etag") or info.get("md5Hash") or "")
        size = int(info.get("size") or 0)
        stamp = f"{size}:{'' if modified is None else modified}:{tag}"
        uri = self._address(str(info["name"]))
        return Entry(uri, size, stamp, modified, atomic=self.scheme in ATOMIC)

    def stamp(self, entry: Entry) -> str:
        try:
            with self._guard():
                self.system.invalidate_cache()
                return self._entry(self.system.info(entry.uri)).stamp
        except FileNotFoundError:
            return ""
        except Exception as error:
            raise self._silent(error) from error

    def local(self, entry: Entry) -> AbstractContextManager[Path]:
        return fetched(self.system, entry, self._reach)


@contextmanager
def fetched(system: Any, entry: Entry, reach: Reach) -> Iterator[Path]:
    """A file of an fsspec system as a temporary local one."""
    with TemporaryDirectory(prefix="incumbent-source-") as folder:
        copy = Path(folder, "content")
        try:
            with (
                reach.guard(entry.uri),
                system.open(entry.uri, "rb") as source,
                copy.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, 1 << 20)
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(
                f"{entry.uri} cannot be fetched: {foreign_sentence(error)}."
            ) from error
        yield copy


def _azure_account(pattern: str) -> str:
    """``account.dfs.core.windows.net`` of ``abfss://container@account.dfs.core.windows.net/path``."""
    scheme, _, rest = pattern.partition("://")
    _, at, host = rest.partition("/")[0].rpartition("@")
    return host if at and EXTRAS.get(scheme) == "azure" else ""


def _modified(info: dict[str, Any]) -> float | None:
    for key in ("LastModified", "mtime", "last_modified", "updated", "created"):
        value = info.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    with suppress(TypeError, ValueError):
        return parsedate_to_datetime(info.get("Last-Modified", "")).timestamp()  # of a web server
    return None
