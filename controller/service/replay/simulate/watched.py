"""Rules that remember which of their sections were read.

Deciding is a pure function. Where it read no section that another policy has otherwise, the other policy decides the
same, and need not be asked.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from controller.domain.rules import Policy

_SECTIONS = frozenset(field.name for field in fields(Policy))


class WatchedPolicy(Policy):
    """Decides as the policy that it is made from."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(**{name: getattr(policy, name) for name in _SECTIONS})
        object.__setattr__(self, "names_read", set())

    def __getattribute__(self, name: str) -> Any:
        if name in _SECTIONS:
            object.__getattribute__(self, "names_read").add(name)
        return object.__getattribute__(self, name)

    def sections_read(self) -> set[str]:
        """The sections that were read since it was asked last."""
        found: set[str] = object.__getattribute__(self, "names_read")
        object.__setattr__(self, "names_read", set())
        return found
