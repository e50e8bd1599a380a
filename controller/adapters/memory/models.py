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
from controller.domain.versions import UNDECIDED, VersionState
from controller.ports import ModelState, Waiting

CHANGEABLE = frozenset(
    {"hold", "wake_at", "recipe_index", "rest", "rollout", "error", "last_fired"}
)


class MemoryModels:
    """One row a model."""

    def __init__(self, tables: Tables, *, writes: bool) -> None:
        self._tables = tables
        self._writes = writes

    def state(self, model: str) -> ModelState:
        found = self._tables.models.get(model)
        if found is None:
            found = ModelState(model=model)
            if self._writes:
                self._tables.models[model] = found
        return self._view(found)

    def all(self, *, troubled: bool = False) -> list[ModelState]:
        states = map(self._view, self._tables.models.values())
        wanted = (s for s in states if not troubled or s.hold is not None or s.error is not None)
        return sorted(wanted, key=lambda state: state.model)

    def _view(self, state: ModelState) -> ModelState:
        """The row with the levels of those versions only that may be judged again."""
        open_levels = {
            number: level
            for number, level in state.budget.levels.items()
            if self._tables.versions[state.model, int(number)].state in UNDECIDED
        }
        if len(open_levels) == len(state.budget.levels):
            return state
        return replace(state, budget=replace(state.budget, levels=open_levels))

    def waiting(self, limit: int = 100) -> list[Waiting]:
        found = [
            Waiting(model=v.model, version=v.number, since=v.state_since or v.created_at)
            for v in self._tables.versions.values()
            if v.state is VersionState.CHALLENGER
        ]
        return sorted(found, key=lambda w: (w.since, w.model, w.version))[:limit]

    def due(self, now: datetime, limit: int = 100) -> list[str]:
        since: dict[str, datetime] = {}
        inbox = MemorySignals(self._tables)
        for model in self._tables.waiting:
            received = inbox.oldest_open(model, urgent=self._rests(model, now))
            if received is not None:
                since[model] = received
        for state in self._tables.models.values():
            if state.wake_at is not None and state.wake_at <= now:
                since[state.model] = min(since.get(state.model, state.wake_at), state.wake_at)
        return sorted(since, key=lambda model: (since[model], model))[:limit]

    def _rests(self, model: str, now: datetime) -> bool:
        state = self._tables.models.get(model)
        if state is None or state.error is None or state.wake_at is None:
            return False
        return state.wake_at > now

    def update(self, model: str, **changes: Any) -> None:
        unknown = set(changes) - CHANGEABLE
        if unknown:
            raise TypeError(
                f"a model's row has no field to set called {', '.join(sorted(unknown))}"
            )
        self.replace(replace(self.state(model), **changes))

    def record_test(self, model: str, test: RecordTest, *, decision: int) -> None:
        self._need_decision(decision)
        self._need_version(model, test.version)
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
        self._need_version(model, approval.version)
        view = ApprovalView(
            version=approval.version,
            actor=approval.actor,
            agrees=approval.agrees,
            evidence=approval.evidence,
            at=at,
            reason=approval.reason,
            word=approval.word,
            behalf=approval.behalf,
        )
        self._tables.approvals[model] = (*self.approvals(model), view)

    def approvals(self, model: str) -> tuple[ApprovalView, ...]:
        return self._tables.approvals.get(model) or ()

    def replace(self, state: ModelState) -> None:
        """Put a changed row in the place of the old one."""
        self._tables.models[state.model] = state

    def _need_version(self, model: str, version: int) -> None:
        if (model, version) not in self._tables.versions:
            raise Conflict(f"{model} has no version {version}.")

    def _need_decision(self, decision: int) -> None:
        if decision not in self._tables.decisions:
            raise Conflict(f"There is no decision {decision}.")
