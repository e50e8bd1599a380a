"""What MLflow's clients may ask of our registry and do to it, method by method.

Free models are kept as MLflow keeps them. Of governed models everything can be read; what would move a champion or
take history away is refused with the command that does it by a decision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controller.domain.catalog import (
    ARCHIVED,
    CHAMPION_ALIAS,
    NO_STAGE,
    PRODUCTION,
    STAGES,
    STAGING,
    CatalogModel,
    CatalogSearch,
    CatalogVersion,
    NewFreeVersion,
    Ordering,
)
from controller.domain.errors import AlreadyExists, Forbidden, NotFound, UserError
from controller.ports import Tag, Transaction
from controller.service.commands.submit import Command
from controller.service.registry.mlflow.filters import (
    MODEL_FIELDS,
    MODEL_ORDERS,
    VERSION_FIELDS,
    VERSION_ORDERS,
    page_token,
    parse_filter,
    parse_order,
    read_token,
)

MOST_SEARCHED_MODELS = 1000
MOST_VERSIONS = 200_000
_LONGEST_NAME = 256
_LONGEST_KEY = 250
_LONGEST_VALUE = 100_000
_LONGEST_ALIAS = 255
OUR_TAGS = "incumbent."
"""What the names of tags begin with that we write ourselves."""
_ALIAS = re.compile(r"[\w-]+")
_NUMBER_ALIAS = re.compile(r"[vV]\d+")
_VERSION_ORDER = (
    Ordering(field="updated", descending=True),
    Ordering(field="name"),
    Ordering(field="number", descending=True),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchRequest:
    """A search as a client words it."""

    filter: str = ""
    order_by: Sequence[str] = ()
    most: int = 100
    token: str = ""


class Surface:
    """The methods over one transaction. ``now`` is the decision clock, cut to milliseconds as MLflow's times are."""

    def __init__(self, tx: Transaction, now: datetime, *, free: bool = True) -> None:
        self._tx = tx
        self._now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._free = free

    # --- models ---------------------------------------------------------------------------------------------

    def create_model(self, name: str, description: str, tags: Mapping[str, str]) -> CatalogModel:
        """Enter a free model."""
        _check_name(name)
        _check_tags(tags)
        if self._tx.catalog.kind(name) == "governed":
            raise AlreadyExists(f"Registered Model (name={name}) already exists.")
        if not self._free:
            raise Forbidden(
                f"{name} has no policy, and this server keeps only models that have one.",
                hint=f"Write rules/{name}.yaml (`incumbent init`), or set INCUMBENT_MLFLOW=free.",
            )
        self._tx.free.add_model(name, description=description, tags=tags, at=self._now)
        return self.model(name)

    def model(self, name: str) -> CatalogModel:
        """A model with the newest version of each stage."""
        found = self._tx.catalog.model(name)
        if found is None:
            raise NotFound(f"Registered Model with name={name} not found")
        return found

    def rename_model(self, name: str, new_name: str) -> CatalogModel:
        """Rename a free model."""
        _check_name(new_name, "new_name")
        self._must_be_free(
            name,
            "A governed model is never renamed: its history goes by its name",
            f"Write a policy for {new_name} beside rules/{name}.yaml.",
        )
        if self._tx.catalog.kind(new_name) == "governed":
            raise AlreadyExists(f"Registered Model (name={new_name}) already exists.")
        self._tx.free.change_model(name, new_name=new_name, at=self._now)
        return self.model(new_name)

    def describe_model(self, name: str, description: str, actor: str) -> CatalogModel:
        """Set a model's description."""
        if self._governed(name):
            self._describe(name, 0, description, actor)
        else:
            self._tx.free.change_model(name, description=description, at=self._now)
        return self.model(name)

    def delete_model(self, name: str) -> None:
        """Take a free model away."""
        self._must_be_free(
            name,
            "A governed model is never deleted: its record stays",
            f"Take rules/{name}.yaml away to end its training.",
        )
        self._tx.free.remove_model(name, self._now)

    def search_models(self, asked: SearchRequest) -> tuple[list[CatalogModel], str]:
        """Models, and the token of the next page (empty: that was all)."""
        _check_most(asked.most, MOST_SEARCHED_MODELS)
        order = parse_order(asked.order_by, MODEL_ORDERS)
        search = CatalogSearch(
            clauses=parse_filter(asked.filter, MODEL_FIELDS), order=order, limit=asked.most + 1
        )
        whole = _whole(order, (Ordering(field="name"),))
        search = _from(search, asked.token, whole)
        found = self._tx.catalog.models(search)
        return _page(found, search, asked.most, whole, _model_value)

    # --- versions -------------------------------------------------------------------------------------------

    def create_version(self, name: str, new: NewFreeVersion) -> CatalogVersion:
        """Enter a version of a free model; a source ``models:/name/3`` is stored where that version is."""
        _check_tags(new.tags)
        self._must_be_free(
            name,
            f"Versions of {name} come from its trainings, which its policy orders",
            f"`incumbent signal {name} --reason ...` asks for one.",
        )
        number = self._tx.free.add_version(name, self._stored(new), self._now)
        return self.version(name, number)

    def _stored(self, new: NewFreeVersion) -> NewFreeVersion:
        place = new.source.removeprefix("models:/")
        if place == new.source or not place or place.startswith("/"):
            return new
        name, at, alias = place.partition("@")
        name, slash, number = (name, "", "") if at else place.rpartition("/")
        if not at and not slash:
            return new  # models:/m-<id>: a logged model of MLflow 3, kept as it is
        found = (
            self._tx.catalog.by_alias(name, alias)
            if at
            else self._tx.catalog.version(name, _number(number))
        )
        if found is None:
            raise NotFound(f"Model Version (name={name}, version={alias or number}) not found")
        source = f"models:/{found.model}/{found.number}"
        return replace(
            new, source=source, storage=found.storage or source, run=new.run or found.run
        )

    def version(self, name: str, number: int) -> CatalogVersion:
        """One version."""
        found = self._tx.catalog.version(name, number)
        if found is None:
            raise NotFound(f"Model Version (name={name}, version={number}) not found")
        return found

    def by_alias(self, name: str, alias: str) -> CatalogVersion:
        """The version that an alias points at."""
        found = self._tx.catalog.by_alias(name, alias)
        if found is not None:
            return found
        if self._tx.catalog.kind(name) is None:
            raise NotFound(f"Registered Model with name={name} not found")
        raise NotFound(f"Registered model alias {alias} not found.")

    def latest(self, name: str, stages: Sequence[str]) -> tuple[CatalogVersion, ...]:
        """The newest version of each stage (of all, if none is named)."""
        wanted = {_stage(stage) for stage in stages} or set(STAGES)
        return tuple(v for v in self.model(name).latest if v.stage in wanted)

    def describe_version(
        self, name: str, number: int, description: str | None, actor: str
    ) -> CatalogVersion:
        """Set a version's description; None leaves it."""
        if self._governed(name):
            self.version(name, number)
            if description is not None:
                self._describe(name, number, description, actor)
        else:
            self._tx.free.change_version(name, number, description=description, at=self._now)
        return self.version(name, number)

    def transition(self, name: str, number: int, stage: str, *, alone: bool) -> CatalogVersion:
        """Give a free version a stage."""
        canonical = _stage(stage)
        if alone and canonical not in {STAGING, PRODUCTION}:
            raise UserError(
                f"Model version transition cannot archive existing model versions because"
                f" '{stage}' is not an Active stage. Valid stages are ['Staging', 'Production']"
            )
        self._must_be_free(
            name,
            "The stage of a governed version is its state, which decisions move",
            _HOW[canonical].format(name=name, number=number),
        )
        self._tx.free.change_version(name, number, stage=canonical, alone=alone, at=self._now)
        return self.version(name, number)

    def delete_version(self, name: str, number: int) -> None:
        """Take a free version out of every list."""
        self._must_be_free(
            name,
            "A governed version is never deleted",
            f"`incumbent reject {name} {number} --reason ...` keeps it from becoming champion for good.",
        )
        self._tx.free.remove_version(name, number, self._now)

    def search_versions(self, asked: SearchRequest) -> tuple[list[CatalogVersion], str]:
        """Versions, and the token of the next page (empty: that was all)."""
        _check_most(asked.most, MOST_VERSIONS)
        order = parse_order(asked.order_by, VERSION_ORDERS) or _VERSION_ORDER[:1]
        search = CatalogSearch(
            clauses=parse_filter(asked.filter, VERSION_FIELDS), order=order, limit=asked.most + 1
        )
        whole = _whole(order, _VERSION_ORDER[1:])
        search = _from(search, asked.token, whole)
        found = self._tx.catalog.versions(search)
        return _page(found, search, asked.most, whole, _version_value)

    # --- tags and aliases -----------------------------------------------------------------------------------

    def tag(self, name: str, number: int, key: str, value: str | None, actor: str) -> None:
        """Set or take off (None) a tag of a version, or of the model (number 0)."""
        if value is not None:
            _check_tags({key: value})
        if self._governed(name):
            if number:
                self.version(name, number)
            self._tag(name, number, key, value, actor)
        else:
            self._tx.free.tag(name, number, key, value)

    def point(self, name: str, alias: str, number: int | None) -> None:
        """Let an alias of a free model point at a version, or take it away (None).

        One of a governed model that is not where it should be is asked for by :meth:`alias_word` before.
        """
        _check_alias(alias)
        if alias != CHAMPION_ALIAS and self._governed(name):
            return
        self._must_be_free(
            name,
            f"The champion of {name} is moved by a decision and not by hand",
            f"`incumbent promote {name} {number or 'VERSION'} --reason ...` asks for one.",
        )
        self._tx.free.point(name, alias, number)

    def alias_word(self, name: str, alias: str, number: int | None) -> Command | None:
        """The word that asks for an alias of a governed model to be moved; None if it is not asked for.

        It names the alias's present generation, so that asked for twice it is one word.
        """
        _check_alias(alias)
        if alias == CHAMPION_ALIAS or not self._governed(name):
            return None
        if number is not None:
            self.version(name, number)
        seen = self._tx.aliases.get(name, alias)
        if (seen.version if seen else None) == number:
            return None
        generation = seen.generation if seen else 0
        payload = {
            "alias": alias,
            "version": number,
            "expect_version": seen.version if seen else None,
        }
        return Command(
            action="alias",
            model=name,
            reason="Asked for through MLflow's interface.",
            payload=payload,
            key=f"mlflow:{name}:{alias}:{generation}:{number}",
        )

    def _tag(self, name: str, number: int, key: str, value: str | None, actor: str) -> None:
        if key.startswith(OUR_TAGS):
            raise Forbidden(
                f"Tags that begin with {OUR_TAGS} are written by Incumbent.",
                hint="Take another name.",
            )
        if value is None:
            self._tx.notes.untag(name, number, key)
        else:
            self._tx.notes.tag(
                Tag(model=name, version=number, name=key, value=value, actor=actor, at=self._now)
            )

    def _describe(self, name: str, number: int, text: str, actor: str) -> None:
        self._tx.notes.describe(name, number, text, actor=actor, at=self._now)

    def _governed(self, name: str) -> bool:
        return self._tx.catalog.kind(name) == "governed"

    def _must_be_free(self, name: str, why: str, what: str) -> None:
        if self._governed(name):
            raise Forbidden(f"{why}.", hint=what)


_HOW = {
    PRODUCTION: "`incumbent promote {name} {number} --reason ...` asks for its promotion.",
    STAGING: "`incumbent versions {name}` shows where it stands.",
    ARCHIVED: "`incumbent reject {name} {number} --reason ...` keeps it from becoming champion.",
    NO_STAGE: "`incumbent versions {name}` shows where it stands.",
}


def _model_value(model: CatalogModel, field: str) -> Any:
    return {"name": model.name, "created": model.created_at, "updated": model.updated_at}[field]


def _version_value(version: CatalogVersion, field: str) -> Any:
    return {
        "name": version.model,
        "number": version.number,
        "created": version.created_at,
        "updated": version.updated_at,
    }[field]


def _whole(order: tuple[Ordering, ...], later: tuple[Ordering, ...]) -> tuple[Ordering, ...]:
    given = {one.field for one in order}
    return (*order, *(one for one in later if one.field not in given))


def _from(search: CatalogSearch, token: str, whole: tuple[Ordering, ...]) -> CatalogSearch:
    return replace(search, after=read_token(token, search, whole)) if token else search


def _page(
    found: list[Any], search: CatalogSearch, most: int, whole: tuple[Ordering, ...], value: Any
) -> tuple[list[Any], str]:
    if len(found) <= most:
        return found, ""
    page = found[:most]
    return page, page_token(search, [value(page[-1], one.field) for one in whole])


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"Parameter 'version' must be an integer, got '{text}'.")
    return int(text)


def _stage(word: str) -> str:
    for stage in STAGES:
        if stage.lower() == word.lower():
            return stage
    raise UserError(
        f"Invalid Model Version stage: {word}. Value must be one of {', '.join(STAGES)}."
    )


def _check_most(most: int, limit: int) -> None:
    if not 1 <= most <= limit:
        raise UserError(
            f"Invalid value for max_results. It must be a positive integer, at most {limit}, but got {most}"
        )


def _check_name(name: str, parameter: str = "name") -> None:
    if not name.strip():
        raise UserError(f"Missing value for required parameter '{parameter}'.")
    if "/" in name or ":" in name:
        raise UserError(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    if name in {".", ".."} or len(name) > _LONGEST_NAME:
        raise UserError(
            f"Invalid value for parameter '{parameter}': a name has at most {_LONGEST_NAME} characters"
            " and is no path."
        )


def _check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if not key:
            raise UserError("Missing value for required parameter 'key'.")
        if len(key) > _LONGEST_KEY:
            raise UserError(f"'key' exceeds the maximum length of {_LONGEST_KEY} characters")
        if len(value) > _LONGEST_VALUE:
            raise UserError(f"'value' exceeds the maximum length of {_LONGEST_VALUE} characters")


def _check_alias(alias: str) -> None:
    if not alias:
        raise UserError("Registered model alias name cannot be empty.")
    if not _ALIAS.fullmatch(alias) or len(alias) > _LONGEST_ALIAS:
        raise UserError(
            f"Invalid alias name: '{alias[:_LONGEST_ALIAS]}'. Names may only contain alphanumerics,"
            " underscores (_), and dashes (-)."
        )
    if alias.lower() == "latest":
        raise UserError("'latest' alias name (case insensitive) is reserved.")
    if _NUMBER_ALIAS.fullmatch(alias):
        raise UserError(f"Version alias name '{alias}' is reserved.")
