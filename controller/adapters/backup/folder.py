"""A backup as a folder: a manifest, the database, the artifacts. It is there whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller import __version__
from controller.adapters.backup.database import dump, put_back
from controller.domain.codec import load_value
from controller.domain.errors import Conflict, IntegrityError, NotFound, UserError
from controller.ports import ArtifactStore

BACKUP_FORMAT = 1
MANIFEST, ARTIFACTS = "manifest.json", "artifacts"
_HEX = 64
_LARGEST_MANIFEST = 1 << 16
"""Bytes; what is longer is cut, and so is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a backup holds. ``elsewhere`` is where artifacts are that were not copied, empty if all were."""

    database: str
    database_sha256: str
    artifacts: int
    elsewhere: str = ""
    created_at: str = ""
    version: str = __version__
    format: int = BACKUP_FORMAT


def back_up(database_url: str, artifacts: str, target: Path) -> Manifest:
    """Copy the database, then the artifacts: whatever the copy names was stored before.

    ``artifacts`` is a folder, or a URL, whose objects stay where they are. Conflict if ``target`` exists.
    """
    if target.exists():
        raise Conflict(f"{target} exists.", hint="Name a folder that is not there yet.")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        copy = dump(database_url, partial)
        copied, elsewhere = 0, ""
        if "://" in artifacts:
            elsewhere = (
                artifacts.partition("://")[0]
                + "://"
                + artifacts.rpartition("@")[2].rpartition("://")[2]
            )
        else:
            copied = _copy_artifacts(Path(artifacts), partial / ARTIFACTS)
        manifest = Manifest(
            database=copy.name,
            database_sha256=_sha256(copy),
            artifacts=copied,
            elsewhere=elsewhere,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        (partial / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n")
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return manifest


def restore_folder(source: Path, database_url: str, artifacts: ArtifactStore) -> Manifest:
    """Fill an empty installation; every byte is checked before it counts."""
    manifest = read_manifest(source)
    copy = source / manifest.database
    if not copy.is_file() or _sha256(copy) != manifest.database_sha256:
        raise IntegrityError(f"{copy} is not the file that the manifest names.")
    files = list(_artifact_files(source / ARTIFACTS))
    if len(files) != manifest.artifacts:
        raise IntegrityError(
            f"The backup should hold {manifest.artifacts:,} artifacts and holds {len(files):,}."
        )
    for digest, file in files:
        if artifacts.put_file(file) != digest:
            raise IntegrityError(f"The artifact {file} does not match its name.")
    put_back(database_url, copy)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """What a backup says it holds; NotFound or UserError if it is none."""
    file = source / MANIFEST
    if not file.is_file():
        raise NotFound(f"{source} is no backup: it has no {MANIFEST}.")
    try:
        with file.open("rb") as stream:
            held = load_value(Manifest, stream.read(_LARGEST_MANIFEST))
    except IntegrityError:
        raise UserError(f"{file} cannot be read.") from None
    if held.format != BACKUP_FORMAT or Path(held.database).name != held.database:
        raise UserError(f"{file} is of format {held.format}, this code reads {BACKUP_FORMAT}.")
    return held


def _copy_artifacts(source: Path, target: Path) -> int:
    copied = 0
    for digest, file in _artifact_files(source):
        place = target / digest[:2] / digest[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(file, place)
        except FileNotFoundError:  # archived meanwhile
            continue
        copied += 1
    return copied


def _artifact_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files named by a SHA-256, as ``ab/cdef...``; others (half-written ones) are none of ours."""
    for file in sorted(folder.glob("??/*")):
        digest = file.parent.name + file.name
        if file.is_file() and len(digest) == _HEX and set(digest) <= set("0123456789abcdef"):
            yield digest, file


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
