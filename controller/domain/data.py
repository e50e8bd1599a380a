"""What a model's data amounts to: the same figures and digest whichever store computes them."""

from __future__ import annotations

from collections.abc import Iterable

from controller.domain.canonical import digest
from controller.domain.snapshot import DataView


def served_stream(model: str) -> str:
    """The name under which the batches of a model's serving log are kept; no model can be called so."""
    return f"{model}/served"


def view_of(through: int, batches: Iterable[tuple[str, str, int | None]]) -> DataView:
    """The view of a data snapshot given as (uri, digest, rows) of its batches, oldest first.

    The digest covers which bytes are in it and in which order, not their number of rows.
    """
    known = list(batches)
    return DataView(
        through=through,
        batches=len(known),
        rows=sum(rows or 0 for _, _, rows in known),
        digest=digest([[uri, content] for uri, content, _ in known]) if known else None,
    )
