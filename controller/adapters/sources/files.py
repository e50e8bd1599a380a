"""Files as a data source: what is new in a folder or bucket, whole, digested and counted.

When is a file data? When :func:`~controller.adapters.sources.formats.check_whole` says that it is whole and its
stamp (size, time of change, inode) was the same before and after it was read. CSV and JSON lines have no footer, so
they must also rest: not changed for ``settle`` seconds. Object stores show only whole objects and need no rest.
A file that rests and is still broken is reported as a problem, in one sentence, until it changes.

The cursor is JSON: ``files`` maps each URI to stamp, digest and rows, so that an unchanged file is never read again;
``broken`` maps a URI to stamp and sentence. A changed file is a new batch, and so is one whose content came back.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.adapters.sources.formats import (
    SETTLING,
    Meter,
    check_whole,
    format_of,
)
from controller.adapters.sources.limits import Unreadable
from controller.adapters.sources.listing import Entry, Location, open_place
from controller.adapters.sources.reach import Reach
from controller.domain.errors import Unavailable
from controller.ports import Batch, Poll

MOST_FILE_PROBLEMS = 20
FILES_CURSOR_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class FileOptions:
    """``time`` is the column whose range is noted; ``settle`` seconds a line format must rest.

    ``most`` bounds how many new files one look takes, so that the first look at a full folder is committed in parts.
    """

    time: str | None = None
    settle: float = 1.0
    most: int = 2000
    storage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Cursor:
    files: dict[str, list[str]] = field(default_factory=dict)
    broken: dict[str, list[str]] = field(default_factory=dict)
    resting: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> _Cursor:
        held = json.loads(text) if text else {}
        if held.get("version", FILES_CURSOR_VERSION) != FILES_CURSOR_VERSION:
            return cls()
        return cls(held.get("files", {}), held.get("broken", {}), held.get("resting", {}))

    def write(self) -> str:
        held = {
            "version": FILES_CURSOR_VERSION,
            "files": self.files,
            "broken": self.broken,
            "resting": self.resting,
        }
        return json.dumps(held, sort_keys=True, separators=(",", ":"))


@dataclass(slots=True)
class _Look:
    """One poll in the making: what was there before, and what is there now."""

    before: _Cursor
    now: float
    after: _Cursor = field(default_factory=_Cursor)
    batches: list[Batch] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    unsettled: bool = False
    left: int = 0


class FileSource:
    """A :class:`~controller.ports.DataSource` over the files that ``pattern`` means."""

    def __init__(
        self,
        pattern: str,
        *,
        base: Path | None = None,
        options: FileOptions | None = None,
        wall: Callable[[], float] = time.time,
        place: Location | None = None,
        reach: Reach | None = None,
    ) -> None:
        """``wall`` gives seconds since 1970 by the file system's clock, ``place`` lists other than files.

        ``reach`` says which addresses may be read, those that a table's log names too.
        """
        self.pattern = pattern
        self._reach = reach or Reach()
        self.options = options or FileOptions()
        self.place: Location = place or open_place(
            pattern, base or Path.cwd(), self._reach, dict(self.options.storage)
        )
        self._wall = wall
        self._meter = Meter()
        self._parsed: tuple[str, _Cursor] | None = None

    @property
    def roots(self) -> tuple[Path, ...]:
        """Local folders in which a change means: look now."""
        return self.place.roots

    def poll(self, cursor: str | None) -> Poll:
        """What is there that ``cursor`` has not seen; raises Unavailable when the place does not answer."""
        try:
            return self._poll(cursor)
        finally:
            self._meter.close()

    def _poll(self, cursor: str | None) -> Poll:
        look = _Look(before=self._read(cursor), now=self._wall(), left=self.options.most)
        more = False
        for entry in sorted(self.place.entries(), key=lambda entry: entry.uri):
            known = look.before.files.get(entry.uri)
            if known is not None and known[0] == entry.stamp:
                look.after.files[entry.uri] = known
            elif look.left > 0:
                self._take(look, entry, known)
            else:
                more = True
                _carry(look, entry.uri)
        return self._answer(look, more=more)

    def _read(self, text: str | None) -> _Cursor:
        if text is not None and self._parsed is not None and self._parsed[0] == text:
            return self._parsed[1]
        return _Cursor.read(text)

    def _answer(self, look: _Look, *, more: bool) -> Poll:
        text = look.after.write()
        self._parsed = (text, look.after)
        again = 0.0 if more else self.options.settle if look.unsettled else None
        gone = sorted(look.before.files.keys() - look.after.files) if self.place.exact else []
        batches = look.batches
        if self.place.exact:
            lost = sum(int(look.before.files[uri][2]) for uri in gone)
            batches = _net(batches, lost)
        return Poll(
            gone=tuple(gone),
            batches=tuple(batches),
            cursor=text,
            problems=_problems(look.after.broken, look.away),
            again=None if again is None else timedelta(seconds=again),
        )

    def _take(self, look: _Look, entry: Entry, known: list[str] | None) -> None:
        broken = look.before.broken.get(entry.uri)
        if broken is not None and broken[0] == entry.stamp:
            look.after.broken[entry.uri] = broken
            return
        kind = format_of(entry.name)
        if kind is None:
            look.after.broken[entry.uri] = [entry.stamp, "its ending names no format that is known"]
            return
        if reason := self._reach.reason(entry.uri):
            look.after.broken[entry.uri] = [entry.stamp, reason]
            return
        rests = self._rests(look, entry)
        if not rests and kind in SETTLING:
            look.unsettled = True
            _carry(look, entry.uri)
            return
        look.left -= 1
        try:
            batch = self._batch(entry, kind)
        except Unreadable as error:
            self._put_aside(look, entry, rests=rests, reason=str(error))
            return
        except Unavailable as error:
            _skip_for_now(look, entry, error)
            return
        if batch is None:
            look.unsettled = True
            _carry(look, entry.uri)
            return
        look.after.files[entry.uri] = [entry.stamp, batch.digest, str(batch.rows or 0)]
        look.after.resting.pop(entry.uri, None)
        if known is None or known[1] != batch.digest:
            look.batches.append(batch)

    def _rests(self, look: _Look, entry: Entry) -> bool:
        """Whether the file has not changed for ``settle`` seconds, by its own time or by ours."""
        if entry.atomic:
            return True
        age = None if entry.modified is None else look.now - entry.modified
        if age is not None and age >= self.options.settle:
            return True
        first = look.before.resting.get(entry.uri)
        if first is None or first[0] != entry.stamp:
            first = [entry.stamp, look.now]
        look.after.resting[entry.uri] = first
        return bool(look.now - first[1] >= self.options.settle)

    def _put_aside(self, look: _Look, entry: Entry, *, rests: bool, reason: str) -> None:
        """Not data: a problem if the file rests, else look again soon."""
        if rests:
            look.after.broken[entry.uri] = [entry.stamp, reason]
            look.after.resting.pop(entry.uri, None)
        else:
            look.unsettled = True
        _carry(look, entry.uri)

    def _batch(self, entry: Entry, kind: str) -> Batch | None:
        """The file as a batch; None if it changed while it was read."""
        try:
            with self.place.local(entry) as path:
                check_whole(path, kind, entry.name)
                digest = _digest(path)
                measured = self._meter.measure(path, kind, entry.name, self.options.time)
        except OSError as error:
            if self.place.stamp(entry) != entry.stamp:
                return None
            reason = error.strerror or error
            raise Unavailable(f"{entry.uri} cannot be read: {reason}.") from error
        except Unreadable:
            if self.place.stamp(entry) != entry.stamp:
                return None
            raise
        if self.place.stamp(entry) != entry.stamp:
            return None
        return Batch(
            uri=entry.uri,
            digest=digest,
            size=entry.size,
            rows=measured.rows,
            schema=measured.schema,
            details=measured.details,
        )


def _carry(look: _Look, uri: str) -> None:
    """Keep what was known of a file that is not settled anew: its old content stays the data until then."""
    known = look.before.files.get(uri)
    if known is not None:
        look.after.files[uri] = known


def _skip_for_now(look: _Look, entry: Entry, error: Unavailable) -> None:
    """One file that cannot be fetched delays no other; after three the place itself is away."""
    look.away.append(error.sentence())
    if len(look.away) >= 3 and not look.batches:
        raise error
    _carry(look, entry.uri)


def _net(batches: list[Batch], lost: int) -> list[Batch]:
    """Of a table that was rewritten, how many rows are new: those that came beyond those that went."""
    found = []
    for batch in batches:
        rows = batch.rows or 0
        new = max(0, rows - lost)
        lost = max(0, lost - rows)
        details = batch.details if new == rows else {**batch.details, "new_rows": new}
        found.append(replace(batch, details=details))
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _problems(broken: Mapping[str, list[str]], away: list[str]) -> tuple[str, ...]:
    found = away + [f"{uri} is not data: {reason}." for uri, (_, reason) in sorted(broken.items())]
    if len(found) > MOST_FILE_PROBLEMS:
        more = len(found) - MOST_FILE_PROBLEMS
        return (*found[:MOST_FILE_PROBLEMS], f"{more} more files are not data.")
    return tuple(found)
