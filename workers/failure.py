"""The one way that work says no: a sentence for people, carried from wherever it was found to the run's end."""

from __future__ import annotations

import errno

from controller.domain.redact import redact

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that mean: there is no room on the disk."""


class Failure(Exception):
    """The run cannot be done. ``str(failure)`` is one sentence: what was found, and what to do; without secrets."""

    def __init__(self, sentence: str) -> None:
        super().__init__(redact(sentence))


def described(error: BaseException) -> str:
    """The kind of an exception of the user's code, and the first line of what it says, for a sentence.

    Secrets are taken out before it is cut, for half of one is not known as one; the traceback in the run's output has
    the whole.
    """
    lines = redact(str(error).strip()).splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
