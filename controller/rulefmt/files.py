"""Which files of a folder are rules: policies (``NAME.yaml``) and their tests (``NAME.test.yaml``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from controller.domain.errors import NotFound, PolicyInvalid

_ENDINGS = (".yaml", ".yml")
_TEST_ENDINGS = (".test.yaml", ".test.yml")


def is_test(path: Path | str) -> bool:
    """Whether a path names a rule test."""
    return str(path).endswith(_TEST_ENDINGS)


def rule_files(paths: Iterable[Path]) -> list[Path]:
    """The rule files that ``paths`` name, folders read whole, each once and in a stable order.

    Raises :class:`NotFound` for a path that is not there, and :class:`PolicyInvalid` for a link that leads out of
    its folder: what it shows can change without a review.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_in_folder(path)))
        elif path.exists():
            found[path] = None
        else:
            raise NotFound(f"There is no file or folder {path}.")
    return list(found)


def _in_folder(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _ENDINGS or any(
            p.startswith(".") for p in path.relative_to(folder).parts
        ):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise PolicyInvalid(
                f"{path} is a symbolic link that leads out of {folder}.",
                hint="Put the file itself there.",
            )
        if path.is_file():
            yield path
