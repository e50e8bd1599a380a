"""Takes the secrets that are known out of text, in every form, and then whatever looks like one. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

from controller.domain.redact import HIDDEN, redact

_SHORTEST = 4
"""Known secrets that are shorter are not looked for: every word would be starred."""


class Redactor:
    """Replaces every form of the known secrets, then whatever looks like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for secret in known if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return redact(text)

    def leaks(self, text: str) -> bool:
        """Whether a known secret is still in the text."""
        return any(form in text for form in self._forms)


def _forms(secret: str) -> set[str]:
    """As it is, as a URL writes it, as JSON writes it, and as basic authentication does."""
    return {
        secret,
        quote(secret, safe=""),
        secret.encode("unicode_escape").decode(),
        base64.b64encode(secret.encode()).decode(),
    }
