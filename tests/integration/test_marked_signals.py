"""The attack: training code holds a password of the database and promotes its own model in another person's name."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from controller.adapters.memory import SimulatedClock
from controller.adapters.sql.grants import Process
from controller.adapters.sql.store import SqlStore
from controller.domain.signals import NewSignal, SignalKind, SignalStatus
from controller.ports import Query
from controller.rulefmt import load_policy
from controller.service.deciding.engine import Engine
from tests.support.house import MODEL, START
from tests.support.postgres import PostgresServer
from tests.support.roles import separate_logins
from tests.support.told import KEYS, Told, tell

INSERT = (
    "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload{more})"
    " VALUES ('person:ana:1', '" + MODEL + "', '{kind}', '{actor}', '2013-03-01T00:00:00.000000Z',"
    ' \'2013-03-01T00:00:00.000000Z\', \'{{"reason":"trust me","to":1,"expect_version":2}}\'{values})'
)


def decide(store: SqlStore) -> None:
    """What a controller does with what waits."""
    clock = SimulatedClock(START + timedelta(days=60))
    assert Engine(store, clock, load_policy).run_once().poisoned == 0


MARKS = {
    "none": None,
    "of an unknown key": "00000000:" + "0" * 64,
    "of a known key": KEYS.seal_start(0),
    "of another signal": "another",
}


@pytest.mark.parametrize(
    ("kind", "actor", "mark"),
    [
        *(pytest.param("rollback", "person:ana", mark, id=name) for name, mark in MARKS.items()),
        pytest.param("rollback", "system", None, id="in the system's name"),
        pytest.param("manual", "person:ana", None, id="a training"),
    ],
)
def test_the_engine_does_not_believe_it_and_verify_names_it(
    copied: Told, kind: str, actor: str, mark: str | None
):
    if mark == "another":
        mark = "(SELECT mark FROM signals WHERE kind = 'approval')"
    elif mark is not None:
        mark = f"'{mark}'"
    more, values = ("", "") if mark is None else (", mark", f", {mark}")
    copied.sql(INSERT.format(kind=kind, actor=actor, more=more, values=values))
    store = copied.store()
    try:
        decide(store)
        with store.read() as tx:
            (forged,) = [s for s in tx.signals.find(Query(model=MODEL)) if s.key == "person:ana:1"]
            assert forged.status is SignalStatus.FAILED
            assert "mark" in forged.reason
            assert tx.models.state(MODEL).champion == 2
            decision = forged.decision
        # The model goes on: a signal with a good mark is done.
        with store.begin() as tx:
            tx.signals.append([_hold()], START)
        decide(store)
        with store.read() as tx:
            held = tx.models.state(MODEL).hold
        assert held is not None
        assert held.actor == "person:ana"
    finally:
        store.close()
    found = copied.run("verify", "--all")
    assert found.exit_code == 0, found.output
    if mark is None or "00000000" not in mark:
        assert f"Decision {decision} refused signal {forged.id}" in found.output
    else:
        assert "could not be checked" in found.output


def _hold() -> NewSignal:
    return NewSignal(
        key="person:ana:2",
        model=MODEL,
        kind=SignalKind.HOLD,
        occurred_at=START,
        payload={"reason": "really me"},
        actor="person:ana",
    )


def test_what_was_said_before_there_were_marks_is_believed(copied: Told):
    copied.sql("UPDATE signals SET mark = NULL", "DELETE FROM marked_since")
    before = copied.store(keys=None)
    with before.begin() as tx:
        tx.signals.append([_hold()], START)
    before.close()
    store = copied.store()
    decide(store)
    with store.read() as tx:
        assert tx.models.state(MODEL).hold is not None
    store.close()
    # The number up to which that holds is kept now: whatever comes later needs a mark.
    copied.sql(INSERT.format(kind="rollback", actor="person:ana", more="", values=""))
    store = copied.store()
    with store.read() as tx:
        (forged,) = tx.signals.pending(MODEL)
    assert "it has no mark" in forged.problem
    store.close()
    copied.sql("UPDATE marked_since SET signal = 1000")
    store = copied.store()
    with store.read() as tx:
        (forged,) = tx.signals.pending(MODEL)
    assert "it has no mark" in forged.problem
    store.close()


def test_the_workers_login_is_refused(postgres_server: PostgresServer, postgres_template: str):
    with separate_logins(postgres_server, postgres_template) as logins:
        tell(logins.owner)
        with (
            psycopg.connect(logins.url(Process.WORKER)) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute(
                INSERT.format(kind="promote", actor="person:ana", more="", values="").encode()
            )
        store = SqlStore(logins.owner, None, KEYS)
        with store.read() as tx:
            assert tx.models.state(MODEL).champion == 2
        store.close()
