"""Keeps the home folder for its owner: database, keys, models and logs are nobody else's to read.

Every process that works in a home calls :func:`prepare_home` before it writes: new files are private by the umask,
which its children inherit, and what an earlier version left open is closed.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from controller.domain.errors import ConfigurationError

log = logging.getLogger(__name__)

Access = Literal["owner", "group"]
"""Who may use a home: its owner alone, or the members of its folders' groups too."""

_CLOSED: dict[Access, int] = {"owner": 0o077, "group": 0o007}
"""The rights that nobody else has, by who may use the home; also the umask."""
_O_PATH = getattr(os, "O_PATH", 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenPlace:
    """A file or folder of a home that others may use. ``why`` says what keeps it from being closed, empty: nothing."""

    path: Path
    mode: int
    why: str = ""

    def __str__(self) -> str:
        said = f"{self.path} (mode {self.mode:04o})"
        return f"{said}, {self.why}" if self.why else said


def prepare_home(home: Path, access: Access = "owner") -> list[OpenPlace]:
    """Make the folder if it is not there, let this process write privately, and close what is open in it.

    Rights are only taken away, never given. Symbolic links are not followed, and what is mounted into the home, has a
    second name (a hard link) or belongs to another user stays as it is. What stays open is logged and returned.

    Raises:
        ConfigurationError: ``home`` is the root of the file system, or cannot be made.
    """
    place = home.resolve()
    if place == Path(place.anchor):
        raise ConfigurationError(
            f"the home {place} is the root of the file system.",
            hint="Give INCUMBENT_HOME a folder of its own.",
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)  # by the umask of before: it is not ours
        os.umask(_CLOSED[access])
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the home {place} cannot be made: {error.strerror}.",
            hint="Choose another INCUMBENT_HOME, or make it writable.",
        ) from error
    left = [one for one in _walk(place, _CLOSED[access], close=True) if one.why]
    if left:
        log.warning(
            "others may use %s%s",
            left[0],
            f", and {len(left) - 1:,} more files and folders of {place}" if len(left) > 1 else "",
            extra={"action": "home"},
        )
    return left


def open_places(home: Path, access: Access = "owner") -> list[OpenPlace]:
    """What of a home others may use now; nothing is changed."""
    place = home.resolve()
    return list(_walk(place, _CLOSED[access], close=False)) if place.is_dir() else []


@contextmanager
def private_files() -> Iterator[None]:
    """Files that are made in the block are for their owner alone: copies of a home that lie elsewhere."""
    before = os.umask(_CLOSED["owner"])
    try:
        yield
    finally:
        os.umask(before)


def mode_like(folder: Path) -> int:
    """The rights of a file (without execution) that whoever may use ``folder`` may use, and nobody else."""
    return stat.S_IMODE(folder.stat().st_mode) & 0o666 | 0o600


def _walk(home: Path, closed: int, *, close: bool) -> Iterator[OpenPlace]:
    """Every place with a right of ``closed``, the folder itself first; what goes away meanwhile is left out."""
    device = home.stat().st_dev
    with suppress(FileNotFoundError):
        yield from _look(home, (home.name, None), (closed, device), close=close)
    walk = os.fwalk(home, follow_symlinks=False)
    for folder, folders, files, handle in walk:
        for name in [*folders, *files]:
            with suppress(FileNotFoundError):
                at = Path(folder, name)
                yield from _look(at, (name, handle), (closed, device), close=close)
        folders[:] = [name for name in folders if _is_within(name, handle, device)]


def _is_within(name: str, handle: int, device: int) -> bool:
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=handle, follow_symlinks=False).st_dev == device
    return False


def _look(
    path: Path, at: tuple[str, int | None], only: tuple[int, int], *, close: bool
) -> Iterator[OpenPlace]:
    """The place if it is open; ``at``: its name in an open folder (None: the path), ``only``: rights and device."""
    name, handle = at if at[1] is not None else (str(path), None)
    closed, device = only
    seen = os.stat(name, dir_fd=handle, follow_symlinks=False)
    mode = stat.S_IMODE(seen.st_mode)
    if stat.S_ISLNK(seen.st_mode) or not mode & closed or seen.st_dev != device:
        return
    why = _reason_to_leave(seen)
    if close and not why:
        try:
            _change(name, handle, seen, mode & ~closed)
        except FileNotFoundError:
            return
        except OSError as error:
            why = f"and it cannot be changed: {error.strerror}"
    yield OpenPlace(path=path, mode=mode, why=why)


def _reason_to_leave(seen: os.stat_result) -> str:
    if seen.st_uid != os.geteuid():
        return f"and it belongs to another user ({seen.st_uid})"
    if stat.S_ISREG(seen.st_mode) and seen.st_nlink > 1:
        return "and it has a second name (a hard link), perhaps elsewhere"
    return ""


def _change(name: str, handle: int | None, seen: os.stat_result, mode: int) -> None:
    """Change the rights of what was seen, even if a symbolic link has taken its name meanwhile."""
    if sys.platform != "linux":  # it can do so without following a link
        os.chmod(name, mode, dir_fd=handle, follow_symlinks=False)
        return
    opened = os.open(name, _O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    try:
        now = os.fstat(opened)
        if (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino):
            Path(f"/proc/self/fd/{opened}").chmod(mode)
    finally:
        os.close(opened)
