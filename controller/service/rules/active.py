"""The policies in force, parsed once a revision, for services that look at all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.domain.errors import PolicyInvalid
from controller.domain.rules import Policy
from controller.ports import Store

log = logging.getLogger(__name__)

Parse = Callable[[str, str], Policy]
"""From a policy's text and path to its rules; raises PolicyInvalid."""

_FEW = 20


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
        self._blobs: Mapping[str, str] = {}
        self._parsed: dict[str, tuple[str, Policy | None]] = {}
        self._found: list[InForce] = []

    def read(self) -> list[InForce]:
        """Every policy in force, by model; the very same list while nothing has changed."""
        with self._store.read() as tx:
            blobs = tx.rules.blobs()
            if blobs == self._blobs:
                return self._found
            changed = [m for m, blob in blobs.items() if self._blobs.get(m) != blob]
            # A few are asked for one by one; when there are many, all are read at once.
            active = (
                [rules for model in changed if (rules := tx.rules.active(model)) is not None]
                if len(changed) <= _FEW
                else tx.rules.all_active()
            )
        for rules in active:
            if self._parsed.get(rules.model, ("", None))[0] != rules.ref.blob:
                policy = self._try(rules.text, rules.ref.path)
                self._parsed[rules.model] = (rules.ref.blob, policy)
        self._parsed = {model: self._parsed[model] for model in sorted(blobs)}
        self._blobs = dict(blobs)
        self._found = [
            InForce(model, blob, policy)
            for model, (blob, policy) in self._parsed.items()
            if policy is not None
        ]
        return self._found

    def _try(self, text: str, path: str) -> Policy | None:
        try:
            return self._parse(text, path)
        except PolicyInvalid as error:
            log.error("%s", error.sentence(), extra={"action": "parse_failed", "path": path})  # noqa: TRY400
            return None
