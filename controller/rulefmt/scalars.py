"""What a plain scalar of YAML is, and where two readers of YAML would disagree about it.

YAML 1.1 and 1.2 and their many readers take ``on``, ``1e-3``, ``1:30``, ``010`` or ``2024-01-01`` for different
things. Here none of them is guessed: each is named with the spelling that everybody reads alike.
"""

from __future__ import annotations

import re
from decimal import Decimal

SAFE_NUMBER = re.compile(
    r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|[-+]?\.[0-9]+|[-+]?(?:0|[1-9][0-9]*)\.[0-9]*[eE][-+][0-9]+"
)
"""Numbers that YAML 1.1 and 1.2 read alike."""
_BOOLEANS = re.compile(r"(?:yes|no|on|off|true|false)", re.IGNORECASE)
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]i?B)")
_SIZE_UNITS = {
    **{f"{p}iB": 1024**n for n, p in enumerate("KMGT", start=1)},
    **{f"{p}B": 1000**n for n, p in enumerate("KMGT", start=1)},
}
_MOST_DIGITS = 30

_TRAPS: tuple[tuple[str, re.Pattern[str], str, str], ...] = (
    (
        "yaml-exponent",
        re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+"),
        "is a number to some readers of YAML and text to others",
        "write it out as a decimal, for example 0.001",
    ),
    (
        "yaml-sexagesimal",
        re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"),
        "is a number to base 60 to some readers of YAML",
        "write a duration as 1h30m, or quote text",
    ),
    (
        "yaml-not-finite",
        re.compile(r"[-+]?\.?(?:nan|inf|infinity)", re.IGNORECASE),
        "is not a number that anything can be compared with",
        "give a finite number",
    ),
    (
        "yaml-octal",
        re.compile(r"[-+]?0[0-9_]+|[-+]?0[oO][0-7]+"),
        "is octal to some readers of YAML and decimal to others",
        "write it without the leading zero, or quote text",
    ),
    (
        "yaml-hexadecimal",
        re.compile(r"[-+]?0[xX][0-9a-fA-F_]+|[-+]?0b[01_]+"),
        "is a number to another base to some readers of YAML",
        "write it as a decimal number, or quote text",
    ),
    (
        "yaml-underscore",
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"),
        "is a number to some readers of YAML and text to others",
        "write it without underscores",
    ),
    (
        "yaml-date",
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"),
        "is a date to some readers of YAML and text to others",
        "quote it",
    ),
)


def trap(text: str) -> tuple[str, str, str] | None:
    """``(code, what is wrong, what to write)`` if readers of YAML disagree on this plain scalar."""
    if len(text) > 64 or SAFE_NUMBER.fullmatch(text):
        return None
    if _BOOLEANS.fullmatch(text) and text not in _TRUTH:
        meant = "true" if text.lower() in ("yes", "on", "true") else "false"
        return (
            "yaml-boolean",
            "is a boolean to some readers of YAML and text to others",
            f'write {meant}, or quote it: "{text}"',
        )
    for code, pattern, wrong, hint in _TRAPS:
        if pattern.fullmatch(text):
            return code, wrong, _decimal_hint(text) or hint if code == "yaml-exponent" else hint
    return None


def _decimal_hint(text: str) -> str:
    value = Decimal(text)
    return f"write {value:f}" if abs(value.adjusted()) <= _MOST_DIGITS else ""


def truth(text: str) -> bool | None:
    """The boolean of a plain scalar in YAML 1.2, or None if it is none."""
    return _TRUTH.get(text)


def is_null(text: str) -> bool:
    """Whether a plain scalar is YAML's null."""
    return text in _NULLS


def read_number(text: str) -> int | float | None:
    """The number that every reader of YAML sees, or None."""
    if len(text) > _MOST_DIGITS or not SAFE_NUMBER.fullmatch(text):
        return None
    return float(text) if any(c in text for c in ".eE") else int(text)


def percentage(text: str) -> float | None:
    """``3%`` as 0.03; None if there is no percent sign."""
    if not text.endswith("%"):
        return None
    value = read_number(text[:-1].rstrip(" "))
    return None if value is None else float(f"{value}e-2")


def size(text: str) -> int | None:
    """``2GiB`` in bytes; None without a unit."""
    match = _SIZE.fullmatch(text) if len(text) <= _MOST_DIGITS else None
    return round(float(match[1]) * _SIZE_UNITS[match[2]]) if match else None
