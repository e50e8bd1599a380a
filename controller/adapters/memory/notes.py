"""Tags and descriptions in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.errors import Conflict
from controller.ports import Tag


class MemoryNotes:
    """Tags by (model, version, name), descriptions by (model, version)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def tag(self, tag: Tag) -> None:
        self._need(tag.model, tag.version)
        self._tables.tags[tag.model, tag.version, tag.name] = tag

    def untag(self, model: str, version: int, name: str) -> bool:
        return self._tables.tags.pop((model, version, name)) is not None

    def tags(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, str]]:
        found: dict[int, dict[str, str]] = {}
        of_model = [tag for tag in self._tables.tags.values() if tag.model == model]
        for tag in sorted(of_model, key=lambda tag: (tag.version, tag.name)):
            if numbers is None or tag.version in numbers:
                found.setdefault(tag.version, {})[tag.name] = tag.value
        return found

    def describe(
        self,
        model: str,
        version: int,
        text: str,
        *,
        actor: str,  # noqa: ARG002 - the databases keep it
        at: datetime,  # noqa: ARG002
    ) -> None:
        self._need(model, version)
        if text:
            self._tables.descriptions[model, version] = text
        else:
            self._tables.descriptions.pop((model, version))

    def descriptions(self, model: str, numbers: Collection[int] | None = None) -> Mapping[int, str]:
        return {
            number: self._tables.descriptions[owner, number]
            for owner, number in self._tables.descriptions
            if owner == model and (numbers is None or number in numbers)
        }

    def tagged(self, name: str, value: str | None = None) -> list[tuple[str, int]]:
        return sorted(
            (tag.model, tag.version)
            for tag in self._tables.tags.values()
            if tag.name == name and value in (None, tag.value)
        )

    def _need(self, model: str, version: int) -> None:
        if version and (model, version) not in self._tables.versions:
            raise Conflict(f"{model} has no version {version}.")
        if model not in self._tables.models:
            raise Conflict(f"There is no model {model}.")
