"""A team's MLflow registry as the place where governed versions are published.

``registered-models/get`` is never asked: on the server it loads every version of the model. A version's files go up
through the artifact proxy, as the artifacts of a run of its own in the experiment ``incumbent``; without a proxy the
run stays empty, and the version's link leads to our page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from controller.adapters.mlflow.client import MlflowServer
from controller.domain.errors import Conflict, NotFound
from controller.ports.publication import NewRemote, RemoteVersion

EXPERIMENT = "incumbent"
MODEL_FOLDER = "model"


class MlflowTeamRegistry:
    """Implements :class:`controller.ports.publication.TeamRegistry`."""

    def __init__(self, server: MlflowServer) -> None:
        self._server = server
        self._experiment: str | None = None

    @property
    def place(self) -> str:
        return self._server.place

    def ensure_model(self, model: str, description: str) -> None:
        try:
            self._server.ask(
                "POST", "registered-models/create", name=model, description=description
            )
        except Conflict as error:
            if "ALREADY_EXISTS" not in error.message:
                raise

    def find(self, model: str, tag: str, value: str) -> list[RemoteVersion]:
        wanted = f"name = {_quoted(model)} AND tags.`{tag}` = {_quoted(value)}"
        found: list[RemoteVersion] = []
        token = None
        while True:
            answer = self._server.ask(
                "GET", "model-versions/search", filter=wanted, max_results=1000, page_token=token
            )
            found += [_version(one) for one in answer.get("model_versions", [])]
            token = answer.get("next_page_token")
            if not token:
                return sorted(found, key=lambda v: -v.number)

    def get(self, model: str, number: int) -> RemoteVersion | None:
        return self._one("model-versions/get", name=model, version=str(number))

    def create(self, model: str, new: NewRemote) -> int:
        source, run = self._stored(model, new)
        answer = self._server.ask(
            "POST",
            "model-versions/create",
            name=model,
            source=source,
            run_id=run,
            run_link=new.link,
            description=new.description,
            tags=[{"key": key, "value": value} for key, value in new.tags.items()],
        )
        return _version(answer.get("model_version", {})).number

    def tag(self, model: str, number: int, key: str, value: str) -> None:
        self._server.ask(
            "POST", "model-versions/set-tag", name=model, version=str(number), key=key, value=value
        )

    def point(self, model: str, alias: str, number: int) -> None:
        self._server.ask(
            "POST", "registered-models/alias", name=model, alias=alias, version=str(number)
        )

    def pointed(self, model: str, alias: str) -> RemoteVersion | None:
        return self._one("registered-models/alias", name=model, alias=alias)

    def _one(self, path: str, **arguments: str) -> RemoteVersion | None:
        try:
            answer = self._server.ask("GET", path, **arguments)
        except NotFound:
            return None
        return _version(answer.get("model_version", {}))

    def _stored(self, model: str, new: NewRemote) -> tuple[str, str]:
        """Upload the files as artifacts of a run; the source that names them, and the run.

        MLflow takes a source only where a run holds it, so a version without files has a run too.
        """
        info = self._run(model, new)
        run, place = str(info.get("run_id", "")), str(info.get("artifact_uri", ""))
        parts = urlsplit(place)
        proxied = parts.scheme == "mlflow-artifacts"
        if proxied:
            below = parts.path.strip("/")
            for path, content in new.files.items():
                self._server.upload(f"{below}/{MODEL_FOLDER}/{path}", content)
        self._end(run, new.metrics)
        return (f"{place}/{MODEL_FOLDER}" if proxied else f"runs:/{run}/{MODEL_FOLDER}"), run

    def _run(self, model: str, new: NewRemote) -> dict[str, Any]:
        try:
            return self._new_run(model, new)
        except NotFound:
            self._experiment = (
                None  # the server came back without the experiment that we remembered
            )
            return self._new_run(model, new)

    def _new_run(self, model: str, new: NewRemote) -> dict[str, Any]:
        answer = self._server.ask(
            "POST",
            "runs/create",
            experiment_id=self._in_experiment(),
            run_name=f"{model} v{new.tags.get('incumbent.version', '?')}",
            start_time=_millis(),
            tags=[{"key": key, "value": value[:5000]} for key, value in new.tags.items()],
        )
        info: dict[str, Any] = answer.get("run", {}).get("info", {})
        return info

    def _end(self, run: str, metrics: Mapping[str, float]) -> None:
        if metrics:
            self._server.ask(
                "POST",
                "runs/log-batch",
                run_id=run,
                metrics=[
                    {"key": key, "value": value, "timestamp": _millis(), "step": 0}
                    for key, value in metrics.items()
                ],
            )
        self._server.ask("POST", "runs/update", run_id=run, status="FINISHED", end_time=_millis())

    def _in_experiment(self) -> str:
        if self._experiment is None:
            try:
                made = self._server.ask("POST", "experiments/create", name=EXPERIMENT)
                self._experiment = str(made.get("experiment_id"))
            except Conflict:
                found = self._server.ask(
                    "GET", "experiments/get-by-name", experiment_name=EXPERIMENT
                )
                self._experiment = str(found.get("experiment", {}).get("experiment_id"))
        return self._experiment


def _version(said: Mapping[str, Any]) -> RemoteVersion:
    return RemoteVersion(
        number=int(said.get("version", 0)),
        source=str(said.get("source", "")),
        run=str(said.get("run_id", "")),
        description=str(said.get("description", "")),
        tags={str(one.get("key")): str(one.get("value", "")) for one in said.get("tags", [])},
        aliases=tuple(str(alias) for alias in said.get("aliases", [])),
        author=str(said.get("user_id", "")),
        entered_at=_moment(said.get("creation_timestamp")),
    )


def _moment(millis: object) -> datetime | None:
    """A time as MLflow tells it; what is none says nothing."""
    try:
        return datetime.fromtimestamp(int(str(millis)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _quoted(text: str) -> str:
    return '"' + text + '"' if "'" in text else "'" + text + "'"


def _millis() -> int:
    return int(time.time() * 1000)
