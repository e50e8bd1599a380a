"""The artifact store in a bucket (or whatever fsspec reaches by URL): ``<url>/ab/cdef…``.

Object stores show an object whole or not at all, so an upload needs no temporary name. A large one to S3 or Azure goes
on where it was cut off, one to Google begins anew. Uploading the same bytes twice changes nothing. Reading verifies
here too: what a network brought is not taken on trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.adapters.artifacts import blocks, parts
from controller.adapters.artifacts.naming import COPY_CHUNK, checked, damaged, missing, unusable
from controller.adapters.clouds import (
    EXTRAS,
    foreign_sentence,
    open_url,
    refused_by_cloud,
    without_secrets,
)
from controller.domain.errors import IncumbentError, NotFound, Unavailable


class RemoteArtifacts:
    """Implements :class:`controller.ports.ArtifactStore` on an fsspec file system."""

    def __init__(self, url: str) -> None:
        self._name = without_secrets(url)
        self._system, self._root = open_url(url.rstrip("/"), "artifacts at")
        self._extra = EXTRAS.get(url.partition("://")[0])

    def put_file(self, path: Path) -> str:
        try:
            with path.open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise NotFound(f"{path} is not there, so it cannot be stored.") from error
        with self._told("store an artifact"):
            if not self._holds(digest, size):
                place = self._place(digest)
                self._system.makedirs(place.rpartition("/")[0], exist_ok=True)
                self._upload(path, size, place)
        return digest

    def put_bytes(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        with self._told("store an artifact"):
            if not self._holds(digest, len(content)):
                place = self._place(digest)
                self._system.makedirs(place.rpartition("/")[0], exist_ok=True)
                self._system.pipe_file(place, content)
        return digest

    def fetch(self, digest: str, target: Path) -> Path:
        partial = target.with_name(f".{target.name}.partial")
        seen = hashlib.sha256()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with (
                self._told(f"copy artifact {digest[:12]}", digest),
                self._system.open(self._place(digest), "rb") as source,
                partial.open("wb") as copy,
            ):
                while chunk := source.read(COPY_CHUNK):
                    seen.update(chunk)
                    copy.write(chunk)
            if seen.hexdigest() != digest:
                raise damaged(digest, seen.hexdigest(), self._name)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def read_bytes(self, digest: str) -> bytes:
        with self._told(f"read artifact {digest[:12]}", digest):
            content: bytes = self._system.cat_file(self._place(digest))
        actual = hashlib.sha256(content).hexdigest()
        if actual != digest:
            raise damaged(digest, actual, self._name)
        return content

    def has(self, digest: str) -> bool:
        place = self._place(digest)
        with self._told("look for an artifact"):
            self._forget(place)
            return bool(self._system.isfile(place))

    def size(self, digest: str) -> int:
        place = self._place(digest)
        with self._told("look for an artifact", digest):
            self._forget(place)
            return int(self._system.size(place))

    def delete(self, digest: str) -> None:
        place = self._place(digest)
        with self._told("delete an artifact"):
            self._forget(place)
            if self._system.isfile(place):
                self._system.rm_file(place)

    def stream(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        with (
            self._told(f"read artifact {digest[:12]}", digest),
            self._system.open(self._place(digest), "rb") as source,
        ):
            source.seek(offset)
            while chunk := source.read(COPY_CHUNK):
                yield chunk

    def _place(self, digest: str) -> str:
        name = checked(digest)
        return f"{self._root}/{name[:2]}/{name[2:]}"

    def _upload(self, path: Path, size: int, place: str) -> None:
        if size > parts.PART and parts.takes_parts(self._system):
            parts.put_in_parts(self._system, path, place)
        elif size > parts.PART and blocks.takes_blocks(self._system):
            blocks.put_in_blocks(self._system, path, place)
        elif self._extra == "gcs":
            self._system.put_file(str(path), place, chunksize=parts.PART)
        else:
            self._system.put_file(str(path), place)

    def _holds(self, digest: str, size: int) -> bool:
        place = self._place(digest)
        self._forget(place)
        return bool(self._system.isfile(place)) and int(self._system.size(place)) == size

    def _forget(self, place: str) -> None:
        """What fsspec remembers of a listing may be older than what another process wrote."""
        self._system.invalidate_cache(place.rpartition("/")[0])

    @contextmanager
    def _told(self, action: str, digest: str = "") -> Iterator[None]:
        """Our words for whatever the library of a store raises; each has errors of its own."""
        try:
            yield
        except IncumbentError:
            raise
        except Exception as error:
            if digest and isinstance(error, FileNotFoundError):
                raise missing(digest, self._name) from None
            if found := refused_by_cloud(error, self._name, action):
                raise found from error
            if isinstance(error, OSError) and error.errno:
                raise unusable(error, action, self._name) from error
            raise Unavailable(
                f"cannot {action} at {self._name}: {foreign_sentence(error)}."
            ) from error
