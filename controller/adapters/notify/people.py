"""Chat, mail and pagers through Apprise, which knows their protocols."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from controller.adapters.notify.guard import guarded
from controller.domain.errors import ConfigurationError, Unavailable
from controller.ports import Message

_LEAST_SECRET = 4
_WORDS = 300


class AppriseSender:
    """One address that Apprise understands, such as ``slack://...`` or ``mailtos://...``."""

    def __init__(self, label: str, url: str, *, allowed: Collection[str] = ()) -> None:
        self.label = label
        self._secrets = secrets_of(url)
        self._allowed = tuple(allowed)
        self._plugin = _plugin(label, url)

    def send(self, message: Message) -> None:
        heard = _Heard()
        logger = logging.getLogger("apprise")
        logger.addHandler(heard)
        logger.propagate = False  # what it says stands in the delivery log, without secrets
        try:
            with guarded(self._allowed):
                arrived = self._plugin.notify(
                    title=message.subject, body=message.text, body_format="text"
                )
        except (Unavailable, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
            raise Unavailable(
                f"{self.label} failed with {type(error).__name__}: {self._clean(str(error))}."
            ) from None
        finally:
            logger.removeHandler(heard)
        if not arrived:
            said = self._clean(heard.words) or "it gave no reason"
            raise Unavailable(f"{self.label} did not take the message: {said.rstrip('.')}.")

    def _clean(self, text: str) -> str:
        return clean_sentence(text, self._secrets)


class _Heard(logging.Handler):
    """What Apprise says in this thread: its answer is yes or no, and its reasons are log lines."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.words = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.words = f"{self.words} {record.getMessage()}".strip()


def _plugin(label: str, url: str) -> Any:
    if find_spec("apprise") is None:
        raise ConfigurationError(
            f"{label} needs the extra `notify`.", hint="pip install 'incumbent[notify]'"
        )
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Incumbent", app_desc="Incumbent", app_url="", async_mode=False,
        http_redirects=False, secure_logging=True, storage_mode="memory",
    )  # fmt: skip
    logging.getLogger("apprise").propagate = False
    plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is None:
        scheme = urlsplit(url).scheme
        known = (
            f"of the kind {scheme}" if scheme else "with a scheme, such as mailtos:// or slack://"
        )
        raise ConfigurationError(
            f"{label} is no address {known} that Apprise understands.",
            hint="https://github.com/caronc/apprise/wiki lists them.",
        )
    return plugin


def clean_sentence(text: str, secrets: Collection[str]) -> str:
    """On one line, without the secrets, and no longer than anybody reads."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:_WORDS]


def secrets_of(url: str) -> list[str]:
    """The parts of an address that nobody but us may see: all of it but the scheme and short words."""
    parts = urlsplit(url)
    words = [url, parts.username or "", parts.password or "", *parts.path.split("/")]
    words += [value for pair in parts.query.split("&") for value in pair.split("=")[1:]]
    if parts.scheme not in {"mailto", "mailtos", "json", "jsons"}:
        words.append(parts.hostname or "")  # of many services the host is a token
    found = {form for word in words for form in (word, unquote(word)) if len(form) >= _LEAST_SECRET}
    return sorted(found, key=len, reverse=True)
