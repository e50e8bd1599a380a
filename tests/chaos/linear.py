"""Whether what clients saw of one model's seat can have happened in one order: linearizability of a register.

Each change of champion has a number of its own (the generation), which the decision log orders. So the order of the
writes is known, and a history is linearizable exactly when no operation ended before another one began that it
would have to follow. That makes the check linear in time after sorting, where the general problem is NP-complete
(Gibbons and Korach, "Testing Shared Memories", SIAM J. Comput. 26(4), 1997: with the write order given it is easy).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client saw: between ``began`` and ``ended`` (seconds) the seat had its ``generation``-th champion.

    A write has ``ended`` when somebody was told of it; never (infinity) if nobody was.
    """

    began: float
    ended: float
    generation: int
    champion: int | None
    write: bool = False


def find_violation(
    operations: Iterable[Operation], champions: Mapping[int, int | None]
) -> str | None:
    """The first contradiction as a sentence; None if there is none. ``champions``: by generation, from the log."""
    ordered = sorted(operations, key=lambda operation: operation.began)
    for operation in ordered:
        if operation.generation not in champions:
            return f"generation {operation.generation} was seen, and the log has no such change"
        expected = champions[operation.generation]
        if operation.champion != expected:
            return (
                f"generation {operation.generation} was seen as v{operation.champion},"
                f" the log says v{expected}"
            )
    return _order(ordered)


def _order(ordered: list[Operation]) -> str | None:
    under_way: list[tuple[float, int, bool]] = []
    newest, by_write = 0, False
    for operation in ordered:
        while under_way and under_way[0][0] < operation.began:
            _, generation, write = heapq.heappop(under_way)
            if generation >= newest:
                newest, by_write = generation, write
        # A write follows everything of older generations; a read of its own generation may come before or after.
        if operation.generation < newest:
            kind = "acknowledged" if by_write else "read"
            verb = "took place" if operation.write else "was read"
            return (
                f"generation {operation.generation} {verb} from {operation.began:.3f} on,"
                f" after generation {newest} had been {kind}"
            )
        heapq.heappush(under_way, (operation.ended, operation.generation, operation.write))
    # The other way round: a read must not see what was not yet written.
    written = {o.generation: o.began for o in ordered if o.write}
    for operation in ordered:
        begun = written.get(operation.generation)
        if begun is not None and not operation.write and operation.ended < begun:
            return f"generation {operation.generation} was read before it was decided"
    return None
