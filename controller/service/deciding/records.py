"""Reads the records of versions in service: hours as the store keeps them, put together to a condition's windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from controller.domain.records import Record, WindowSums, add_figure, bounded
from controller.domain.rules import Policy
from controller.domain.signals import Signal, SignalKind
from controller.domain.versions import Reign, Version
from controller.ports import Transaction

_MOST = 64
"""Windows in a snapshot; older ones are one."""


def read_records(
    tx: Transaction,
    policy: Policy,
    signals: Iterable[Signal],
    history: tuple[Reign, ...],
    versions: Iterable[Version],
) -> tuple[Record, ...]:
    """Of the champion, of the one before and of what a figure names, where a figure has come; else nothing."""
    told = [s.payload.get("version") for s in signals if s.kind is SignalKind.METRIC]
    named = {number for number in told if number is None or isinstance(number, int)}
    if not named or not policy.rollback.when:
        return ()
    wanted = {reign.version for reign in history[:2]} | named
    asked = sorted({(c.metric, c.window.total_seconds()) for c in policy.rollback.when})
    found = []
    for version in versions:
        if version.number in wanted:
            since = version.promoted_at or version.created_at
            for metric, window in asked:
                spans = tx.measures.of(version.model, version.number, metric)
                found.append(_record(version, metric, (window, since), spans))
    return tuple(found)


def _record(
    version: Version, metric: str, frame: tuple[float, datetime], hours: list[WindowSums]
) -> Record:
    window, since = frame
    empty = Record(version=version.number, metric=metric, window=window, since=since)
    spans: tuple[WindowSums, ...] = ()
    for index, span in _placed(empty, hours):
        spans = add_figure(spans, WindowSums(index=index).plus(span))
    return Record(
        version=version.number,
        metric=metric,
        window=window,
        since=since,
        spans=bounded(spans, _MOST),
    )


def _placed(record: Record, hours: list[WindowSums]) -> Iterator[tuple[int, WindowSums]]:
    for span in hours:
        yield record.index_of(datetime.fromtimestamp(span.index * 3600, UTC)), span
