"""The methods of MLflow's registry, each from a request's arguments to the answer's body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.catalog import CatalogVersion, NewFreeVersion
from controller.domain.errors import UserError
from controller.entrypoints.mlflow.shapes import model_body, version_body
from controller.service.commands.submit import Command
from controller.service.registry.mlflow.surface import SearchRequest, Surface

_DOCS = "See the API docs for more information about request parameters."


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request: its arguments, who asks, and where this server's files are found."""

    surface: Surface
    arguments: Mapping[str, Any]
    actor: str
    files: Callable[[CatalogVersion], str]

    def text(self, name: str, *, needed: bool = False) -> str:
        """A text; empty if it is not given."""
        value = self.arguments.get(name)
        if value is None or value == "":
            if needed:
                raise UserError(f"Missing value for required parameter '{name}'. {_DOCS}")
            return ""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise UserError(f"Invalid value {value!r} for parameter '{name}' supplied: not a text.")
        return value

    def number(self) -> int:
        """The number of a version."""
        text = self.text("version", needed=True)
        if not text.isdecimal():
            raise UserError(f"Parameter 'version' must be an integer, got '{text}'.")
        return min(int(text), 2**31 - 1)

    def many(self, name: str) -> list[str]:
        """A list of texts."""
        value = self.arguments.get(name) or []
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise UserError(f"Invalid value for parameter '{name}' supplied: not a list of texts.")
        return value

    def tags(self) -> dict[str, str]:
        """Keys with values; the last of several counts."""
        value = self.arguments.get("tags") or []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise UserError("Invalid value for parameter 'tags' supplied: not a list of tags.")
        return {str(one.get("key") or ""): str(one.get("value") or "") for one in value}

    def asked(self, usual: int) -> SearchRequest:
        """A search."""
        most = self.text("max_results") or str(usual)
        if not most.removeprefix("-").isdecimal():
            raise UserError(f"Invalid value '{most}' for parameter 'max_results' supplied.")
        return SearchRequest(
            filter=self.text("filter"),
            order_by=self.many("order_by"),
            most=int(most),
            token=self.text("page_token"),
        )


MethodAnswer = dict[str, Any]


def _model(model: Any) -> MethodAnswer:
    return {"registered_model": model_body(model)}


def _version(version: CatalogVersion) -> MethodAnswer:
    return {"model_version": version_body(version)}


def _create_model(call: Call) -> MethodAnswer:
    name = call.text("name", needed=True)
    return _model(call.surface.create_model(name, call.text("description"), call.tags()))


def _get_model(call: Call) -> MethodAnswer:
    return _model(call.surface.model(call.text("name", needed=True)))


def _rename_model(call: Call) -> MethodAnswer:
    name, new = call.text("name", needed=True), call.text("new_name", needed=True)
    return _model(call.surface.rename_model(name, new))


def _update_model(call: Call) -> MethodAnswer:
    name = call.text("name", needed=True)
    return _model(call.surface.describe_model(name, call.text("description"), call.actor))


def _delete_model(call: Call) -> MethodAnswer:
    call.surface.delete_model(call.text("name", needed=True))
    return {}


def _search_models(call: Call) -> MethodAnswer:
    found, token = call.surface.search_models(call.asked(100))
    body: MethodAnswer = {"registered_models": [model_body(model) for model in found]}
    return body | ({"next_page_token": token} if token else {})


def _latest(call: Call) -> MethodAnswer:
    found = call.surface.latest(call.text("name", needed=True), call.many("stages"))
    return {"model_versions": [version_body(version) for version in found]}


def _create_version(call: Call) -> MethodAnswer:
    source = call.text("source", needed=True)
    new = NewFreeVersion(
        source=source,
        storage=source,
        description=call.text("description"),
        run=call.text("run_id"),
        run_link=call.text("run_link"),
        model_id=call.text("model_id"),
        author=call.actor,
        tags=call.tags(),
    )
    return _version(call.surface.create_version(call.text("name", needed=True), new))


def _get_version(call: Call) -> MethodAnswer:
    return _version(call.surface.version(call.text("name", needed=True), call.number()))


def _update_version(call: Call) -> MethodAnswer:
    name, given = call.text("name", needed=True), "description" in call.arguments
    said = call.text("description") if given else None
    return _version(call.surface.describe_version(name, call.number(), said, call.actor))


def _transition(call: Call) -> MethodAnswer:
    name, stage = call.text("name", needed=True), call.text("stage", needed=True)
    alone = call.arguments.get("archive_existing_versions") in {True, "true"}
    return _version(call.surface.transition(name, call.number(), stage, alone=alone))


def _delete_version(call: Call) -> MethodAnswer:
    call.surface.delete_version(call.text("name", needed=True), call.number())
    return {}


def _search_versions(call: Call) -> MethodAnswer:
    found, token = call.surface.search_versions(call.asked(200_000))
    body: MethodAnswer = {"model_versions": [version_body(version) for version in found]}
    return body | ({"next_page_token": token} if token else {})


def _download(call: Call) -> MethodAnswer:
    version = call.surface.version(call.text("name", needed=True), call.number())
    return {"artifact_uri": version.storage or call.files(version)}


def _by_alias(call: Call) -> MethodAnswer:
    name, alias = call.text("name", needed=True), call.text("alias", needed=True)
    return _version(call.surface.by_alias(name, alias))


def _set_alias(call: Call) -> MethodAnswer:
    name, alias = call.text("name", needed=True), call.text("alias", needed=True)
    call.surface.point(name, alias, call.number())
    return {}


def _delete_alias(call: Call) -> MethodAnswer:
    call.surface.point(call.text("name", needed=True), call.text("alias", needed=True), None)
    return {}


def alias_word(call: Call, *, away: bool) -> Command | None:
    """What has to be asked for where an alias of a governed model is set (or taken away)."""
    name, alias = call.text("name", needed=True), call.text("alias", needed=True)
    return call.surface.alias_word(name, alias, None if away else call.number())


def _tag(*, of_version: bool, away: bool) -> Callable[[Call], MethodAnswer]:
    def tagged(call: Call) -> MethodAnswer:
        name, key = call.text("name", needed=True), call.text("key", needed=True)
        number = call.number() if of_version else 0
        call.surface.tag(name, number, key, None if away else call.text("value"), call.actor)
        return {}

    return tagged


METHODS: Mapping[tuple[str, str], Callable[[Call], MethodAnswer]] = {
    ("POST", "registered-models/create"): _create_model,
    ("POST", "registered-models/rename"): _rename_model,
    ("PATCH", "registered-models/update"): _update_model,
    ("DELETE", "registered-models/delete"): _delete_model,
    ("GET", "registered-models/get"): _get_model,
    ("GET", "registered-models/search"): _search_models,
    ("GET", "registered-models/get-latest-versions"): _latest,
    ("POST", "registered-models/get-latest-versions"): _latest,
    ("POST", "registered-models/set-tag"): _tag(of_version=False, away=False),
    ("DELETE", "registered-models/delete-tag"): _tag(of_version=False, away=True),
    ("POST", "registered-models/alias"): _set_alias,
    ("DELETE", "registered-models/alias"): _delete_alias,
    ("GET", "registered-models/alias"): _by_alias,
    ("POST", "model-versions/create"): _create_version,
    ("PATCH", "model-versions/update"): _update_version,
    ("POST", "model-versions/transition-stage"): _transition,
    ("DELETE", "model-versions/delete"): _delete_version,
    ("GET", "model-versions/get"): _get_version,
    ("GET", "model-versions/search"): _search_versions,
    ("GET", "model-versions/get-download-uri"): _download,
    ("POST", "model-versions/set-tag"): _tag(of_version=True, away=False),
    ("DELETE", "model-versions/delete-tag"): _tag(of_version=True, away=True),
}
"""Every method of MLflow's registry that is answered, by HTTP method and path."""

READING = frozenset(
    {key for key in METHODS if key[0] == "GET"}
    | {("POST", "registered-models/get-latest-versions")}
)
