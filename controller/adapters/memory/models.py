"""The models' control rows in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.adapters.memory.signals import MemorySignals
from controller.adapters.memory.tables import Tables
from controller.domain.decisions import RecordApproval, RecordTest
from controller.domain.errors import Conflict
from controller.domain.snapshot import ApprovalView, BudgetView
from controller.ports import ModelState

CHANGEABLE = frozenset({"hold", "wake_at", "recipe_index", "rest", "error", "last_fired"})


class MemoryModels:
    """One row a model."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def state(self, model: str) -> ModelState:
        found = self._tables.models.get(model)
        if found is None:
            found = ModelState(model=model)
            self._tables.models[model] = found
        return found

    def all(self) -> list[ModelState]:
        return sorted(self._tables.models.values(), key=lambda state: state.model)

    def due(self, now: datetime, limit: int = 100) -> list[str]:
        since: dict[str, datetime] = {}
        inbox = MemorySignals(self._tables)
        for model in self._tables.waiting:
            received = inbox.oldest_open(model)
            if received is not None:
                since[model] = received
        for state in self._tables.models.values():
            if state.wake_at is not None and state.wake_at <= now:
                since[state.model] = min(since.get(state.model, state.wake_at), state.wake_at)
        return sorted(since, key=lambda model: (since[model], model))[:limit]

    def update(self, model: str, **changes: Any) -> None:
        unknown = set(changes) - CHANGEABLE
        if unknown:
            raise TypeError(
                f"a model's row has no field to set called {', '.join(sorted(unknown))}"
            )
        self.replace(replace(self.state(model), **changes))

    def record_test(self, model: str, test: RecordTest, *, decision: int) -> None:
        self._need_decision(decision)
        state = self.state(model)
        book = state.budget
        kept = (*book.rejections, book.tests) if test.rejected else book.rejections
        levels = {**book.levels, str(test.version): test.level}
        budget = BudgetView(tests=book.tests + 1, rejections=kept, levels=levels)
        self.replace(replace(state, budget=budget))

    def record_approval(
        self, model: str, approval: RecordApproval, *, decision: int, at: datetime
    ) -> None:
        self._need_decision(decision)
        if (model, approval.version) not in self._tables.versions:
            raise Conflict(f"{model} has no version {approval.version}.")
        view = ApprovalView(
            version=approval.version,
            actor=approval.actor,
            agrees=approval.agrees,
            evidence=approval.evidence,
            at=at,
            reason=approval.reason,
        )
        self._tables.approvals[model] = (*self.approvals(model), view)

    def approvals(self, model: str) -> tuple[ApprovalView, ...]:
        return self._tables.approvals.get(model) or ()

    def replace(self, state: ModelState) -> None:
        """Put a changed row in the place of the old one."""
        self._tables.models[state.model] = state

    def _need_decision(self, decision: int) -> None:
        if decision not in self._tables.decisions:
            raise Conflict(f"There is no decision {decision}.")
