"""The signals that new batches are worth: one for the data, one more where the columns changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from controller.domain.payloads import storable_text
from controller.domain.signals import NewSignal, SignalKind
from controller.ports import Batch
from controller.service.rules.active import InForce

_SHOWN = 5
_LONGEST = 8_000
_LONGEST_NAME = 200
_MOST = 1_000
"""What a signal holds of an address, of a column's name, and of the columns of one change."""


def signals_of(
    model: str, batches: Sequence[Batch], at: datetime, *, before: Batch | None
) -> list[NewSignal]:
    """The signals of ``batches``, which the catalog has numbered; ``before`` is the newest batch before them."""
    found = []
    schema: Mapping[str, str] = before.schema if before is not None else {}
    for batch in batches:
        if batch.details.get("new_rows") != 0:
            found.append(_new_data(model, batch, at))
        change = schema_change(schema, batch.schema)
        if change:
            found.append(_schema_changed(model, batch, at, change))
        schema = batch.schema or schema
    return found


def _new_data(model: str, batch: Batch, at: datetime) -> NewSignal:
    ranges = {key: batch.details[key] for key in ("time_min", "time_max") if key in batch.details}
    return NewSignal(
        key=f"data:{model}:{batch.uri}:{batch.digest}",
        model=model,
        kind=SignalKind.NEW_DATA,
        occurred_at=batch.seen_at or at,
        payload={
            "uri": storable_text(batch.uri, _LONGEST),
            "rows": batch.details.get("new_rows", batch.rows),
            "size": batch.size,
            "digest": batch.digest,
            "sequence": batch.sequence,
            "files": 1,
            **ranges,
        },
    )


def served_signals(item: InForce, batches: Sequence[Batch], at: datetime) -> list[NewSignal]:
    """What new batches of a serving log are worth: they train nothing, and may be held against the data."""
    return [
        NewSignal(
            key=f"served:{item.serving}:{batch.uri}:{batch.digest}",
            model=item.serving,
            kind=SignalKind.SERVED,
            occurred_at=batch.seen_at or at,
            payload={
                "uri": storable_text(batch.uri, _LONGEST),
                "rows": batch.rows,
                "sequence": batch.sequence,
            },
        )
        for batch in batches
    ]


def _schema_changed(model: str, batch: Batch, at: datetime, change: dict[str, Any]) -> NewSignal:
    return NewSignal(
        key=f"schema:{model}:{batch.uri}:{batch.digest}",
        model=model,
        kind=SignalKind.SCHEMA_CHANGED,
        occurred_at=batch.seen_at or at,
        payload={"uri": storable_text(batch.uri, _LONGEST), "sequence": batch.sequence, **change},
    )


def schema_change(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """What differs between two schemas, with a sentence; empty if nothing does or one is not known."""
    if not before or not after:
        return {}
    added = sorted(after.keys() - before.keys())
    removed = sorted(before.keys() - after.keys())
    retyped = {
        name: f"{before[name]} → {after[name]}"
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    }
    parts = [
        *([f"{len(added)} new ({_some(added)})"] if added else []),
        *([f"{len(removed)} gone ({_some(removed)})"] if removed else []),
        *([f"{len(retyped)} of another type ({_some_moves(retyped)})"] if retyped else []),
    ]
    if not parts:
        return {}
    sentence = f"The columns changed: {', '.join(parts)}"
    return {
        "added": _names(added),
        "removed": _names(removed),
        "retyped": dict(zip(_names(retyped), _names(retyped.values()), strict=True)),
        "sentence": storable_text(sentence, 2_000),
    }


def _names(names: Iterable[str]) -> list[str]:
    """Of very many columns the first; of a very long name its beginning."""
    return [storable_text(name, _LONGEST_NAME) for name in islice(names, _MOST)]


def _some(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _some_moves(moves: Mapping[str, str]) -> str:
    return _some([f"{name} {move}" for name, move in moves.items()])
