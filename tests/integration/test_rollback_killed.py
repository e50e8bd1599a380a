"""kill -9 at each step of a rollback: always one champion, never an unproven one, and the next process ends it.

A step is a transaction. A child process goes through the whole rollback (the person's word, the order, the claim, the
worker's report, the move) and dies right before or right after its n-th commit; then another one goes on. Each n has
a model of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from controller.adapters.memory import SimulatedClock
from controller.adapters.sql.store import SqlStore
from controller.domain.decisions import RulesRef
from controller.domain.rules import Policy
from controller.domain.runs import RunKind, RunState
from controller.domain.signals import NewSignal, SignalKind
from controller.domain.versions import VersionState
from controller.ports import ActiveRules, Query, RunEnd, Store, Transaction
from controller.service.deciding.engine import Engine
from tests.support.house import policy
from tests.support.makers import AT, HOUR, MODEL, enter, seat
from tests.support.stores import Bench

KILLED = 137
RULES = policy()


def parse(text: str, path: str) -> Policy:
    del text, path
    return RULES


class Mortal:
    """A store whose process dies at its n-th commit."""

    def __init__(self, store: Store, dies_at: int, *, after: bool) -> None:
        self._store, self._dies_at, self._after, self._commits = store, dies_at, after, 0

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self._store.begin() as tx:
            yield tx
            self._commits += 1
            if self._commits == self._dies_at and not self._after:
                os._exit(KILLED)
        if self._commits == self._dies_at:
            os._exit(KILLED)

    def read(self, *, snapshot: bool = True) -> Any:
        return self._store.read(snapshot=snapshot)

    def close(self) -> None:
        self._store.close()


def go_through(store: Store, model: str) -> None:
    """Everything that a rollback takes, by whoever is alive: each step looks at what is there already."""
    asked = NewSignal(
        key=f"take {model} back", model=model, kind=SignalKind.ROLLBACK, occurred_at=AT,
        payload={"reason": "it harms", "expect_version": 2}, actor="person:ana",
    )  # fmt: skip
    with store.begin() as tx:
        tx.signals.append([asked], AT)
    for _ in range(6):
        Engine(store, SimulatedClock(AT), parse).decide_until_idle(model)
        work(store, model)


def work(store: Store, model: str) -> None:
    with store.read() as tx:
        open_ = [r for r in tx.runs.find(Query(model=model)) if not r.state.ended]
    for run in open_:
        with store.begin() as tx:
            if run.state is RunState.RUNNING:
                tx.runs.finish(run.id, run.fence, RunEnd(state=RunState.DONE), at=AT)
                continue
            claimed = tx.runs.claim(run.id, run.fence, worker="w", lease=HOUR)
        if claimed is not None and run.state is RunState.QUEUED:
            with store.begin() as tx:
                tx.runs.finish(claimed.id, claimed.fence, RunEnd(state=RunState.DONE), at=AT)


def live_and_die(url: str, model: str, dies_at: int, *, after: bool) -> bool:
    """Go through it in a process of its own; whether it was killed."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            go_through(Mortal(SqlStore(url, SimulatedClock(AT)), dies_at, after=after), model)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, KILLED}, f"the child ended with {code}"
    return code == KILLED


def check(store: Store, model: str) -> int:
    """Always one champion, and the one that came back was proven before it sat down."""
    with store.read() as tx:
        state = tx.models.state(model)
        versions = {v.number: v for v in tx.registry.versions(model)}
        proofs = [r for r in tx.runs.find(Query(model=model)) if r.spec.kind is RunKind.VERIFY]
    sitting = [n for n, v in versions.items() if v.state is VersionState.CHAMPION]
    assert sitting == [state.champion]
    if state.champion == 1:
        assert any(run.state is RunState.DONE and run.spec.version == 1 for run in proofs)
        assert versions[1].verified
        assert versions[2].state is VersionState.REJECTED
    else:
        assert versions[1].state is VersionState.SUPERSEDED
    return state.champion or 0


def prepare(database: Bench, model: str) -> None:
    ref = RulesRef(path="rules/m.yaml", blob="b1")
    with database.store.begin() as tx:
        for number in (1, 2):
            decision = enter(tx, number, model)
            tx.registry.mark_verified(model, number, decision=decision, at=AT)
            before = number - 1 or None
            at = AT - timedelta(days=3 - number)
            seat(tx, number, generation=number - 1, previous=before, model=model, at=at)
        tx.rules.activate(ActiveRules(model=model, ref=ref, text="x", activated_at=AT))


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
def test_killed_at_each_step(database: Bench, after: bool):
    steps = 0
    for dies_at in range(1, 40):
        model = f"{MODEL}-{dies_at}"
        prepare(database, model)
        assert check(database.store, model) == 2
        killed = live_and_die(database.url, model, dies_at, after=after)
        left = check(database.store, model)
        assert killed or left == 1
        assert not live_and_die(database.url, model, 0, after=after)
        assert check(database.store, model) == 1
        with database.store.read() as tx:
            assert len(tx.decisions.find(Query(model=model, kinds=("rollback",)))) == 1
            assert tx.models.state(model).generation == 3
            assert tx.models.state(model).hold is not None
        if not killed:
            break
        steps += 1
    assert steps > 8
