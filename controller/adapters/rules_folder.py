"""Rules from a folder, with no proof of review: the embedded default. Every page then says "unreviewed"."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from controller.domain.errors import Unavailable
from controller.ports import RuleText
from controller.rulefmt import blob_id

LARGEST_RULES_FILE = 1 << 20
"""Bytes. A policy has a few hundred; what is larger is not read at all."""

RULES_SUFFIXES = (".yaml", ".yml")
TEST_SUFFIXES = (".test.yaml", ".test.yml")


class RulesFolder:
    """A :class:`~controller.ports.RuleSource` over the files of one folder and the folders below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> list[RuleText]:
        """All policies, by path; Unavailable if the folder cannot be listed (what was in force stays so)."""
        found = []
        for path in self._files():
            name = path.relative_to(self._folder).as_posix()
            found.append(self._read(path, f"{self._folder.name}/{name}"))
        return found

    def _files(self) -> list[Path]:
        def fail(error: OSError) -> None:
            raise Unavailable(
                f"the rules folder {self._folder} cannot be listed: {error.strerror}.",
                hint="Until it can, the rules in force stay in force.",
            ) from error

        found = []
        for folder, folders, names in os.walk(self._folder, onerror=fail):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [
                Path(folder, name)
                for name in names
                if name.endswith(RULES_SUFFIXES)
                and not name.endswith(TEST_SUFFIXES)
                and not name.startswith(".")
            ]
        return sorted(found)

    def _read(self, path: Path, name: str) -> RuleText:
        """The file as it is, or the reason why it must not be put in force."""
        root = self._folder.resolve()
        try:
            if not path.resolve().is_relative_to(root):
                return _refused(name, "it is a symbolic link that leads out of the rules folder")
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                held = os.fstat(file.fileno())
                if not stat.S_ISREG(held.st_mode):
                    return _refused(name, "it is not a regular file")
                content = file.read(LARGEST_RULES_FILE + 1)
        except OSError as error:
            return _refused(name, f"it cannot be read ({error.strerror})")
        if len(content) > LARGEST_RULES_FILE:
            size = max(held.st_size, len(content))
            return _refused(
                name, f"it has {size:,} bytes, a policy has at most {LARGEST_RULES_FILE:,}"
            )
        return rule_text(name, content)


def rule_text(name: str, content: bytes) -> RuleText:
    """``content`` as a policy's text; refused if it is no UTF-8."""
    try:
        return RuleText(path=name, text=content.decode(), blob=blob_id(content))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _refused(name, f"line {line} is not valid UTF-8")


def _refused(name: str, reason: str) -> RuleText:
    return RuleText(path=name, text="", blob="", refused=f"{name}: {reason}.")
