"""Search: versions by state, metric, tag, data and date, over one model or all."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.errors import UserError
from controller.domain.versions import Version, VersionState
from controller.ports import Transaction

_COMPARISON = re.compile(r"\s*([^<>=!\s]+)\s*(<=|>=|!=|=|<|>)\s*(-?[0-9.eE+-]+)\s*")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
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


def search(tx: Transaction, wanted: Wanted) -> list[dict[str, Any]]:
    """Versions as rows, newest first within a model; each with its metrics, tags, aliases and description."""
    tests = [_comparison(text) for text in wanted.metrics]
    found: list[dict[str, Any]] = []
    for model in _models(tx, wanted):
        for row in _of_model(tx, model, wanted):
            if all(test(row["metrics"]) for test in tests):
                found.append(row)
                if len(found) >= wanted.limit:
                    return found
    return found


def parse_tag(text: str) -> tuple[str, str | None]:
    """``team=fraud`` or ``team``."""
    name, sign, value = text.partition("=")
    if not name:
        raise UserError(
            f"{text!r} is no tag.", hint="Write name=value, or name alone for any value."
        )
    return name, value if sign else None


def _comparison(text: str) -> Callable[[Mapping[str, float]], bool]:
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


def _models(tx: Transaction, wanted: Wanted) -> list[str]:
    """All that are asked for; with a tag only those that bear it anywhere."""
    names = list(wanted.models) or [state.model for state in tx.models.all()]
    for name, value in wanted.tags.items():
        bearing = {model for model, number in tx.notes.tagged(name, value) if number}
        names = [model for model in names if model in bearing]
    return sorted(names)


def _of_model(tx: Transaction, model: str, wanted: Wanted) -> Iterator[dict[str, Any]]:
    states = set(wanted.states) or None
    numbers = _numbers(tx, model, wanted)
    if numbers is not None and not numbers:
        return
    limit = wanted.limit if _is_plain(wanted) else None
    versions = tx.registry.versions(model, states=states, numbers=numbers, limit=limit)
    kept = [version for version in versions if _fits(version, wanted)]
    named = [version.number for version in kept]
    if not kept:
        return
    judged, tags = tx.registry.evaluations(model, named), tx.notes.tags(model, named)
    texts = tx.notes.descriptions(model, named)
    pointing: dict[int, list[str]] = {}
    for alias in tx.aliases.of(model):
        pointing.setdefault(alias.version or 0, []).append(alias.name)
    for version in kept:
        metrics = {**version.metrics}
        if version.number in judged:
            metrics |= judged[version.number].metrics
        yield {
            **to_plain(version),
            "version": version.number,
            "champion": version.state is VersionState.CHAMPION,
            "metrics": metrics,
            "tags": dict(tags.get(version.number, {})),
            "aliases": pointing.get(version.number, []),
            "description": texts.get(version.number, ""),
        }


def _is_plain(wanted: Wanted) -> bool:
    """Whether the database alone decides, so that no more rows are read than are shown."""
    plain = (wanted.metrics, wanted.data, wanted.digest, wanted.since, wanted.until)
    return not any(plain) and wanted.data is None


def _numbers(tx: Transaction, model: str, wanted: Wanted) -> set[int] | None:
    found: set[int] | None = None
    for name, value in wanted.tags.items():
        bearing = {number for owner, number in tx.notes.tagged(name, value) if owner == model}
        found = bearing if found is None else found & bearing
    if wanted.alias is not None:
        resolved = tx.aliases.resolve(model, wanted.alias)
        points = {resolved.version.number} if resolved else set()
        found = points if found is None else found & points
    return found - {0} if found is not None else None


def _fits(version: Version, wanted: Wanted) -> bool:
    if wanted.data is not None and version.data_through != wanted.data:
        return False
    if wanted.digest is not None and not version.digest.startswith(wanted.digest):
        return False
    if wanted.since is not None and version.created_at < wanted.since:
        return False
    return wanted.until is None or version.created_at < wanted.until
