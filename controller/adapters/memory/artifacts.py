"""Artifacts in memory, named by their SHA-256 as everywhere."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from controller.domain.errors import IntegrityError, NotFound


class MemoryArtifacts:
    """A dictionary of bytes. Reading verifies here too, so that a test may spoil what is stored."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._content: dict[str, bytes] = {}

    def put_file(self, path: Path) -> str:
        return self.put_bytes(path.read_bytes())

    def put_bytes(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._content.setdefault(name, content)
        return name

    def fetch(self, digest: str, target: Path) -> Path:
        target.write_bytes(self.read_bytes(digest))
        return target

    def read_bytes(self, digest: str) -> bytes:
        content = self._get(digest)
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise IntegrityError(
                f"The artifact {digest} was changed: its bytes have digest {found}."
            )
        return content

    def has(self, digest: str) -> bool:
        with self._lock:
            return digest in self._content

    def size(self, digest: str) -> int:
        return len(self._get(digest))

    def delete(self, digest: str) -> None:
        with self._lock:
            self._content.pop(digest, None)

    def spoil(self, digest: str, content: bytes) -> None:
        """Put wrong bytes in the place of an artifact, as a broken disk does."""
        with self._lock:
            self._content[digest] = content

    def _get(self, digest: str) -> bytes:
        with self._lock:
            content = self._content.get(digest)
        if content is None:
            raise NotFound(f"There is no artifact {digest}.")
        return content
