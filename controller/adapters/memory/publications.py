"""What was published, in memory, and a team's registry there: the fake that tests of the publisher use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.errors import NotFound
from controller.domain.publication import Publication, Sent
from controller.ports.publication import NewRemote, RemoteVersion


class MemoryPublications:
    """One row a model, one a version of it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, model: str) -> Publication | None:
        return self._tables.publications.get(model)

    def put(self, publication: Publication) -> None:
        self._tables.publications[publication.model] = publication

    def all(self) -> list[Publication]:
        return sorted(self._tables.publications.values(), key=lambda p: p.model)

    def hint(self, model: str, at: datetime, since: datetime) -> bool:
        row = self._tables.publications.get(model)
        if row is None or (row.checked_at is not None and row.checked_at > since):
            return False
        if row.look_at is not None and row.look_at <= at:
            return False
        self._tables.publications[model] = replace(row, look_at=at)
        return True

    def sent(self, model: str) -> Mapping[int, Sent]:
        return dict(sorted((self._tables.published.get(model) or {}).items()))

    def note(self, model: str, number: int, sent: Sent) -> None:
        known = self._tables.published.get(model) or {}
        self._tables.published[model] = {**known, number: sent}

    def forget(self, model: str) -> None:
        self._tables.published[model] = {}


@dataclass
class MemoryTeamRegistry:
    """A registry like MLflow's: the last writer wins, and whoever has access may write.

    ``before`` is called with the name of each method that is asked for; a test raises there what a server does.
    """

    place: str = "mlflow://memory"
    models: dict[str, list[RemoteVersion | None]] = field(default_factory=dict)
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _: None

    def ensure_model(self, model: str, description: str) -> None:
        del description
        self.before("ensure_model")
        self.models.setdefault(model, [])

    def find(self, model: str, tag: str, value: str) -> list[RemoteVersion]:
        self.before("find")
        there = [self._shown(model, v) for v in self.models.get(model, []) if v is not None]
        return [v for v in reversed(there) if v.tags.get(tag) == value]

    def get(self, model: str, number: int) -> RemoteVersion | None:
        self.before("get")
        there = self.models.get(model, [])
        found = there[number - 1] if 0 < number <= len(there) else None
        return None if found is None else self._shown(model, found)

    def create(self, model: str, new: NewRemote) -> int:
        self.before("create")
        if model not in self.models:
            raise NotFound(f"Registered Model with name={model} not found")
        there = self.models[model]
        there.append(
            RemoteVersion(
                number=len(there) + 1,
                source=new.link,
                description=new.description,
                tags=dict(new.tags),
            )
        )
        return len(there)

    def tag(self, model: str, number: int, key: str, value: str) -> None:
        self.before("tag")
        found = self.models.get(model, [None] * number)[number - 1]
        if found is None:
            raise NotFound(f"Model Version (name={model}, version={number}) not found")
        self.models[model][number - 1] = replace(found, tags={**found.tags, key: value})

    def point(self, model: str, alias: str, number: int) -> None:
        self.before("point")
        self.aliases[model, alias] = number

    def pointed(self, model: str, alias: str) -> RemoteVersion | None:
        self.before("pointed")
        number = self.aliases.get((model, alias))
        return None if number is None else self.get(model, number)

    def _shown(self, model: str, version: RemoteVersion) -> RemoteVersion:
        mine = (a for (m, a), n in self.aliases.items() if m == model and n == version.number)
        return replace(version, aliases=tuple(sorted(mine)))

    def lose_everything(self) -> None:
        """The server comes back with an empty database."""
        self.models.clear()
        self.aliases.clear()
