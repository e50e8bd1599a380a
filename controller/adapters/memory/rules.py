"""Rule texts in memory, and which of them are in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.models import MemoryModels
from controller.adapters.memory.tables import Tables
from controller.ports import ActiveRules, RuleQuery


class MemoryRuleStore:
    """Active rules by model, texts by blob. A text is never forgotten: old decisions name it."""

    def __init__(self, tables: Tables, models: MemoryModels) -> None:
        self._tables = tables
        self._models = models

    def activate(self, rules: ActiveRules) -> None:
        self._tables.texts[rules.ref.blob] = rules.text
        self._tables.rules[rules.model] = rules
        self._models.update(rules.model, wake_at=rules.activated_at)

    def active(self, model: str) -> ActiveRules | None:
        return self._tables.rules.get(model)

    def all_active(self) -> list[ActiveRules]:
        return sorted(self._tables.rules.values(), key=lambda rules: rules.model)

    def find(self, query: RuleQuery) -> list[ActiveRules]:
        found = [
            rules
            for rules in self.all_active()
            if query.name.lower() in rules.model.lower()
            and rules.model > query.after
            and (rules.refused or not query.refused)
        ]
        return found[: query.limit]

    def blobs(self) -> Mapping[str, str]:
        return {rules.model: rules.ref.blob for rules in self.all_active()}

    def text(self, blob: str) -> str | None:
        return self._tables.texts.get(blob)

    def models(self) -> list[str]:
        return sorted({*self._tables.models, *self._tables.rules})

    def refuse(self, model: str, reason: str) -> None:
        found = self._tables.rules.get(model)
        if found is not None:
            self._tables.rules[model] = replace(found, refused=reason)

    def retire(
        self,
        model: str,
        reason: str,  # noqa: ARG002 - the databases keep it
        at: datetime,
    ) -> None:
        if self._tables.rules.pop(model) is not None:
            self._models.update(model, wake_at=at)
