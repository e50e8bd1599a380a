"""Brings a team's MLflow models into our registry, and ours to theirs, once.

What is imported is free: its versions did not come from trainings of ours, so nothing can be decided about them.
Doing it again brings what is new. Numbers stay what they were, so that ``models:/NAME/7`` goes on meaning the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from controller.domain.catalog import CHAMPION_ALIAS, NO_STAGE, STAGES, NewFreeVersion
from controller.domain.errors import Conflict, NotFound
from controller.domain.versions import Version
from controller.ports import Store
from controller.ports.publication import NewRemote, TeamRegistry
from controller.service.registry.mlflow.records import (
    DIGEST,
    GENERATION,
    NUMBER,
    RECORD,
    STATE,
    reign_tags,
    tags_of,
)


class Asks(Protocol):
    """An MLflow server as far as an import reads it."""

    def ask(self, verb: str, path: str, **arguments: Any) -> dict[str, Any]:
        """One method of its interface."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What became of one model. ``skipped`` says why nothing did."""

    model: str
    versions: int = 0
    aliases: int = 0
    skipped: str = ""


def import_models(
    store: Store, server: Asks, names: Sequence[str], now: datetime, named: str = ""
) -> Iterator[Moved]:
    """Each named model (all, if none is) with versions, aliases, tags and descriptions; NotFound for an unknown one.

    ``named`` is what the only one of ``names`` is called here.
    """
    left = set(names)
    for model in _models(server):
        name = str(model.get("name", ""))
        if names and name not in left:
            continue
        left.discard(name)
        yield _import_one(store, server, model, now, named or name)
    if left:
        raise NotFound(f"The server has no model called {min(left)}.")


def _models(server: Asks) -> Iterator[Mapping[str, Any]]:
    yield from _pages(server, "registered-models/search", "registered_models", max_results=100)


def _pages(server: Asks, path: str, key: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
    token = None
    while True:
        answer = server.ask("GET", path, page_token=token, **arguments)
        yield from answer.get(key, [])
        token = answer.get("next_page_token")
        if not token:
            return


def _import_one(
    store: Store, server: Asks, model: Mapping[str, Any], now: datetime, here: str
) -> Moved:
    name = str(model["name"])
    with store.read() as tx:
        kind = tx.catalog.kind(here)
    if kind == "governed":
        why = "has a policy here, and its versions come from its trainings; --as gives another name"
        return Moved(model=name, skipped=f"{'it' if here == name else here} {why}")
    quoted = f'"{name}"' if "'" in name else f"'{name}'"
    versions = sorted(
        _pages(
            server,
            "model-versions/search",
            "model_versions",
            filter=f"name = {quoted}",
            max_results=1000,
        ),
        key=lambda v: int(v["version"]),
    )
    places = {int(v["version"]): _place(server, name, v) for v in versions}
    entered = 0
    with store.begin() as tx:
        if tx.catalog.model(here) is None:
            said = str(model.get("description", ""))
            tx.free.add_model(here, description=said, tags=_tags(model), at=now)
        for version in versions:
            number = int(version["version"])
            if tx.catalog.version(here, number) is not None:
                continue
            tx.free.add_version(here, _entered(version, places[number]), now)
            entered += 1
        aliases = {str(a["alias"]): int(a["version"]) for a in model.get("aliases", [])}
        for alias, number in aliases.items():
            tx.free.point(here, alias, number)
    return Moved(model=here, versions=entered, aliases=len(aliases))


def _place(server: Asks, name: str, version: Mapping[str, Any]) -> str:
    """Where its files are: the source, unless that is another version."""
    source = str(version.get("source", ""))
    if not source.startswith("models:/") or "/" not in source.removeprefix("models:/"):
        return source
    answer = server.ask(
        "GET", "model-versions/get-download-uri", name=name, version=version["version"]
    )
    return str(answer.get("artifact_uri", source))


def _entered(version: Mapping[str, Any], place: str) -> NewFreeVersion:
    stage = str(version.get("current_stage", NO_STAGE))
    return NewFreeVersion(
        source=str(version.get("source", "")),
        storage=place,
        number=int(version["version"]),
        stage=stage if stage in STAGES else NO_STAGE,
        created_at=datetime.fromtimestamp(int(version.get("creation_timestamp", 0)) / 1000, UTC),
        description=str(version.get("description", "")),
        run=str(version.get("run_id", "")),
        run_link=str(version.get("run_link", "")),
        model_id=str(version.get("model_id", "")),
        author=str(version.get("user_id", "")),
        tags=_tags(version),
    )


def _tags(said: Mapping[str, Any]) -> dict[str, str]:
    return {str(one.get("key")): str(one.get("value", "")) for one in said.get("tags", [])}


def export_models(
    store: Store, team: TeamRegistry, package: Callable[[Version], NewRemote], names: Sequence[str]
) -> Iterator[Moved]:
    """Each named governed model (all, if none is), its champion's alias last; a version that is there stays."""
    with store.read() as tx:
        known = [state.model for state in tx.models.all() if state.next_version > 1]
    for name in names:
        if name not in known:
            raise NotFound(f"There is no model called {name} with versions to export.")
    for name in names or known:
        yield _export_one(store, team, package, name)


def _export_one(
    store: Store, team: TeamRegistry, package: Callable[[Version], NewRemote], model: str
) -> Moved:
    with store.read() as tx:
        state = tx.models.state(model)
        versions = tuple(reversed(tx.registry.versions(model)))
        reigns = tx.registry.history(model, 50)
    team.ensure_model(model, f"Governed by Incumbent: {model}.")
    numbers: dict[int, int] = {}
    entered = 0
    for version in versions:
        there = [
            remote
            for remote in team.find(model, NUMBER, str(version.number))
            if remote.tags.get(DIGEST) == version.digest
        ]
        if there:
            numbers[version.number] = there[0].number
            said = tags_of(version)
            for key in (RECORD, STATE):
                team.tag(model, there[0].number, key, said[key])
        else:
            numbers[version.number] = team.create(model, package(version))
            entered += 1
    for (number, key), text in reign_tags(reigns).items():
        team.tag(model, numbers[number], key, text)
    if state.champion is None:
        return Moved(model=model, versions=entered)
    target = numbers[state.champion]
    team.tag(model, target, GENERATION, str(state.generation))
    team.point(model, CHAMPION_ALIAS, target)
    back = team.pointed(model, CHAMPION_ALIAS)
    if back is None or back.number != target:
        raise Conflict(f"Somebody else moved the alias champion of {model} at {team.place}.")
    return Moved(model=model, versions=entered, aliases=1)
