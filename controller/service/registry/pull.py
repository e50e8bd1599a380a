"""Pull: an artifact comes to a file, whole or not at all, and goes on where it was cut off.

What has come so far lies in ``.NAME.part`` beside the target, and its first line of defence is the digest: the file
takes its name only when the bytes are those that the registry names. A part of another artifact is begun anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from controller.domain.errors import IntegrityError, StorageFull, Unavailable, UserError

PULL_CHUNK = 1 << 20
Bytes = Callable[[int], Iterator[bytes]]
"""From an offset to the bytes from there on."""


def pull_artifact(digest: str, size: int, read: Bytes, target: Path) -> int:
    """Bring the artifact to ``target``; how many bytes had to come.

    Raises IntegrityError (and takes the part away) if the bytes are not those of ``digest``, Unavailable where the
    sender stops (what came stays, for the next call), StorageFull where there is no room.
    """
    target = _checked(target)
    if target.is_file() and target.stat().st_size == size and _digest_of(target) == digest:
        return 0
    part, note = _part(target, digest)
    came = 0
    try:
        have = part.stat().st_size if part.exists() else 0
        if have > size:
            part.unlink()
            have = 0
        with part.open("ab") as file:
            if have < size:
                for chunk in read(have):
                    file.write(chunk)
                    came += len(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        full = error.errno in {28, 122}
        kind = StorageFull if full else Unavailable
        raise kind(f"{target} cannot be written: {error.strerror or error}.") from error
    if part.stat().st_size < size:
        raise Unavailable(
            f"{part.stat().st_size:,} of {size:,} bytes came before the sender stopped.",
            hint="Pull again: it goes on from there.",
        )
    actual = _digest_of(part)
    if actual != digest:
        part.unlink()
        note.unlink(missing_ok=True)
        raise IntegrityError(
            f"What came has the digest {actual}, and the registry names {digest}.",
            hint="Nothing was kept; pull again.",
        )
    part.replace(target)
    note.unlink(missing_ok=True)
    return came


def _checked(target: Path) -> Path:
    """The file itself: never through a symbolic link, and no folder."""
    if target.is_symlink():
        raise UserError(f"{target} is a symbolic link; name the file itself.")
    if target.is_dir():
        raise UserError(f"{target} is a folder.", hint="Name a file.")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _part(target: Path, digest: str) -> tuple[Path, Path]:
    """The part of this artifact; one of another is taken away."""
    part = target.with_name(f".{target.name}.part")
    note = target.with_name(f".{target.name}.part.digest")
    for place in (part, note):
        if place.is_symlink():
            raise UserError(f"{place} is a symbolic link.", hint="Take it away.")
    if not note.exists() or note.read_text(encoding="ascii").strip() != digest:
        part.unlink(missing_ok=True)
        note.write_text(digest, encoding="ascii")
    return part, note


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_bytes(content: bytes) -> Bytes:
    """Bytes that are here, in chunks."""

    def read(offset: int) -> Iterator[bytes]:
        for start in range(offset, len(content), PULL_CHUNK):
            yield content[start : start + PULL_CHUNK]

    return read
