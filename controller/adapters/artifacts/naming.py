"""What every artifact store says about a digest, so that the sentences are the same wherever the bytes lie."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from controller.domain.errors import IntegrityError, NotFound, StorageFull, Unavailable

COPY_CHUNK = 1 << 20
"""Bytes read at once: large enough for hashing at full speed, small beside any model."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT}


def checked(digest: str) -> str:
    """``digest`` itself if it is a SHA-256 in lower-case hex; it becomes part of a path, so nothing else will do."""
    if not _DIGEST.fullmatch(digest):
        raise IntegrityError(f"{digest[:80]!r} is not a SHA-256 in hex, so it names no artifact.")
    return digest


def missing(digest: str, place: str) -> NotFound:
    """The error for an artifact that is not there."""
    return NotFound(
        f"artifact {digest} is not in {place}.",
        hint="Restore it from a backup, or train again; the registry still names it.",
    )


def damaged(digest: str, actual: str, place: str) -> IntegrityError:
    """The error for bytes that are not what their name says."""
    return IntegrityError(
        f"artifact {digest} in {place} is damaged: its bytes have the digest {actual}.",
        hint="Restore it from a backup; until then nothing loads it.",
        details={"digest": digest, "actual": actual},
    )


def unusable(error: OSError, action: str, place: Path | str) -> Unavailable:
    """The error for a file system that refused; full disks are told apart."""
    if error.errno in _FULL:
        return StorageFull(
            f"the disk is full: no room to {action} in {place}.",
            hint="Free some space; the work is done again when it is retried.",
        )
    return Unavailable(f"cannot {action} in {place}: {error.strerror or error}.")
