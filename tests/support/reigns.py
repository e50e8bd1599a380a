"""The reigns that the tags at a team's registry tell of, read back."""

from __future__ import annotations

from collections.abc import Iterable

from controller.domain.canonical import parse_time
from controller.domain.versions import Reign
from controller.ports.publication import RemoteVersion
from controller.service.registry.mlflow.records import NUMBER, REIGN


def reigns_of(versions: Iterable[RemoteVersion]) -> list[Reign]:
    """The reigns that the tags of a model's versions tell of, newest first."""
    begun: dict[int, tuple[int, str, str]] = {}
    for remote in versions:
        number = int(remote.tags.get(NUMBER, "0"))
        for key, said in remote.tags.items():
            if key.startswith(REIGN):
                since, _, cause = said.partition(" ")
                begun[int(key.removeprefix(REIGN))] = (number, since, cause)
    found: list[Reign] = []
    for generation in sorted(begun, reverse=True):
        number, since, _ = begun[generation]
        after = begun.get(generation + 1)
        found.append(
            Reign(
                version=number,
                generation=generation,
                since=parse_time(since),
                until=parse_time(after[1]) if after else None,
                ended_by=after[2] if after else "",
            )
        )
    return found
