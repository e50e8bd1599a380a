"""One MLflow server over HTTP: what it answers, within a time limit, in our own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from controller.adapters.answers import read_answer
from controller.domain.errors import ConfigurationError, Conflict, NotFound, Unavailable

_SCHEMES = {"mlflow": "http", "mlflow+http": "http", "mlflow+https": "https"}
_LARGEST = 50_000_000
"""Bytes of an answer; a registry's is far below, and a server that never ends its answer must not fill our memory."""
_MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"})


def server_url(setting: str) -> str:
    """``mlflow://host:port/path`` as the HTTP address behind it; ConfigurationError if it is none."""
    parts = urlsplit(setting)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ConfigurationError(
            "The setting registry is no address of an MLflow server.",
            hint="Write mlflow://host:5000, or mlflow+https://host for a server behind TLS.",
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            "The address of the MLflow server holds a password.",
            hint="Put it into INCUMBENT_REGISTRY_TOKEN (or _FILE) as a token, or as user:password.",
        )
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"


class MlflowServer:
    """Sends requests. ``token`` is a bearer token, or ``user:password``; ``timeout`` is in seconds."""

    def __init__(self, setting: str, token: str | None = None, timeout: float = 10.0) -> None:
        self.place = setting
        self._url = server_url(setting)
        self._timeout = (min(timeout, 5.0), timeout)
        self._session = requests.Session()
        if token and ":" in token:
            user, _, password = token.partition(":")
            self._session.auth = (user, password)
        elif token:
            self._session.headers["authorization"] = f"Bearer {token}"

    def ask(self, verb: str, path: str, **arguments: Any) -> dict[str, Any]:
        """One method of the REST interface; its answer.

        Raises NotFound, Conflict (what it will not do), ConfigurationError (who we are) or Unavailable.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        how: dict[str, Any] = {"params": given} if verb == "GET" else {"json": given}
        answer = self._send(verb, f"/api/2.0/mlflow/{path}", **how)
        body = self._json(answer)
        if answer.status_code == requests.codes.ok:
            return body
        raise self._problem(answer.status_code, body)

    def upload(self, path: str, content: bytes | Path) -> None:
        """Store a file through the server's artifact proxy."""
        address = f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        kind = {"content-type": "application/octet-stream"}
        if isinstance(content, bytes):
            answer = self._send("PUT", address, data=content, headers=kind)
        else:
            with content.open("rb") as file:
                answer = self._send("PUT", address, data=file, headers=kind)
        if answer.status_code >= requests.codes.bad_request:
            raise self._problem(answer.status_code, {})

    def download(self, path: str) -> Iterator[bytes]:
        """A file of the server's artifact proxy, in parts."""
        address = f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        with self._asked("GET", address, stream=True) as answer:
            if answer.status_code != requests.codes.ok:
                raise self._problem(answer.status_code, {})
            yield from answer.iter_content(1 << 20)

    def listing(self, path: str) -> list[dict[str, Any]]:
        """What lies below a folder of the artifact proxy."""
        answer = self._send("GET", "/api/2.0/mlflow-artifacts/artifacts", params={"path": path})
        if answer.status_code != requests.codes.ok:
            raise self._problem(answer.status_code, self._json(answer))
        return list(self._json(answer).get("files", []))

    def _send(self, verb: str, path: str, **more: Any) -> requests.Response:
        """The answer, wholly read and no larger than is taken."""
        try:
            answer = self._asked(verb, path, stream=True, **more)
            return read_answer(answer, self.place, _LARGEST)
        except requests.RequestException as error:
            raise self._silent(error) from error

    def _asked(self, verb: str, path: str, **more: Any) -> requests.Response:
        try:
            return self._session.request(
                verb, self._url + path, timeout=self._timeout, allow_redirects=False, **more
            )
        except requests.RequestException as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> Unavailable:
        if isinstance(error, requests.Timeout):
            return Unavailable(f"{self.place} did not answer within {self._timeout[1]:g} seconds.")
        return Unavailable(f"{self.place} cannot be reached ({type(error).__name__}).")

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        try:
            body = json.loads(answer.content or b"{}")
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            return body
        if answer.status_code == requests.codes.ok:
            raise Unavailable(f"{self.place} answers with something that is not MLflow's.")
        return {}

    def _problem(self, status: int, body: dict[str, Any]) -> Exception:
        code, said = str(body.get("error_code", "")), str(body.get("message", ""))[:300].strip()
        if code in _MISSING or (status == requests.codes.bad_request and "not found" in said):
            return NotFound(said or f"{self.place} does not have it.")
        if status in {requests.codes.unauthorized, requests.codes.forbidden}:
            return ConfigurationError(
                f"{self.place} refuses us ({status}).",
                hint="Set INCUMBENT_REGISTRY_TOKEN to a token (or user:password) that may write models there.",
            )
        if status >= requests.codes.server_error or status == requests.codes.too_many_requests:
            return Unavailable(f"{self.place} answers {status}{': ' + said if said else ''}.")
        if not code:
            return Unavailable(f"{self.place} answers {status} and not as MLflow does.")
        return Conflict(f"{self.place} will not do it: {said.rstrip('.')} ({code}).")
