"""The one way that work says no: a sentence for people, carried from wherever it was found to the run's end."""

from __future__ import annotations

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that mean: there is no room on the disk."""


class Failure(Exception):
    """The run cannot be done. ``str(failure)`` is one sentence: what was found, and what to do."""
