"""Whose each model is, read from its policy in force."""

from __future__ import annotations

import re
from collections.abc import Callable

from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.ports import ActiveRules, Transaction

Parse = Callable[[str, str], Policy]
_OWNER = re.compile(r"^owner:[ \t]*([^\s#\"'{}\[\]]+)[ \t]*(?:#.*)?$", re.MULTILINE)
_MANY = 100_000
_FEW = 100
"""Texts that are read one by one; more of them are read at once."""


class Owners:
    """Whose each policy is. What a text says is kept by its blob, for a text never changes."""

    def __init__(self, parse: Parse, known: dict[str, str | None]) -> None:
        self._parse, self._known = parse, known

    def of(self, rules: ActiveRules) -> str | None:
        """Read from its line where it stands on one: thousands of policies are not parsed for it."""
        blob = rules.ref.blob
        if blob not in self._known:
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[blob] = self._read(rules)
        return self._known[blob]

    def _read(self, rules: ActiveRules) -> str | None:
        return self.named(rules.text, rules.ref.path)

    def named(self, text: str, path: str = "rules/policy.yaml") -> str | None:
        """The owner that a policy's text names; None if it names none or cannot be read."""
        found = _OWNER.search(text)
        if found:
            return found[1]
        if "owner" not in text:
            return None
        try:
            return self._parse(text, path).owner
        except (IncumbentError, KeyError):
            return None

    def each(self, tx: Transaction) -> dict[str, str | None]:
        """By model, of the policies in force; texts are read only of blobs that were never seen."""
        blobs = tx.rules.blobs()
        strange = [model for model, blob in blobs.items() if blob not in self._known]
        if len(strange) > _FEW:
            return {rules.model: self.of(rules) for rules in tx.rules.all_active()}
        read = [tx.rules.active(model) for model in strange]
        here = {rules.model: self.of(rules) for rules in read if rules is not None}
        return {model: self._known.get(blob) for model, blob in blobs.items()} | here
