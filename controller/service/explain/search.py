"""Search: versions by state, metric, tag, data and date, over one model or all."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.errors import UserError
from controller.domain.versions import Version, VersionState
from controller.ports import Transaction, Within

_COMPARISON = re.compile(r"\s*([^<>=!\s]+)\s*(<=|>=|!=|=|<|>)\s*(-?[0-9.eE+-]+)\s*")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_Test = Callable[[Mapping[str, float]], bool]
_CHUNK = 500
"""Versions that are asked for by their numbers at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchFilters:
    """What is looked for; everything that is said must hold.

    ``metrics`` are comparisons such as ``mae<15``; ``tags`` map a name to a value, or to None for any.
    ``data`` is a data snapshot: versions trained on the data up to that batch. ``alias``: where it points.
    """

    models: tuple[str, ...] = ()
    states: tuple[VersionState, ...] = ()
    metrics: tuple[str, ...] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)
    data: int | None = None
    digest: str | None = None
    alias: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100


def search(tx: Transaction, wanted: SearchFilters) -> list[dict[str, Any]]:
    """Versions as rows, newest first within a model; each with its metrics, tags, aliases and description."""
    tests = [_comparison(text) for text in wanted.metrics]
    found: list[dict[str, Any]] = []
    for model in _models(tx, wanted):
        versions = _versions(tx, model, wanted, tests, wanted.limit - len(found))
        found += _rows(tx, model, versions)
        if len(found) >= wanted.limit:
            break
    return found


def parse_tag(text: str) -> tuple[str, str | None]:
    """``team=fraud`` or ``team``."""
    name, sign, value = text.partition("=")
    if not name:
        raise UserError(
            f"{text!r} is no tag.", hint="Write name=value, or name alone for any value."
        )
    return name, value if sign else None


def _comparison(text: str) -> _Test:
    match = _COMPARISON.fullmatch(text)
    try:
        name, sign, bar = match.group(1, 2, 3) if match else ("", "", "")
        limit = float(bar)
    except ValueError:
        raise UserError(f"{text!r} compares no metric.", hint="Write mae<15 or auc>=0.9.") from None

    def holds(metrics: Mapping[str, float]) -> bool:
        value = metrics.get(name)
        return value is not None and _COMPARE[sign](value, limit)

    return holds


def _models(tx: Transaction, wanted: SearchFilters) -> list[str]:
    """All that are asked for; with a tag only those that bear it anywhere."""
    names = list(wanted.models) or [state.model for state in tx.models.all()]
    for name, value in wanted.tags.items():
        bearing = {model for model, number in tx.notes.tagged(name, value) if number}
        names = [model for model in names if model in bearing]
    return sorted(names)


def _versions(
    tx: Transaction, model: str, wanted: SearchFilters, tests: list[_Test], limit: int
) -> list[Version]:
    """No more than are shown are read whole; of the rest, where a metric is asked for, the metrics alone."""
    numbers = _numbers(tx, model, wanted)
    if numbers is not None and not numbers:
        return []
    asked: dict[str, Any] = {
        "states": set(wanted.states) or None,
        "within": Within(
            data=wanted.data, digest=wanted.digest, since=wanted.since, until=wanted.until
        ),
    }
    if not tests:
        return tx.registry.versions(model, numbers=numbers, limit=limit, **asked)
    measured = tx.registry.measured(model, numbers)
    fitting = [number for number, held in measured.items() if all(test(held) for test in tests)]
    found: list[Version] = []
    for start in range(0, len(fitting), _CHUNK):
        chunk = fitting[start : start + _CHUNK]
        found += tx.registry.versions(model, numbers=chunk, limit=limit - len(found), **asked)
        if len(found) >= limit:
            break
    return found


def _rows(tx: Transaction, model: str, versions: list[Version]) -> list[dict[str, Any]]:
    if not versions:
        return []
    named = [version.number for version in versions]
    measured, tags = tx.registry.measured(model, named), tx.notes.tags(model, named)
    texts = tx.notes.descriptions(model, named)
    pointing: dict[int, list[str]] = {}
    for alias in tx.aliases.of(model):
        pointing.setdefault(alias.version or 0, []).append(alias.name)
    return [
        {
            **to_plain(version),
            "version": version.number,
            "champion": version.state is VersionState.CHAMPION,
            "metrics": dict(measured[version.number]),
            "tags": dict(tags.get(version.number, {})),
            "aliases": pointing.get(version.number, []),
            "description": texts.get(version.number, ""),
        }
        for version in versions
    ]


def _numbers(tx: Transaction, model: str, wanted: SearchFilters) -> set[int] | None:
    found: set[int] | None = None
    for name, value in wanted.tags.items():
        bearing = {number for owner, number in tx.notes.tagged(name, value) if owner == model}
        found = bearing if found is None else found & bearing
    if wanted.alias is not None:
        resolved = tx.aliases.resolve(model, wanted.alias)
        points = {resolved.version.number} if resolved else set()
        found = points if found is None else found & points
    return found - {0} if found is not None else None
