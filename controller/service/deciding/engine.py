"""The engine: takes each model that waits, reads its snapshot, decides, and writes the decision in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.crashpoints import reach
from controller.domain import codec
from controller.domain.canonical import canonical_json
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import Conflict, Full, IncumbentError, Unavailable
from controller.domain.notices import channels_told
from controller.domain.rules import Policy
from controller.domain.signals import URGENT
from controller.domain.snapshot import Snapshot
from controller.policy.decide import decide
from controller.ports import ActiveRules, Clock, Store, Transaction
from controller.service.deciding.apply import apply_decision
from controller.service.deciding.backpressure import OUTBOX, has_room_for_notices, must_fit
from controller.service.deciding.narrow import MOST_TRIES, Narrowing, sentence_of
from controller.service.deciding.snapshots import take_snapshot
from controller.service.deciding.turns import TURN, TURNS, Tick, Turns
from controller.service.deciding.views import ALL, View

log = logging.getLogger(__name__)

Parse = Callable[[str, str], Policy]
"""From a policy's text and path to its rules; raises PolicyInvalid."""

Decided = Callable[[DecisionRecord, Decision], None]
"""Told of each decision after its transaction committed."""

_MODEL_LEASE = timedelta(seconds=30)
"""More than a decision takes: the lease is given back in the transaction that took it."""
_BACK_OFF = timedelta(seconds=30)
_REFUSALS = 5
"""Conflicts in a row after which it is no race any more: something in the inbox contradicts what is stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """Who the engine is in leases, how many models it looks up at once, and how many ordered runs may wait."""

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
        self._policies: dict[str, tuple[str, Policy]] = {}
        self._turns = Turns(store, self._config.batch)
        self._refused: dict[str, int] = {}

    def run_once(self) -> EngineReport:
        """Decide for every model that has something open, until each has nothing more to say."""
        tick = Tick(now=self._clock.now())
        models = self._turns.first(tick.now)
        for _ in range(TURNS):
            while models:
                for model in models:
                    self._give_turn(model, tick)
                models = self._turns.others(tick, len(models))
            models = self._turns.following(tick)
        return EngineReport(
            models=len(tick.served), decisions=tick.decisions,
            conflicts=tick.conflicts, poisoned=tick.poisoned,
        )  # fmt: skip

    def _give_turn(self, model: str, tick: Tick) -> None:
        """Let one model decide; what goes wrong with it is its own."""
        self._turns.begin(model, tick)
        try:
            self._turns.end(model, tick, self._decide_until_idle(model, tick.now))
            self._refused.pop(model, None)
        except Conflict as conflict:
            tick.conflicts += 1
            tick.decisions += self._meet_again(model, conflict, tick.now)
        except Full as full:
            self._rest(model, full, tick.now)
        except Unavailable:
            raise  # the database's trouble is no model's fault: the next tick tries all again
        except Exception as error:  # noqa: BLE001 - one poisoned model must stop no other
            tick.poisoned += 1
            tick.decisions += self._isolate(model, error, tick.now)

    def decide_until_idle(self, model: str) -> int:
        """Decide for one model until nothing changes; how many decisions were written."""
        now, written = self._clock.now(), 0
        for _ in range(TURNS):
            decided = self._decide_until_idle(model, now)
            written += decided
            if decided < TURN:
                break
        return written

    # --- what cannot be decided ---------------------------------------------------------------------------------

    def _meet_again(self, model: str, conflict: Conflict, now: datetime) -> int:
        """A stale view is read anew in the next tick. What is refused tick after tick is no stale view."""
        log.info("stale view", extra={"action": "conflict", "model": model, "why": str(conflict)})
        self._refused[model] = self._refused.get(model, 0) + 1
        if self._refused[model] < _REFUSALS:
            return 0
        self._refused.pop(model)
        return self._isolate(model, conflict, now)

    def _isolate(self, model: str, error: Exception, now: datetime) -> int:
        """End the signals that cause ``error``, and go on; where it is none of them, the model rests."""
        log.error(
            "cannot decide",
            extra={"action": "poisoned", "model": model, "why": sentence_of(error)},
            exc_info=None if isinstance(error, IncumbentError) else error,
        )
        try:
            return self._end_what_fails(model, error, now)
        except Conflict:
            return 0  # the next tick
        except Full as full:
            self._rest(model, full, now)
        except Unavailable:
            raise
        except Exception as another:  # noqa: BLE001 - not even the way out may stop the other models
            self._rest(model, another, now)
        return 0

    def _end_what_fails(self, model: str, error: Exception, now: datetime) -> int:
        """What a person wants urgently is decided before anything is searched for."""
        written, tries = 0, MOST_TRIES
        while tries:
            why = sentence_of(error)
            written += self._decide_urgent(model, why, now)
            search, own = self._narrow(model, now, tries)
            if not search.found:
                return written + self._decide_or_rest(model, own, now)
            tries = search.tries
            written += self._end(model, View(only=frozenset(), ended=search.found), now)
            try:
                return written + self._decide_until_idle(model, now)
            except (Conflict, Unavailable):
                raise
            except Exception as another:  # noqa: BLE001 - as in the tick itself
                error = another
        with self._store.begin() as tx:
            tx.models.update(model, wake_at=now)  # the search goes on with the next tick
        return written

    def _decide_or_rest(self, model: str, own: Exception | None, now: datetime) -> int:
        """Rest for what fails without any signal. Where nothing does, another controller may have ended what did."""
        if own is None:
            try:
                return self._decide_until_idle(model, now)
            except (Conflict, Full, Unavailable):
                raise
            except Exception as again:  # noqa: BLE001 - found by no search, and there all the same
                own = again
        self._rest(model, own, now)
        return 0

    def _narrow(self, model: str, now: datetime, tries: int) -> tuple[Narrowing, Exception | None]:
        """The signals to blame, or what fails without any signal."""

        def attempt(only: frozenset[int]) -> Exception | None:
            return self._attempt(model, View(only=only), now)

        search = Narrowing(attempt, tries)
        own = attempt(frozenset())
        if own is None:
            with self._store.read() as tx:
                pending = tx.signals.pending(model)
            search.search(pending)
        return search, own

    def _attempt(self, model: str, view: View, now: datetime) -> Exception | None:
        """Take a turn and take it back; what went wrong. A view that was stale once is no fault of what it saw.

        A whole turn, for what fails may come only after what is more urgent.
        """
        problem: Exception | None = None
        for _ in range(_REFUSALS):
            try:
                with self._store.begin() as tx:
                    for _ in range(TURN):
                        if self._decide_in(tx, model, view, now) is None:
                            break
                    raise _TakenBackError  # noqa: TRY301 - it ends the transaction
            except (_TakenBackError, Full):
                return None
            except Unavailable:
                raise
            except Conflict as conflict:
                problem = conflict
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is searched for
                return error
        return problem

    def _end(self, model: str, view: View, now: datetime) -> int:
        """Answer signals as failed, in one decision that says why."""
        log.warning(
            "signals cannot be decided",
            extra={"action": "isolated", "model": model, "signals": sorted(view.ended)},
        )
        return self._decide_once(model, view, now)

    def _decide_urgent(self, model: str, why: str, now: datetime) -> int:
        """Decide what a person wants urgently, each signal alone, while the model cannot be decided as a whole."""
        with self._store.read() as tx:
            urgent = [s.id for s in tx.signals.pending(model) if s.kind in URGENT]
        written = 0
        for signal in urgent:
            view = View(only=frozenset({signal}), resting=why)
            try:
                written += self._decide_once(model, view, now)
            except (Conflict, Full):
                continue  # the next tick
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - it must not keep the others waiting
                nothing = View(only=frozenset(), resting=why)
                if self._attempt(model, nothing, now) is None:
                    ended = {signal: sentence_of(error)}
                    written += self._end(model, replace(nothing, ended=ended), now)
        return written

    def _rest(self, model: str, error: Exception, now: datetime) -> None:
        """Stop this model, visibly, and look again later; its signals stay open."""
        sentence = sentence_of(error)
        with self._store.begin() as tx:
            known = tx.models.state(model).error
            tx.models.update(model, error=sentence, wake_at=now + _BACK_OFF)
            if known is None:
                log.warning("rests", extra={"action": "rests", "model": model, "why": sentence})
                rested = f"{model} is stopped: {sentence.rstrip('.')}; the champion stays"
                self._tell(tx, model, ("stopped", rested), now)

    def _tell(self, tx: Transaction, model: str, news: tuple[str, str], now: datetime) -> None:
        """A notice without a decision. Who rests may have no policy that can be read; then the operators hear it."""
        rules = tx.rules.active(model)
        try:
            policy = self._policy(rules) if rules is not None else None
        except Exception:  # noqa: BLE001 - rules that cannot be read name no channel, and stop nobody
            policy = None
        if not has_room_for_notices(tx):
            return
        event, sentence = news
        for channel in channels_told(policy.notify if policy is not None else {}, event):
            payload = {
                "channel": channel,
                "event": event,
                "model": model,
                "sentence": sentence,
                "decision": None,
                "at": now,
            }
            tx.outbox.put("notify", f"{event}:{model}:{now.isoformat()}:{channel}", payload)

    # --- deciding -----------------------------------------------------------------------------------------------

    def _decide_until_idle(self, model: str, now: datetime) -> int:
        try:
            for step in range(TURN):
                if not self._decide_once(model, ALL, now):
                    return step
        except _AtRestError as rest:
            return self._decide_urgent(model, rest.why, now)
        return TURN

    def _decide_once(self, model: str, view: View, now: datetime) -> bool:
        with self._store.begin() as tx:
            lease = tx.leases.acquire(f"model:{model}", self._config.owner, _MODEL_LEASE)
            if lease is None:
                return False
            decided = self._decide_in(tx, model, view, now)
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
        self, tx: Transaction, model: str, view: View, now: datetime
    ) -> tuple[DecisionRecord, Decision] | None:
        """Decide and write it down; None if nothing changes."""
        rules = self._may_decide(tx, model, view, now)
        if rules is None:
            return None
        policy = self._policy(rules)
        snapshot = take_snapshot(tx, rules, policy, now, view)
        decision = decide(snapshot, policy, now)
        must_fit(tx, decision, limit=self._config.outbox)
        if decision.changes:
            # What cannot be read back could not be verified. A payload may be nested deeper than a reader goes.
            codec.load_value(Snapshot, canonical_json(snapshot))
        record = apply_decision(tx, snapshot, decision) if decision.changes else None
        if not view.resting:
            # More may follow from what was just written. Whoever dies before the next look leaves a model that is due.
            self._sleep_until(tx, model, decision.wake_at if record is None else now, now)
        return None if record is None else (record, decision)

    def _may_decide(
        self, tx: Transaction, model: str, view: View, now: datetime
    ) -> ActiveRules | None:
        """The rules to decide by; None where they are missing. A model that rests is for a view of its own."""
        state = tx.models.state(model)
        left = state.wake_at - now if state.wake_at is not None else timedelta(0)
        # A rest that would last longer was set by another clock.
        if state.error is not None and timedelta(0) < left <= _BACK_OFF and not view.resting:
            raise _AtRestError(state.error)
        rules = tx.rules.active(model)
        if rules is None and state.wake_at is not None and left <= timedelta(0):
            tx.models.update(model, wake_at=None)
        return rules

    def _sleep_until(
        self, tx: Transaction, model: str, wake_at: datetime | None, now: datetime
    ) -> None:
        state = tx.models.state(model)
        if state.wake_at != wake_at:
            tx.models.update(model, wake_at=wake_at)
        if state.error is not None:
            tx.models.update(model, error=None)
            self._tell(tx, model, ("resumed", f"{model} is decided again"), now)

    def _policy(self, rules: ActiveRules) -> Policy:
        blob, policy = self._policies.get(rules.model, ("", None))
        if policy is None or blob != rules.ref.blob:
            policy = self._parse(rules.text, rules.ref.path)
            self._policies[rules.model] = (rules.ref.blob, policy)
        return policy


class _TakenBackError(Exception):
    """Ends a transaction that was only tried."""


class _AtRestError(Exception):
    """The model rests in error. ``why`` is the sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
