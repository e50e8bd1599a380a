"""A version as tags in a team's registry, and back: whoever reads there sees what it is and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controller.domain import codec
from controller.domain.canonical import canonical_json, format_time
from controller.domain.versions import Reign, Version
from controller.ports.publication import RemoteVersion

NUMBER, STATE, DIGEST, RUN = (
    "incumbent.version",
    "incumbent.state",
    "incumbent.digest",
    "incumbent.run",
)
RECORD = "incumbent.record"
"""Everything about the version, as canonical JSON."""
GENERATION = "incumbent.generation"
"""The seat's generation at which the version last became champion; written after the alias and read back."""
REIGN = "incumbent.reign."
"""Followed by a generation: when that reign began, and by what."""


def tags_of(version: Version) -> dict[str, str]:
    """The tags of a version."""
    return {
        NUMBER: str(version.number),
        STATE: version.state.value,
        DIGEST: version.digest,
        RUN: version.run,
        RECORD: canonical_json(version),
    }


def version_from_tags(remote: RemoteVersion) -> Version | None:
    """The version that the tags tell of; None if it is none of ours. IntegrityError if the record cannot be read."""
    record = remote.tags.get(RECORD)
    return None if record is None else codec.load_value(Version, record)


def reign_tags(reigns: Iterable[Reign]) -> Mapping[tuple[int, str], str]:
    """Of each reign (newest first): version and tag, with what it says."""
    found: dict[tuple[int, str], str] = {}
    given = list(reigns)
    for place, reign in enumerate(given):
        before = given[place + 1] if place + 1 < len(given) else None
        cause = before.ended_by if before else "promotion"
        found[reign.version, f"{REIGN}{reign.generation}"] = f"{format_time(reign.since)} {cause}"
    return found
