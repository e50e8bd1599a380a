"""Asks a provider's REST API: pages, pauses that it demands, a few attempts, and one sentence when it fails."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from controller.adapters.answers import read_answer
from controller.adapters.git.settings import APIS, ReviewSettings
from controller.domain.errors import ConfigurationError, Unavailable

ATTEMPTS = 4
LONGEST_PAUSE = 30.0
"""Seconds that are waited for a limit to end; a longer one is reported, and the next look tries again."""

MOST_PAGES = 100
LARGEST_ANSWER = 32 << 20


@dataclass(frozen=True, slots=True)
class Missing:
    """The provider answered that there is no such thing."""


MISSING = Missing()


@dataclass(slots=True)
class ForgeClient:
    """A session with one provider. ``sleep`` waits between attempts; answers are kept while the client lives."""

    base: str
    headers: Mapping[str, str]
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    _session: Any = field(default=None, repr=False)

    def get(self, path: str, **parameters: str | int) -> Any:
        """The answer to one question, or MISSING."""
        found, _ = self._ask(f"{self.base}{path}", parameters)
        return found

    def pages(self, path: str, **parameters: str | int) -> Iterator[Any]:
        """Every item of a list, page by page."""
        url: str | None = f"{self.base}{path}"
        for _ in range(MOST_PAGES):
            if url is None:
                return
            found, following = self._ask(url, parameters)
            if isinstance(found, Missing):
                return
            if not isinstance(found, list):
                raise Unavailable(f"{_bare(url)} answered with something that is no list.")
            yield from found
            url, parameters = self._same_place(url, following), {}
        raise Unavailable(f"{self.base}{path} has more than {MOST_PAGES} pages.")

    def _same_place(self, url: str, following: str | None) -> str | None:
        """The next page; a token is never sent to another host."""
        if following is None:
            return None
        absolute = urljoin(url, following)
        if urlsplit(absolute)[:2] != urlsplit(self.base)[:2]:
            raise Unavailable(
                f"{_bare(url)} names a next page on another host ({_bare(absolute)})."
            )
        return absolute

    def _ask(self, url: str, parameters: Mapping[str, str | int]) -> tuple[Any, str | None]:
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.headers.update(self.headers)
        problem = ""
        for attempt in range(ATTEMPTS):
            try:
                answer = self._session.get(
                    url,
                    params=parameters,
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                )
                read_answer(answer, _bare(url), LARGEST_ANSWER)
            except requests.RequestException as error:
                problem = f"it does not answer ({type(error).__name__})"
                self.sleep(2.0**attempt)
                continue
            if answer.status_code == 200:
                return self._read(url, answer)
            if answer.status_code == 404:
                return MISSING, None
            problem = self._refusal(answer)
            pause = _pause(answer, attempt)
            if pause is None or pause > LONGEST_PAUSE:
                break
            self.sleep(pause)
        raise Unavailable(f"{_bare(url)}: {problem}.", hint="The rules in force stay in force.")

    def _read(self, url: str, answer: Any) -> tuple[Any, str | None]:
        try:
            return answer.json(), answer.links.get("next", {}).get("url")
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{_bare(url)} answered with something that is no JSON.") from error

    def _refusal(self, answer: Any) -> str:
        if answer.status_code == 401:
            return "it refuses the token"
        if _limited(answer):
            return "its rate limit is used up"
        if answer.status_code == 403:
            return "the token may not read this"
        return f"it answered {answer.status_code}"

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()


def _limited(answer: Any) -> bool:
    headers = answer.headers
    return answer.status_code == 429 or (
        answer.status_code == 403
        and (headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in headers)
    )


def _pause(answer: Any, attempt: int) -> float | None:
    """Seconds to wait before the next attempt; None if another one is of no use."""
    if not _limited(answer):
        return 2.0**attempt if answer.status_code >= 500 else None
    after, reset = answer.headers.get("Retry-After"), answer.headers.get("X-RateLimit-Reset")
    if after is not None and after.isdigit():
        return float(after)
    if reset is not None and reset.isdigit():
        return max(1.0, float(reset) - time.time())
    return 2.0**attempt


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def provider_token(settings: ReviewSettings) -> str | None:
    """The provider's token from ``token_env``, or from the file that the same name with ``_FILE`` names."""
    name = settings.token_env
    if not name:
        return None
    place = os.environ.get(f"{name}_FILE")
    if place:
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE cannot be read: {error.strerror}.") from error
    found = os.environ.get(name)
    if not found:
        raise ConfigurationError(f"the environment has no {name}, which review.token_env names.")
    return found


def credentials(settings: ReviewSettings) -> dict[str, str]:
    """The token as git's own configuration, for fetching over https and to that host alone."""
    parts = urlsplit(settings.remote)
    if parts.scheme != "https" or settings.provider == "ssh":
        return {}
    secret = provider_token(settings)
    if secret is None:
        return {}
    basic = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
    return {f"http.https://{parts.netloc}/.extraHeader": f"Authorization: Basic {basic}"}


def base_url(settings: ReviewSettings) -> str:
    """The API's address without a slash at its end."""
    return (settings.api or APIS[settings.provider]).rstrip("/")
