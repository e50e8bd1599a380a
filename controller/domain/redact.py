"""Takes out of a text whatever looks like a secret: exceptions quote addresses, options and headers as they were. Pure.

A text is scanned once a pattern, in linear time. Ordinary text stays as it is, so that a failure can still be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

HIDDEN = "***"

_LONG = (
    r"passwords?|passwd|passphrase|passcode|secrets?|credentials?|authorization|"
    r"(?:access|auth|refresh|session|bearer|security)[_-]?tokens?|"
    r"(?:api|access|account|private|encryption|signing|master|subscription|auth|secret)[_-]?keys?"
)
"""Told apart wherever they stand: ``DB_PASSWORD``, ``dbpassword``."""
_SHORT = r"pwd|pass|signature|sig|sas|session[_-]?id|cookie|dsn|tokens?"
"""Only as a word, or a part between underscores: ``bypass`` and ``compass`` are no secrets."""
_WORDS = rf"(?:{_LONG}|(?<![a-z0-9])(?:{_SHORT}))(?![a-z0-9])"
_QUOTED = r"[bfru]{0,2}(?:\\?\"(?:\\.|[^\"\\\n]){0,4000}\\?\"|\\?'(?:\\.|[^'\\\n]){0,4000}\\?')"
_VALUE = (
    rf"(?:{_QUOTED}|\{{[^}}\n]{{0,4000}}\}}"
    r"|(?:(?:bearer|basic|token|digest|apikey)\s{1,4})?[^\s,;&}\])\"'<>]+)"
)
"""In quotes, in the braces of ODBC, or up to what ends it in settings, queries, JSON and YAML."""

_NAMED = re.compile(
    rf"(?P<name>(?P<word>{_WORDS})\\?[\"']?\s{{0,8}}(?:\]\s{{0,8}})?"
    rf"(?:(?::=|=>|=|:)\s{{0,8}}|,[ \t]{{0,2}}(?={_QUOTED}(?!\s{{0,8}}:))))(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_FLAG = re.compile(rf"(--[a-z0-9-]{{0,40}}?(?:{_WORDS})\s{{1,8}})(?!-)({_VALUE})", re.IGNORECASE)
_SAID = re.compile(
    rf"((?:(?:{_WORDS})\s{{1,8}}(?:(?:is|was)\s{{1,8}})?|identified\s{{1,8}}by\s{{1,8}}))({_QUOTED})",
    re.IGNORECASE,
)
_COUNTED = frozenset({"token", "tokens", "cookie", "session_id"})
_COUNT = re.compile(
    r"-?[0-9]{1,5}(?:\.[0-9]*)?|none|null|true|false|[\"']?\W{0,3}[\"']?", re.IGNORECASE
)
"""What the value of such a name may be without being a secret: ``max_tokens=512``, ``unexpected token: '}'``."""


def _named(found: re.Match[str]) -> str:
    counted = found["word"].lower() in _COUNTED and _COUNT.fullmatch(found["value"])
    return found[0] if counted else f"{found['name']}{HIDDEN}"


_Instead = str | Callable[[re.Match[str]], str]

_LOOKS: tuple[tuple[re.Pattern[str], _Instead], ...] = (
    *(
        (re.compile(pattern, flags), instead)
        for pattern, instead, flags in (
            (
                r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\Z)",
                HIDDEN,
                re.DOTALL,
            ),
            # A password may hold an @ or a slash that nobody quoted: up to the last @ of the word.
            (
                r"([a-z][a-z0-9+.-]{0,30}://)[^/\s\"'<>@:]{0,200}:[^\s\"'<>]{0,300}@",
                rf"\1{HIDDEN}@",
                re.IGNORECASE,
            ),
            (r"([a-z][a-z0-9+.-]{0,30}://)[^/\s\"'<>]{0,300}@", rf"\1{HIDDEN}@", re.IGNORECASE),
            (r"https://hooks\.[^\s\"']+", f"https://hooks.{HIDDEN}", re.IGNORECASE),
            (
                r"\b((?i:bearer|basic))\s{1,8}(?=[a-z._~+/-]{0,200}[A-Z0-9=]|[a-z]{20})[A-Za-z0-9._~+/=-]{8,}",
                rf"\1 {HIDDEN}",
                0,
            ),
            (r"\binc_[A-Za-z0-9_-]{8,}", f"inc_{HIDDEN}", 0),
            (r"\bwhsec_[A-Za-z0-9+/=]{4,}", f"whsec_{HIDDEN}", 0),
            (r"\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b", HIDDEN, 0),
            (r"\b(gh[pousr]|github_pat|glpat|xox[abeoprs])[-_][A-Za-z0-9_-]{10,}", HIDDEN, 0),
            (r"\b(sk|pk|rk|hf|npm|dop_v1|dapi|pypi)[-_][A-Za-z0-9_-]{16,}", HIDDEN, 0),
            (r"\b(AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9._-]{10,}|dapi[0-9a-f]{32})", HIDDEN, 0),
            (r"\beyJ[\w-]{8,500}\.[\w-]{8,}\.[\w-]*", HIDDEN, 0),
        )
    ),
    (_NAMED, _named),
    (_FLAG, rf"\1{HIDDEN}"),
    (_SAID, rf"\1{HIDDEN}"),
)


def redact(text: str) -> str:
    """The text with ``***`` in the place of every private key, credential of an address, known kind of token, and
    value that its name gives away.
    """
    for pattern, instead in _LOOKS:
        text = pattern.sub(instead, text)
    return text
