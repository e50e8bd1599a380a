"""The artifact store that lives as long as the process: for tests and simulations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from controller.adapters.artifacts.naming import COPY_CHUNK, checked, damaged, missing

_PLACE = "memory"


class MemoryArtifacts:
    """Implements :class:`controller.ports.ArtifactStore`."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        """Digest → bytes, open to tests that want to damage something."""

    def put_file(self, path: Path) -> str:
        return self.put_bytes(path.read_bytes())

    def put_bytes(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs.setdefault(digest, bytes(content))
        return digest

    def fetch(self, digest: str, target: Path) -> Path:
        content = self.read_bytes(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def read_bytes(self, digest: str) -> bytes:
        content = self._blob(digest)
        actual = hashlib.sha256(content).hexdigest()
        if actual != digest:
            raise damaged(digest, actual, _PLACE)
        return content

    def has(self, digest: str) -> bool:
        return checked(digest) in self.blobs

    def size(self, digest: str) -> int:
        return len(self._blob(digest))

    def delete(self, digest: str) -> None:
        self.blobs.pop(checked(digest), None)

    def _blob(self, digest: str) -> bytes:
        try:
            return self.blobs[checked(digest)]
        except KeyError:
            raise missing(digest, _PLACE) from None

    def stream(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        content = self.read_bytes(digest)
        for start in range(offset, len(content), COPY_CHUNK):
            yield content[start : start + COPY_CHUNK]
