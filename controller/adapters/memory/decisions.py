"""The decision log in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator

from controller.adapters.memory.tables import Tables
from controller.domain.chain import seal
from controller.domain.decisions import DecisionRecord
from controller.ports import NewDecision, Query


class MemoryDecisions:
    """Records by number."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def record(self, decision: NewDecision) -> DecisionRecord:
        number, before = self._tables.head()
        record = seal(
            DecisionRecord(
                id=number + 1,
                model=decision.model,
                decided_at=decision.decided_at,
                rules=decision.rules,
                snapshot=decision.snapshot,
                decision=decision.decision,
                prev_hash=before,
                hash="",
                actor=decision.actor,
            )
        )
        self._tables.decisions[record.id] = record
        self._tables.verdicts[record.id] = json.loads(decision.decision).get("verdict", "none")
        return record

    def get(self, decision: int) -> DecisionRecord | None:
        return self._tables.decisions.get(decision)

    def find(self, query: Query) -> list[DecisionRecord]:
        found: list[DecisionRecord] = []
        for record in self._tables.decisions.newest():
            if len(found) >= query.limit:
                break
            if (
                (query.model is None or record.model == query.model)
                and (not query.kinds or self._tables.verdicts[record.id] in query.kinds)
                and (query.since is None or record.decided_at >= query.since)
                and (query.until is None or record.decided_at < query.until)
                and (query.before is None or record.id < query.before)
            ):
                found.append(record)
        return found

    def head(self) -> tuple[int, str]:
        return self._tables.head()

    def walk(self, start: int = 1, model: str | None = None) -> Iterator[DecisionRecord]:
        for record in self._tables.decisions.values():
            if record.id >= start and (model is None or record.model == model):
                yield record

    def anchored(self) -> tuple[int, str] | None:
        return self._tables.anchored.get("newest")

    def remember_anchor(self, decision: int, hash_: str) -> None:
        known = self.anchored()
        if known is None or known[0] < decision:
            self._tables.anchored["newest"] = (decision, hash_)
