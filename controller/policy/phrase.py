"""How numbers, times and names stand in sentences, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from controller.domain.rules import Margin


def format_number(value: float | None) -> str:
    """Four significant digits, thousands separated: ``14.21``, ``336,776``, ``0.0087``."""
    if value is None:
        return "no value"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if size >= 1e-4 else f"{value:.2e}"


def percent(fraction: float) -> str:
    """``0.025`` as ``2.5 %``."""
    return f"{fraction * 100:.4g} %"


def format_time_utc(at: datetime) -> str:
    """``2013-02-01 00:00 UTC``; seconds only where they are not zero."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(' ', 'seconds' if utc.second else 'minutes')} UTC"


def listing(names: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; or with another word."""
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def count(quantity: int, noun: str) -> str:
    """``1 row``, ``20,000 rows``."""
    return f"{quantity:,} {noun}" if quantity == 1 else f"{quantity:,} {noun}s"


def margin(allowed: Margin) -> str:
    """``2 %`` or ``0.5``."""
    return percent(allowed.value) if allowed.relative else format_number(allowed.value)
