"""Takes secrets out of text: those that are known, and whatever looks like one. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"
_SHORTEST = 4
"""Known secrets that are shorter are not looked for: every word would be starred."""

_WORDS = "password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature|sig|credential"
_NAMED = rf"((?:{_WORDS})s?[\"']?\s*[:=]\s*)" r"(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&}\"']+)"
"""A value that its name gives away, as settings, addresses, JSON and YAML write it."""

_LOOKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, flags), instead)
    for pattern, instead, flags in (
        (
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            HIDDEN,
            re.DOTALL,
        ),
        (r"([a-z][a-z0-9+.-]*://)[^/\s\"'@]*@", rf"\1{HIDDEN}@", re.IGNORECASE),
        (r"\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", rf"\1 {HIDDEN}", re.IGNORECASE),
        (r"\binc_[A-Za-z0-9_-]{8,}", f"inc_{HIDDEN}", 0),
        (r"\bwhsec_[A-Za-z0-9+/=]{4,}", f"whsec_{HIDDEN}", 0),
        (r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", HIDDEN, 0),
        (r"\b(gh[pousr]|github_pat|glpat|xox[abprs])[-_][A-Za-z0-9_-]{10,}", HIDDEN, 0),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", HIDDEN, 0),
        (r"https://hooks\.[^\s\"']+", f"https://hooks.{HIDDEN}", re.IGNORECASE),
        (_NAMED, rf"\1{HIDDEN}", re.IGNORECASE),
    )
)


class Redactor:
    """Replaces every form of the known secrets, then whatever looks like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for secret in known if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        for pattern, instead in _LOOKS:
            text = pattern.sub(instead, text)
        return text

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
