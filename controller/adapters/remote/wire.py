"""The wire to a server: every request over one connection, sent again when that breaks, errors as they were raised.

Every write carries an idempotency key, so that it is sent again when the network drops in the middle and still counts
once.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests

from controller import __version__
from controller.adapters.answers import read_answer
from controller.domain.canonical import to_plain
from controller.domain.errors import (
    Conflict,
    Forbidden,
    IncumbentError,
    NotFound,
    NotLoggedIn,
    Unavailable,
    UserError,
)

_TRIES = 3
_LARGEST = 64 << 20
_PAUSE = 0.2
_ERRORS: Mapping[int, type[IncumbentError]] = {
    400: UserError, 401: NotLoggedIn, 403: Forbidden, 404: NotFound, 405: UserError, 409: Conflict,
    413: UserError, 415: UserError, 421: UserError, 422: UserError, 429: Unavailable, 503: Unavailable,
}  # fmt: skip


class Wire:
    """A server at ``url``, spoken to with ``token``."""

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        self._session.headers["incumbent-version"] = __version__
        if token:
            self._session.headers["authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._json("GET", path, params=params)

    def _post(self, path: str, body: Any, key: str | None = None) -> Any:
        headers = {"idempotency-key": key or str(uuid.uuid4())}
        return self._json("POST", path, json_=body, headers=headers)

    def _json(self, method: str, path: str, **more: Any) -> Any:
        """What is answered, as JSON; Unavailable if it is something else."""
        answer = self._send(method, path, **more)
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise _foreign(self.url, answer) from error

    def _list(self, path: str, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        before = None
        while True:
            page = self._get(path, {**to_plain(dict(filters)), "before": before})
            yield from page["items"]
            before = page["next"]
            if before is None:
                return

    def _address(self, path: str) -> str:
        """Below ``/v1``, unless the path begins with a slash."""
        return f"{self.url}{path}" if path.startswith("/") else f"{self.url}/v1/{path}"

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send, and again if the connection breaks: reads change nothing, and writes carry a key."""
        given = {k: v for k, v in (params or {}).items() if v is not None}
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self._session.request(
                    method, self._address(path), params=given, json=json_, headers=headers,
                    timeout=self._timeout, stream=True, allow_redirects=False,
                )  # fmt: skip
                if not stream:
                    read_answer(answer, self.url, _LARGEST)
            except requests.exceptions.InvalidURL as error:
                raise UserError(f"{self.url} is no address of a server.") from error
            except requests.RequestException as error:
                if attempt == _TRIES:
                    raise Unavailable(
                        f"{self.url} does not answer: {why(error)}.",
                        hint="Is INCUMBENT_URL right, and does the server run?",
                    ) from error
                time.sleep(_PAUSE * attempt)
                continue
            if answer.status_code == 429 and attempt < _TRIES:
                time.sleep(min(float(answer.headers.get("retry-after", "1")), 10.0))
                continue
            if answer.status_code >= 300:
                raise _problem(self.url, answer)
            return answer
        raise AssertionError  # pragma: no cover - the loop returns or raises


def why(error: requests.RequestException) -> str:
    """What the connection broke of, in a few words."""
    inner = error.args[0] if error.args else error
    reason = getattr(inner, "reason", inner)
    text = str(reason).rpartition(": ")[2].rpartition("] ")[2] or type(error).__name__
    return text.strip(" .)>'\"")


def _problem(url: str, answer: requests.Response) -> IncumbentError:
    try:
        body = answer.json()
        detail, hint = str(body["detail"]), str(body.get("hint", ""))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _foreign(url, answer)
    kind = _ERRORS.get(answer.status_code, IncumbentError)
    error = kind(detail, hint=hint)
    error.code = str(body.get("code", error.code))
    return error


def path_part(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


def _foreign(url: str, answer: requests.Response) -> Unavailable:
    return Unavailable(
        f"{url} answered {answer.status_code}, and not as Incumbent does.",
        hint="INCUMBENT_URL must be the address of the page.",
    )
