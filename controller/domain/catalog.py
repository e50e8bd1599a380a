"""The registry as other tools list it: governed models beside free ones, in the shapes of MLflow's interface.

A *governed* model has a policy or versions of ours: its versions come from runs and move by decisions. A *free* model
has none: other tools keep it here as they would on an MLflow server, and nothing is decided about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from controller.domain.versions import VersionState

CHAMPION_ALIAS = "champion"
"""The alias that only a decision moves."""

NO_STAGE, STAGING, PRODUCTION, ARCHIVED = "None", "Staging", "Production", "Archived"
STAGES = (NO_STAGE, STAGING, PRODUCTION, ARCHIVED)
"""MLflow's stages, which its clients still ask for."""

STAGE_OF_STATE: Mapping[VersionState, str] = {
    VersionState.CANDIDATE: NO_STAGE,
    VersionState.CHALLENGER: STAGING,
    VersionState.CHAMPION: PRODUCTION,
}
"""The stage that a governed version shows; every other state shows as archived."""

STATE_TAG = "incumbent.state"
"""The tag under which a governed version's state can be read and searched."""

CatalogKind = Literal["free", "governed"]
Op = Literal["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN", ">", ">=", "<", "<="]
Field = Literal["name", "number", "run", "source", "created", "updated", "tag"]


def stage_of(state: VersionState) -> str:
    """The stage that a version in ``state`` shows."""
    return STAGE_OF_STATE.get(state, ARCHIVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogVersion:
    """A version as it is listed. ``source`` is what was given, ``storage`` where its files are.

    Both are empty for a governed version: its artifact is ``digest``, which the server itself serves.
    """

    model: str
    number: int
    kind: CatalogKind
    stage: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    source: str = ""
    storage: str = ""
    run: str = ""
    run_link: str = ""
    model_id: str = ""
    author: str = ""
    digest: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogModel:
    """A model as it is listed; ``latest`` has the newest version of each stage."""

    name: str
    kind: CatalogKind
    created_at: datetime
    updated_at: datetime
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    latest: tuple[CatalogVersion, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """One comparison of a search; ``key`` names the tag where the field is one. Clauses hold together (AND)."""

    field: Field
    op: Op
    value: str | int | tuple[str, ...]
    key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordering:
    """A field to order by."""

    field: Field
    descending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogSearch:
    """What is looked for. ``after`` holds the values of ``order`` of the last row that was given (exclusive)."""

    clauses: tuple[Clause, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int = 100
    after: tuple[str | int | datetime, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFreeVersion:
    """A version that is entered for a free model. ``number`` 0 is the next one; an import brings its own."""

    source: str
    storage: str
    number: int = 0
    stage: str = NO_STAGE
    created_at: datetime | None = None
    description: str = ""
    run: str = ""
    run_link: str = ""
    model_id: str = ""
    author: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
