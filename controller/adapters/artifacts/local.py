"""The artifact store on a folder of this machine (or one that is mounted): ``<root>/ab/cdef…``.

An artifact appears under its name whole or not at all: bytes go to a temporary file in the same file system, are
flushed to the disk, renamed, and the folder that took the name is flushed too. The database names a digest only
after that, so a crash leaves at most a temporary file, which is swept when the store is next opened. Whoever may read
the store's folder may read what is in it, and nobody else.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from controller.adapters.artifacts.naming import COPY_CHUNK, checked, damaged, missing, unusable
from controller.crashpoints import reach
from controller.domain.errors import NotFound

_ABANDONED = 86_400.0
"""Seconds after which a temporary file belongs to nobody: no upload of a model takes a day."""


class LocalArtifacts:
    """Implements :class:`controller.ports.ArtifactStore`. Safe for many processes and threads at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / "tmp"
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._make(self._temporary)
        except OSError as error:
            raise unusable(error, "make the artifact store", root) from error
        self._sweep()

    def put_file(self, path: Path) -> str:
        try:
            with path.open("rb") as source:
                return self._put(source)
        except FileNotFoundError as error:
            raise NotFound(f"{path} is not there, so it cannot be stored.") from error

    def put_bytes(self, content: bytes) -> str:
        return self._put(io.BytesIO(content))

    def fetch(self, digest: str, target: Path) -> Path:
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._open(digest) as source, partial.open("wb") as copy:
                actual = _copy(source, copy)
            if actual != digest:
                raise damaged(digest, actual, str(self._root))
            partial.replace(target)
        except OSError as error:
            raise unusable(error, f"copy artifact {digest[:12]}", target.parent) from error
        finally:
            partial.unlink(missing_ok=True)
        return target

    def read_bytes(self, digest: str) -> bytes:
        with self._open(digest) as source:
            content = source.read()
        actual = hashlib.sha256(content).hexdigest()
        if actual != digest:
            raise damaged(digest, actual, str(self._root))
        return content

    def has(self, digest: str) -> bool:
        return self._place(digest).is_file()

    def size(self, digest: str) -> int:
        try:
            return self._place(digest).stat().st_size
        except FileNotFoundError:
            raise missing(digest, str(self._root)) from None

    def delete(self, digest: str) -> None:
        self._place(digest).unlink(missing_ok=True)

    def stream(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        with self._open(digest) as source:
            source.seek(offset)
            while chunk := source.read(COPY_CHUNK):
                yield chunk

    def _place(self, digest: str) -> Path:
        name = checked(digest)
        return self._root / name[:2] / name[2:]

    def _open(self, digest: str) -> BinaryIO:
        try:
            return self._place(digest).open("rb")
        except FileNotFoundError:
            raise missing(digest, str(self._root)) from None

    def _put(self, source: BinaryIO) -> str:
        try:
            handle, name = tempfile.mkstemp(dir=self._temporary)
        except OSError as error:
            raise unusable(error, "store an artifact", self._root) from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as copy:
                digest = _copy(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            self._keep(temporary, digest)
        except OSError as error:
            raise unusable(error, "store an artifact", self._root) from error
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def _keep(self, temporary: Path, digest: str) -> None:
        place = self._place(digest)
        size = temporary.stat().st_size
        if place.is_file() and place.stat().st_size == size:
            return
        temporary.chmod(
            0o444 & self._rights()
        )  # what is there never changes, and the file system knows it
        if not place.parent.is_dir():
            self._make(place.parent)
            _flush_folder(self._root)
        reach("artifact-written")
        temporary.replace(place)
        _flush_folder(place.parent)
        reach("artifact-stored")

    def _rights(self) -> int:
        """Who may use the store, said by its folder: whatever umask the process has that writes."""
        return stat.S_IMODE(self._root.stat().st_mode)

    def _make(self, folder: Path) -> None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(self._rights())

    def _sweep(self) -> None:
        oldest = time.time() - _ABANDONED
        for leftover in self._temporary.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if leftover.stat().st_mtime < oldest:
                    leftover.unlink()


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    """Copy all of ``source``; the SHA-256 of what was copied."""
    seen = hashlib.sha256()
    while chunk := source.read(COPY_CHUNK):
        seen.update(chunk)
        target.write(chunk)
    return seen.hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power loss: the name lives in the folder, not in the file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
