"""Bytes named by their digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class ArtifactStore(Protocol):
    """Bytes named by their SHA-256 (hex). What is there never changes; reading verifies."""

    def put_file(self, path: Path) -> str:
        """Store a file's content, fsynced and renamed into place; its digest. StorageFull when there is no room."""
        ...

    def put_bytes(self, content: bytes) -> str: ...

    def fetch(self, digest: str, target: Path) -> Path:
        """Copy (or link) to ``target`` after verifying; IntegrityError names the digest that does not match."""
        ...

    def read_bytes(self, digest: str) -> bytes: ...

    def has(self, digest: str) -> bool: ...

    def size(self, digest: str) -> int: ...

    def delete(self, digest: str) -> None: ...

    def stream(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes from ``offset`` on, in pieces. Nothing is verified: whoever puts them together does that."""
        ...
