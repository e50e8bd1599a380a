"""Whether a log is whole: what `incumbent verify` derives in its own way, said once more for the tests."""

from __future__ import annotations

from collections.abc import Iterable

from controller.domain.canonical import GENESIS
from controller.domain.chain import Break, break_at
from controller.domain.decisions import DecisionRecord


def find_break(
    records: Iterable[DecisionRecord], head: tuple[int, str] | None = None
) -> Break | None:
    """The first place where the chain is broken, None if it is whole.

    ``records`` is the whole log from number 1, oldest first. With ``head`` (id and hash of the newest record, as
    kept elsewhere) a log whose end was cut off is found too.
    """
    number, before = 0, GENESIS
    for record in records:
        number += 1
        found = break_at(record, number, before)
        if found is not None:
            return found
        before = record.hash
    if head is not None and head != (number, before):
        return Break(
            decision=head[0],
            sentence=f"The chain ends at decision {number}, but its head names decision {head[0]}"
            f" with hash {head[1][:12]}.",
        )
    return None
