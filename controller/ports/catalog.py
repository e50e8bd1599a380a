"""The catalogue that other tools see, and the book of free models that they may write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from controller.domain.catalog import (
    CatalogKind,
    CatalogModel,
    CatalogSearch,
    CatalogVersion,
    NewFreeVersion,
)


class Catalog(Protocol):
    """Reads governed and free models alike. Whatever was deleted is not there."""

    def kind(self, name: str) -> CatalogKind | None:
        """Whether the name is governed or free; None if nobody knows it."""
        ...

    def model(self, name: str) -> CatalogModel | None: ...

    def version(self, name: str, number: int) -> CatalogVersion | None: ...

    def by_alias(self, name: str, alias: str) -> CatalogVersion | None:
        """The version that an alias points at, in one statement whatever the number of versions."""
        ...

    def models(self, search: CatalogSearch) -> list[CatalogModel]:
        """Models by name where the search does not say otherwise."""
        ...

    def versions(self, search: CatalogSearch) -> list[CatalogVersion]:
        """Versions, those changed last first where the search does not say otherwise."""
        ...


class FreeModelRepository(Protocol):
    """Models without a policy. A number is never given twice, not even after its model was deleted and made anew.

    Every method raises NotFound for a model or version that is not there.
    """

    def add_model(
        self, name: str, *, description: str, tags: Mapping[str, str], at: datetime
    ) -> None:
        """Enter a model; AlreadyExists if the name is taken."""
        ...

    def change_model(
        self,
        name: str,
        *,
        at: datetime,
        description: str | None = None,
        new_name: str | None = None,
    ) -> None:
        """Describe or rename a model; AlreadyExists if the new name is taken."""
        ...

    def remove_model(self, name: str, at: datetime) -> None:
        """Take a model and all its versions out of every list."""
        ...

    def add_version(self, name: str, version: NewFreeVersion, at: datetime) -> int:
        """Enter a version under the model's next number, or under its own if that was never given (else Conflict)."""
        ...

    def change_version(
        self,
        name: str,
        number: int,
        *,
        at: datetime,
        description: str | None = None,
        stage: str | None = None,
        alone: bool = False,
    ) -> None:
        """Describe a version or give it a stage; ``alone`` archives the others that have this stage."""
        ...

    def remove_version(self, name: str, number: int, at: datetime) -> None:
        """Take a version out of every list, with the aliases that point at it."""
        ...

    def tag(self, name: str, number: int, key: str, value: str | None) -> None:
        """Set a tag of a version (number 0: of the model), or take it off (None)."""
        ...

    def point(self, name: str, alias: str, number: int | None) -> None:
        """Let an alias point at a version, or take it away (None)."""
        ...
