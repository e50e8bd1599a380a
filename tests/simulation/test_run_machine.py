"""Hypothesis plays worker, source and rescuer at once and compares the database with two dictionaries.

Claims, heartbeats and ends come in any order, late, twice, with tokens that were superseded, and are broken off before
their commit. After each step the database must say what the dictionaries say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from controller.domain.errors import Conflict
from controller.domain.runs import RunState, run_id
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.ports import Query, RunEnd, Transaction
from tests.support.machines import BREAKS, SESSIONS, Player, TwoSessions
from tests.support.makers import AT, HOUR, MODEL, decide, new_signal, order

STEP = HOUR / 4
LEASE = 2 * STEP
KEYS = st.sampled_from("abcdef")
DICE = st.integers(0, 3)
AGES = st.sampled_from([0, 0, 0, 0, 1, 2, -1])
"""How far a token is behind the run's fence: a worker that was superseded once or twice, or that made one up."""


@dataclass
class Expected:
    """What a run must look like."""

    retries: int
    state: RunState = RunState.QUEUED
    fence: int = 0
    attempt: int = 0
    lease_until: timedelta = timedelta(0)
    cancel: bool = False


class RunMachine(TwoSessions):
    """Signals and runs."""

    def __init__(self) -> None:
        super().__init__()
        self.time = timedelta(0)
        self.signals: dict[str, SignalStatus] = {}
        self.runs: dict[int, Expected] = {}

    def _active(self) -> list[int]:
        return [number for number, run in self.runs.items() if not run.state.ended]

    def _pick(self, dice: int) -> int:
        """One of the runs that have not ended, or the one that was ordered last."""
        return [*self._active(), len(self.runs)][dice % (len(self._active()) + 1)]

    @initialize(retries=st.lists(st.integers(0, 2), min_size=3, max_size=3))
    def three_runs_of_which_two_run(self, retries: list[int]) -> None:
        for tries in retries:
            self.order_another(tries)
        for dice in (0, 1):
            self.claim(dice, age=0, session=dice, broken=False)

    @precondition(lambda self: len(self._active()) < 3)
    @rule(retries=st.integers(0, 2))
    def order_another(self, retries: int) -> None:
        number = len(self.runs) + 1
        with self.stores[0].begin() as tx:
            order(tx, number, retries=retries)
        self.runs[number] = Expected(retries=retries)

    @rule(keys=st.lists(KEYS, max_size=4), session=SESSIONS, broken=BREAKS)
    def ingest(self, keys: list[str], session: int, broken: bool) -> None:
        known = set(self.signals)
        accepted = self.act(
            session, broken, lambda tx: tx.signals.append([new_signal(k) for k in keys], AT)
        )
        if accepted is None:
            return
        for key, answer in zip(keys, accepted, strict=True):
            assert answer.fresh == (key not in known)
            known.add(key)
            self.signals.setdefault(key, SignalStatus.OPEN)

    @precondition(lambda self: self.signals)
    @rule(
        data=st.data(),
        status=st.sampled_from([s for s in SignalStatus if s is not SignalStatus.OPEN]),
        session=SESSIONS,
        broken=BREAKS,
    )
    def answer(self, data: st.DataObject, status: SignalStatus, session: int, broken: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.signals)))

        def work(tx: Transaction) -> bool:
            (signal,) = tx.signals.with_key(MODEL, key)
            told = SignalAnswer(signal=signal.id, status=status, reason="")
            tx.signals.answer([told], decide(tx))
            return True

        try:
            done = self.act(session, broken, work)
        except Conflict:
            assert self.signals[key].ended
            return
        assert not self.signals[key].ended
        if done:
            self.signals[key] = status

    @precondition(lambda self: self._active())
    @rule(dice=DICE, age=AGES, session=SESSIONS, broken=BREAKS)
    def claim(self, dice: int, age: int, session: int, broken: bool) -> None:
        number = self._pick(dice)
        run = self.runs[number]
        won = self.act(
            session,
            broken,
            lambda tx: tx.runs.claim(
                run_id(MODEL, number), run.fence - age, worker="w", lease=LEASE
            ),
        )
        if broken:
            return
        assert (won is not None) == (run.state is RunState.QUEUED and age == 0)
        if won is not None:
            run.state = RunState.RUNNING
            run.fence += 1
            run.attempt += 1
            run.lease_until = self.time + LEASE
            assert (won.fence, won.attempt) == (run.fence, run.attempt)

    @precondition(lambda self: self._active())
    @rule(dice=DICE, age=AGES, session=SESSIONS, broken=BREAKS)
    def heartbeat(self, dice: int, age: int, session: int, broken: bool) -> None:
        number = self._pick(dice)
        run = self.runs[number]
        name, fence = run_id(MODEL, number), run.fence - age
        pulse = self.act(session, broken, lambda tx: tx.runs.heartbeat(name, fence, lease=LEASE))
        if pulse is None:
            return
        assert pulse.valid == (run.state is RunState.RUNNING and age == 0)
        if pulse.valid:
            assert pulse.cancel == run.cancel
            run.lease_until = self.time + LEASE

    @precondition(lambda self: self._active())
    @rule(
        dice=DICE,
        age=AGES,
        state=st.sampled_from([RunState.DONE, RunState.FAILED, RunState.CANCELLED]),
        session=SESSIONS,
        broken=BREAKS,
    )
    def finish(self, dice: int, age: int, state: RunState, session: int, broken: bool) -> None:
        number = self._pick(dice)
        run = self.runs[number]
        name, fence = run_id(MODEL, number), run.fence - age
        done = self.act(
            session, broken, lambda tx: tx.runs.finish(name, fence, RunEnd(state=state), at=AT)
        )
        if done is None:
            return
        assert done == (run.state is RunState.RUNNING and age == 0)
        if done:
            self._end(number, state)

    @precondition(lambda self: self._active())
    @rule(
        dice=DICE,
        really=st.sampled_from([False, False, False, True]),
        session=SESSIONS,
        broken=BREAKS,
    )
    def cancel(self, dice: int, really: bool, session: int, broken: bool) -> None:
        number = self._pick(dice)
        run = self.runs[number]
        if not really:
            return  # else nothing would ever run
        self.act(
            session,
            broken,
            lambda tx: tx.runs.request_cancel(run_id(MODEL, number), "Stop.", at=AT),
        )
        if broken:
            return
        if run.state is RunState.QUEUED:
            self._end(number, RunState.CANCELLED)
        elif run.state is RunState.RUNNING:
            run.cancel = True

    @rule(steps=st.sampled_from([0, 1, 1, 2, 3]), session=SESSIONS, broken=BREAKS)
    def time_passes_and_somebody_rescues(self, steps: int, session: int, broken: bool) -> None:
        self.bench.pass_time(steps * STEP)
        self.time += steps * STEP
        back = self.act(session, broken, lambda tx: tx.runs.reclaim(at=AT))
        if back is None:
            return
        silent = [
            number
            for number, run in self.runs.items()
            if run.state is RunState.RUNNING and run.lease_until <= self.time
        ]
        assert [run.number for run in back] == silent
        for number in silent:
            run = self.runs[number]
            if run.cancel:
                self._end(number, RunState.CANCELLED)
            elif run.attempt > run.retries:
                self._end(number, RunState.DEAD)
            else:
                run.state = RunState.QUEUED
                run.fence += 1

    def _end(self, number: int, state: RunState) -> None:
        self.runs[number].state = state
        key = f"run:{run_id(MODEL, number)}:{state}"
        assert key not in self.signals
        self.signals[key] = SignalStatus.OPEN

    @invariant()
    def the_database_says_the_same(self) -> None:
        with self.stores[1].read() as tx:
            found = {s.key: s.status for s in tx.signals.find(Query(limit=1000))}
            assert found == self.signals
            waiting = {s.key for s in tx.signals.pending(MODEL)}
            assert waiting == {k for k, status in self.signals.items() if not status.ended}
            assert tx.signals.count_waiting() == len(waiting)
            assert {
                run.number: (run.state, run.fence, run.attempt, run.cancel_requested)
                for run in tx.runs.find(Query(model=MODEL))
            } == {
                number: (run.state, run.fence, run.attempt, run.cancel)
                for number, run in self.runs.items()
            }


def test_any_order_of_work(player: Player):
    player.play(RunMachine)
