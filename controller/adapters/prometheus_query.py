"""Reads single numbers out of Prometheus, over its HTTP API."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import requests

from controller.adapters.answers import read_answer
from controller.domain.errors import Unavailable, UserError

_TIMEOUT = 5.0


class Prometheus:
    """A server at ``url``; ``token`` goes with each question, where it wants one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        if token:
            self._session.headers["authorization"] = f"Bearer {token}"

    def ask(self, query: str, at: datetime) -> float | None:
        """The one number that ``query`` gives at that moment; None if it gives none, or no number.

        Raises Unavailable if the server does not answer, UserError if it refuses the query or gives several.
        """
        asked = {"query": query, "time": f"{at.timestamp():.3f}"}
        try:
            answer = self._session.get(
                f"{self._url}/api/v1/query",
                params=asked,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
            answer = read_answer(answer, f"Prometheus at {self._url}")
        except requests.RequestException as error:
            raise Unavailable(
                f"Prometheus at {self._url} does not answer ({type(error).__name__}).",
                hint="Is INCUMBENT_PROMETHEUS_URL right, and does it run?",
            ) from error
        body = _body(self._url, answer)
        if body.get("status") != "success":
            said = str(body.get("error") or f"status {answer.status_code}")
            raise UserError(f"Prometheus refuses {query!r}: {said[:300].rstrip('.')}.")
        return _number(query, body.get("data"))

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()


def _body(url: str, answer: requests.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Unavailable(f"{url} answered {answer.status_code}, and not as Prometheus does.")
    return body


def _number(query: str, data: Any) -> float | None:
    found = data.get("result") if isinstance(data, dict) else None
    kind = data.get("resultType") if isinstance(data, dict) else None
    try:
        if kind == "scalar" and found is not None:
            value = float(found[1])
        elif kind == "vector" and isinstance(found, list) and len(found) < 2:
            value = float(found[0]["value"][1]) if found else math.nan
        else:
            many = f"{len(found):,} series" if isinstance(found, list) else "no result"
            raise UserError(
                f"{query!r} gives {many}, and a figure is one number.", hint="Sum or select."
            )
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise UserError(f"{query!r} gives what is no number.") from error
    return value if math.isfinite(value) else None
