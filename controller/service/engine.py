"""The engine: takes each model that waits, reads its snapshot, decides, and writes the decision in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.crashpoints import reach
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import Conflict, Full, IncumbentError, Unavailable
from controller.domain.rules import Policy
from controller.policy.decide import decide
from controller.ports import ActiveRules, Clock, Store, Transaction
from controller.service.apply import apply_decision
from controller.service.backpressure import OUTBOX, must_fit
from controller.service.snapshots import take_snapshot

log = logging.getLogger(__name__)

Parse = Callable[[str, str], Policy]
"""From a policy's text and path to its rules; raises PolicyInvalid."""

Decided = Callable[[DecisionRecord, Decision], None]
"""Told of each decision after its transaction committed."""

_MODEL_LEASE = timedelta(seconds=30)
"""More than a decision takes: the lease is given back in the transaction that took it."""
_BACK_OFF = timedelta(seconds=30)
_STEPS = 100
"""Decisions for one model in one tick; a guard against a policy that would keep the loop to itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """Who the engine is in leases, how many models it takes in one tick, and how many ordered runs may wait."""

    owner: str = "engine"
    batch: int = 100
    outbox: int = OUTBOX


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineReport:
    """What one tick did."""

    models: int = 0
    decisions: int = 0
    conflicts: int = 0
    poisoned: int = 0


class Engine:
    """Decides for models, one at a time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        parse: Parse,
        config: EngineConfig | None = None,
        decided: Decided | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._parse = parse
        self._config = config or EngineConfig()
        self._decided = decided
        self._policies: dict[str, Policy] = {}
        self._last: datetime | None = None

    def run_once(self) -> EngineReport:
        """Decide for every model that has something open, until each has nothing more to say."""
        now = self._clock.now()
        with self._store.read() as tx:
            due = tx.models.due(now, self._config.batch)
            if self._last is None or now < self._last:
                # At the start, and when the clock went back, what was put off was put off by another clock.
                asleep = [s.model for s in tx.models.all() if s.wake_at is not None]
                due = list(dict.fromkeys([*due, *asleep]))
        self._last = now
        decisions = conflicts = poisoned = 0
        for model in due:
            try:
                decisions += self._settle(model, now)
            except Conflict as conflict:
                conflicts += 1  # the next tick reads a new snapshot and decides anew
                log.info(
                    "stale view", extra={"action": "conflict", "model": model, "why": str(conflict)}
                )
            except Full as full:
                self._set_aside(model, full, now)
            except Unavailable:
                raise  # the database's trouble is no model's fault: the next tick tries all again
            except Exception as error:  # noqa: BLE001 - one poisoned model must stop no other
                poisoned += 1
                self._set_aside(model, error, now)
        return EngineReport(
            models=len(due), decisions=decisions, conflicts=conflicts, poisoned=poisoned
        )

    def settle(self, model: str) -> int:
        """Decide for one model until nothing changes; how many decisions were written."""
        return self._settle(model, self._clock.now())

    def _settle(self, model: str, now: datetime) -> int:
        for step in range(_STEPS):
            if not self._decide_once(model, now):
                return step
        return _STEPS

    def _decide_once(self, model: str, now: datetime) -> bool:
        with self._store.begin() as tx:
            lease = tx.leases.acquire(f"model:{model}", self._config.owner, _MODEL_LEASE)
            if lease is None:
                return False
            decided = self._decide_in(tx, model, now)
            # Whoever takes over from this engine need not wait for it.
            tx.leases.release(lease)
            if decided is not None:
                reach("decision-written")
        if decided is None:
            return False
        reach("decision-made")
        record, decision = decided
        log.info(
            decision.reason,
            extra={"action": decision.verdict.value, "model": model, "decision": record.id},
        )
        if self._decided is not None:
            self._decided(record, decision)
        return True

    def _decide_in(
        self, tx: Transaction, model: str, now: datetime
    ) -> tuple[DecisionRecord, Decision] | None:
        """Decide and write it down; None if nothing changes."""
        rules = self._may_decide(tx, model, now)
        if rules is None:
            return None
        policy = self._policy(rules)
        snapshot = take_snapshot(tx, rules, policy, now)
        decision = decide(snapshot, policy, now)
        must_fit(tx, decision, limit=self._config.outbox)
        record = apply_decision(tx, snapshot, decision) if decision.changes else None
        # More may follow from what was just written. Whoever dies before the next look leaves a model that is due.
        self._sleep_until(tx, model, decision.wake_at if record is None else now)
        return None if record is None else (record, decision)

    def _may_decide(self, tx: Transaction, model: str, now: datetime) -> ActiveRules | None:
        """The rules to decide by; None where rules are missing or the model rests in error."""
        state = tx.models.state(model)
        if state.error is not None and state.wake_at is not None and state.wake_at > now:
            return None
        rules = tx.rules.active(model)
        if rules is None and state.wake_at is not None and state.wake_at <= now:
            tx.models.update(model, wake_at=None)
        return rules

    def _sleep_until(self, tx: Transaction, model: str, wake_at: datetime | None) -> None:
        state = tx.models.state(model)
        if state.wake_at != wake_at:
            tx.models.update(model, wake_at=wake_at)
        if state.error is not None:
            tx.models.update(model, error=None)

    def _policy(self, rules: ActiveRules) -> Policy:
        known = self._policies.get(rules.ref.blob)
        if known is None:
            known = self._policies[rules.ref.blob] = self._parse(rules.text, rules.ref.path)
        return known

    def _set_aside(self, model: str, error: Exception, now: datetime) -> None:
        """Stop this model, visibly, and look again later; its signals stay open."""
        sentence = error.sentence() if isinstance(error, IncumbentError) else repr(error)
        waits = isinstance(error, Full)
        log.log(
            logging.WARNING if waits else logging.ERROR,
            "cannot decide",
            extra={"action": "full" if waits else "poisoned", "model": model, "why": sentence},
            exc_info=not isinstance(error, IncumbentError),
        )
        with self._store.begin() as tx:
            tx.models.update(model, error=sentence, wake_at=now + _BACK_OFF)
