"""Text of a policy -> :class:`~controller.domain.rules.Policy`, or all of its problems at once."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass

from controller.domain.errors import NotFound, PolicyInvalid
from controller.domain.rules import Policy
from controller.rulefmt.nodes import LARGEST_FILE, read_nodes
from controller.rulefmt.problems import Position, Problem, Problems
from controller.rulefmt.scalar_readers import BAD
from controller.rulefmt.schema.policy import POLICY
from controller.rulefmt.sections import SectionReader


@dataclass(frozen=True, slots=True)
class ParsedPolicy:
    """The policy, or None and the problems; never both."""

    policy: Policy | None
    problems: tuple[Problem, ...]


def read_text(
    text: bytes | str, problems: Problems, reader: SectionReader, empty: str, hint: str = ""
) -> object:
    """What a whole text means, or BAD where it has problems; ``empty`` is said of one that holds nothing."""
    root, whole = read_nodes(text, problems)
    if root is None or root.empty:
        if not problems.found:
            problems.add(Position(), "empty", empty, hint)
        return BAD
    value = reader.read(root, "", problems)
    return value if whole and not problems.found else BAD


def parse(text: bytes | str, path: str) -> ParsedPolicy:
    """Read a policy. ``path`` is only quoted in problems. Never raises for what the text holds."""
    problems = Problems(path)
    empty, hint = "the file is empty, it must hold a policy", "write one with `incumbent init`"
    policy = read_text(text, problems, POLICY, empty, hint)
    return ParsedPolicy(policy if isinstance(policy, Policy) else None, problems.sorted())


def load_policy(text: bytes | str, path: str) -> Policy:
    """Like :func:`parse`; raises :class:`PolicyInvalid` with ``details["problems"]`` where it has any."""
    parsed = parse(text, path)
    if parsed.policy is not None:
        return parsed.policy
    count = len(parsed.problems)
    first = parsed.problems[0]
    more = f" (and {count - 1} more)" if count > 1 else ""
    raise PolicyInvalid(
        f"{first}{more}",
        hint=f"Run `incumbent check {path}` to see all problems." if count > 1 else "",
        details={"problems": [problem.as_dict() for problem in parsed.problems]},
    )


def read_policy_text(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a rules file; at most one byte more than a rules file may have is ever read.

    Raises :class:`NotFound` where there is no such file, :class:`PolicyInvalid` where it is no regular file.
    A file that is too large comes back cut, so that :func:`parse` reports its size as a problem.
    """
    name = os.fspath(path)
    try:
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PolicyInvalid(f"{name} is not a regular file, a policy is one.")
            return file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise NotFound(f"There is no file {name}.") from None
    except IsADirectoryError:
        raise PolicyInvalid(f"{name} is a directory, a policy is a file.") from None
    except PermissionError:
        raise PolicyInvalid(f"{name} cannot be read: permission denied.") from None


def blob_id(text: bytes) -> str:
    """The id that git gives to these bytes as a blob: SHA-1 of a header with their length, a NUL, the bytes."""
    return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
