"""The policies in force, parsed once a revision, for services that look at all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.errors import PolicyInvalid
from controller.domain.rules import Policy
from controller.ports import Store

log = logging.getLogger(__name__)

Parse = Callable[[str, str], Policy]
"""From a policy's text and path to its rules; raises PolicyInvalid."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A model's policy with the blob that it was parsed from. ``serving`` is set for a model's serving log."""

    model: str
    blob: str
    policy: Policy
    serving: str = ""


class ActivePolicies:
    """Reads the active rules. One that does not parse any more is left out here; the engine names it."""

    def __init__(self, store: Store, parse: Parse) -> None:
        self._store = store
        self._parse = parse
        self._parsed: dict[str, tuple[str, Policy | None]] = {}

    def read(self) -> list[InForce]:
        """Every policy in force, by model."""
        with self._store.read() as tx:
            active = tx.rules.all_active()
        known, self._parsed = self._parsed, {}
        found = []
        for rules in active:
            blob, policy = known.get(rules.model, ("", None))
            if blob != rules.ref.blob:
                policy = self._try(rules.text, rules.ref.path)
            self._parsed[rules.model] = (rules.ref.blob, policy)
            if policy is not None:
                found.append(InForce(rules.model, rules.ref.blob, policy))
        return found

    def _try(self, text: str, path: str) -> Policy | None:
        try:
            return self._parse(text, path)
        except PolicyInvalid as error:
            log.error("%s", error.sentence(), extra={"action": "parse_failed", "path": path})  # noqa: TRY400
            return None
