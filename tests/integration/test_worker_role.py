"""A worker's login on PostgreSQL: it claims, beats, tells and reports its own run, and the database refuses the rest.

Training code can read the password that its worker logs in with, so everything here is tried by plain SQL too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.adapters.memory import SimulatedClock
from controller.adapters.sql.grants import Process
from controller.adapters.sql.store import SqlStore
from controller.domain.payloads import InvalidPayload
from controller.domain.runs import RunState
from controller.domain.signals import SignalKind
from controller.ports import JournalEntry, Pulse, Query, RunEnd
from tests.support.makers import AT, HOUR, MODEL, enter, new_signal, order, seat
from tests.support.postgres import PostgresServer
from tests.support.roles import Logins, separate_logins
from tests.support.workplace import Workplace, rows_of

SECRET = "0" * 64


@pytest.fixture
def logins(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Logins]:
    with separate_logins(postgres_server, postgres_template) as found:
        store = SqlStore(found.owner, SimulatedClock(AT))
        with store.begin() as tx:
            enter(tx, 1)
            seat(tx, 1)
            for number in (1, 2):
                order(tx, number)
                tx.outbox.put("run", f"{MODEL}.r{number}:0", {})
            tx.signals.append([new_signal()], AT)
        store.close()
        yield found


@pytest.fixture
def worker(logins: Logins) -> Iterator[SqlStore]:
    """A worker's store, under its own login."""
    store = SqlStore(logins.url(Process.WORKER), SimulatedClock(AT))
    yield store
    store.close()


@pytest.fixture
def owner(logins: Logins) -> Iterator[SqlStore]:
    store = SqlStore(logins.owner, SimulatedClock(AT))
    yield store
    store.close()


RUN = f"{MODEL}.r1"
DONE = RunEnd(state=RunState.DONE)
LINE = JournalEntry(at=AT, kind="log", text="a\x00b", name="n\x00", step=3, value=0.5)


def claim(store: SqlStore, run: str = RUN) -> int:
    with store.begin() as tx:
        held = tx.runs.claim(run, 0, worker="w", lease=HOUR)
    assert held is not None
    return held.fence


def report(store: SqlStore, fence: int, end: RunEnd = DONE) -> bool:
    with store.begin() as tx:
        return tx.runs.finish(RUN, fence, end, at=AT)


def test_a_run_lives_and_ends_under_the_workers_login(worker: SqlStore, owner: SqlStore):
    fence = claim(worker)
    with worker.begin() as tx:
        assert tx.journal.append(RUN, fence, [LINE, JournalEntry(at=AT, kind="metric", name="m")])
        assert tx.runs.heartbeat(RUN, fence, lease=HOUR, progress=0.5) == Pulse(valid=True)
        tx.counters.add("workers_fenced")
    assert report(worker, fence, RunEnd(state=RunState.DONE, result={"digest": "d"}))
    with owner.read() as tx:
        run = tx.runs.get(RUN)
        assert run is not None
        assert (run.state, run.result, run.progress) == (RunState.DONE, {"digest": "d"}, 0.5)
        (told,) = tx.signals.with_key(MODEL, f"run:{RUN}:done")
        assert (told.kind, told.actor) == (SignalKind.RUN_FINISHED, "worker")
        assert told.payload == {
            "digest": "d", "run": RUN, "kind": run.spec.kind.value, "state": "done", "reason": "",
        }  # fmt: skip
        assert len(tx.journal.read(RUN)) == 2
        assert tx.counters.all()["workers_fenced"] == 1
        assert tx.outbox.depth() == {"run": 1}  # the letter of the run that waits


# Whatever a training may report: what has an end in JSON, with NUL and backslashes where they hurt.
TEXTS = st.text(st.sampled_from('a\\"\x00\x01\ud800\ufffdu0é\n'), max_size=12)
RESULTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(result=RESULTS, reason=TEXTS)
def test_whatever_a_training_reports_arrives_or_is_refused(
    worker: SqlStore, result: dict[str, Any], reason: str
):
    with worker.begin() as tx:
        held = tx.runs.claim(RUN, 0, worker="w", lease=HOUR)
        assert held
        end = RunEnd(state=RunState.FAILED, reason=reason, result=result)
        try:
            assert tx.runs.finish(RUN, held.fence, end, at=AT)
        except InvalidPayload:  # one sentence, before the database sees it
            kept = tx.runs.get(RUN)
            assert kept is not None
            assert kept.state is RunState.RUNNING
        tx.session.connection.rollback()


def refused(store: SqlStore, fence: int) -> bool:
    """Whether this session may neither beat, tell nor report."""
    with store.begin() as tx:
        beats = tx.runs.heartbeat(RUN, fence, lease=HOUR).valid
        tells = tx.journal.append(RUN, fence, [LINE])
    return not (beats or tells or report(store, fence))


def test_only_who_claimed_a_run_reports_it(logins: Logins, worker: SqlStore, owner: SqlStore):
    fence = claim(worker)
    another = SqlStore(logins.url(Process.WORKER), SimulatedClock(AT))
    try:
        # The same login, the right number of the fence: what lacks is the secret of the claim.
        assert refused(another, fence)
        assert refused(another, fence + 1)
    finally:
        another.close()
    with owner.read() as tx:
        held = tx.runs.get(RUN)
        assert held is not None
        assert held.state is RunState.RUNNING
        assert tx.signals.find(Query(kinds=("run_finished",))) == []
        assert tx.journal.read(RUN) == []
    assert report(worker, fence)


@dataclass(frozen=True)
class Guard:
    """A condition of a function, what stands in its place when it is taken away, and what it then lets pass."""

    function: str
    condition: str
    without: str
    statement: str
    words: str


GUARDS = {
    "the secret of a claim": Guard(
        "run_is_held",
        "claim = claim_digest(a_secret, a_run, a_fence) OR login_decides()",
        "true",
        f"SELECT worker_finish('{RUN}', 1, 'done', '', '{{}}',"
        f' \'{{"run":"{RUN}","kind":"train","state":"done"}}\', now(), \'{SECRET}\')',
        "False",
    ),
    "a signal about another run": Guard(
        "worker_finish",
        "said ->> 'run', ",
        "ended.id, ",
        f"SELECT worker_finish('{MODEL}.r2', 1, 'done', '', '{{}}',"
        f' \'{{"run":"{RUN}","kind":"train","state":"done"}}\', now(), \'{SECRET}\')',
        "its own run",
    ),
    "a signal of another end": Guard(
        "worker_finish",
        "said ->> 'state')",
        "ended.state)",
        f"SELECT worker_finish('{MODEL}.r2', 1, 'failed', '', '{{}}',"
        f' \'{{"run":"{MODEL}.r2","kind":"train","state":"done"}}\', now(), \'{SECRET}\')',
        "its own run",
    ),
    "no end at all": Guard(
        "worker_finish",
        "NOT IN ('done', 'failed', 'dead', 'cancelled')",
        "IS NULL",
        f"SELECT worker_finish('{MODEL}.r2', 1, 'running', '', '{{}}',"
        f' \'{{"run":"{MODEL}.r2","kind":"train","state":"running"}}\', now(), \'{SECRET}\')',
        "its own run",
    ),
    "a secret that can be guessed": Guard(
        "worker_claim",
        "length(a_secret) < 32",
        "false",
        f"SELECT worker_claim('{MODEL}.r3', 0, 'w', interval '1 hour', 'x')",
        "at least 32",
    ),
    "another's counter": Guard(
        "count_up",
        "NOT login_decides()",
        "false",
        "SELECT count_up('notices_dropped', 1)",
        "only who decides counts",
    ),
    "a counter set back": Guard(
        "count_up",
        "a_by < 1 OR",
        "",
        "SELECT count_up('workers_fenced', -1)",
        "only who decides counts",
    ),
}


def attempt(url: str, statement: str) -> str:
    """What the database said: the first value, or its refusal."""
    with psycopg.connect(url) as session:
        try:
            row = session.execute(statement.encode()).fetchone()
        except psycopg.Error as refusal:
            return str(refusal).splitlines()[0]
        finally:
            session.rollback()
    return str(row[0]) if row else ""


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_each_condition_of_the_functions_refuses(logins: Logins, worker: SqlStore, guard: Guard):
    claim(worker)
    url = logins.url(Process.WORKER)
    with psycopg.connect(url) as session:
        session.execute(
            f"SELECT worker_claim('{MODEL}.r2', 0, 'w', interval '1 hour', '{SECRET}')".encode()
        )
    assert guard.words in attempt(url, guard.statement)
    with psycopg.connect(logins.owner) as session:
        body = session.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", (guard.function,)
        ).fetchone()
        assert body is not None
        assert guard.condition in body[0]
        session.execute(body[0].replace(guard.condition, guard.without).encode())
    assert guard.words not in attempt(url, guard.statement)


SAYS = (
    "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload)"
    " VALUES ('k', '{model}', '{kind}', '{actor}', now(), now(), '{payload}')"
)
ATTEMPTS = {
    "promote itself as another person": SAYS.format(
        model=MODEL, kind="promote", actor="person:ana", payload='{"version":1,"reason":"trust me"}'
    ),
    "say that a run ended": SAYS.format(
        model=MODEL, kind="run_finished", actor="worker", payload='{"run":"x"}'
    ),
    "answer a signal": "UPDATE signals SET status = 'skipped'",
    "write a decision": (
        "INSERT INTO decisions (id, model, decided_at, verdict, path, blob, reviewers, snapshot, decision,"
        " actor, prev_hash, hash) VALUES (2, 'm', now(), 'promote', 'p', 'b', '[]', '{}', '{}', 'eve', '', 'x')"
    ),
    "move the head of the chain": "UPDATE chain_head SET hash = 'x'",
    "seat a version": (
        "INSERT INTO reigns (model, generation, version, cause, reason, actor, decision, since)"
        " VALUES ('m', 2, 1, 'promotion', '', 'eve', 1, now())"
    ),
    "change a champion": "UPDATE models SET champion = 1",
    "enter a version": (
        "INSERT INTO versions (model, number, state, state_since, run, digest, recipe, size, data_through,"
        " metrics, created_at, decision)"
        " VALUES ('m', 2, 'candidate', now(), 'x', 'd', 'r', 1, 1, '{}', now(), 1)"
    ),
    "change a version": "UPDATE versions SET verified = true",
    "ring": "INSERT INTO outbox (topic, key, payload, due_at) VALUES ('run', 'x', '{}', now())",
    "silence a letter": "UPDATE outbox SET acknowledged_at = now()",
    "make a token": (
        "INSERT INTO tokens (name, digest, actor, role, owners, created_by, created_at, expires_at)"
        " VALUES ('t', 'x', 'person:ana', 'admin', '[]', 'eve', now(), now())"
    ),
    "read tokens": "SELECT digest FROM tokens",
    "read what people say": "SELECT text FROM comments",
    "read what a signal says": "SELECT payload FROM signals",
    "approve": (
        "INSERT INTO approvals (model, version, actor, agrees, evidence, reason, at, decision)"
        " VALUES ('m', 1, 'person:ana', true, 'e', '', now(), 1)"
    ),
    "comment": (
        "INSERT INTO comments (subject, actor, at, text, key) VALUES ('m', 'person:ana', now(), 'x', 'x')"
    ),
    "delegate": (
        'INSERT INTO delegations (actor, "to", reason, since, until, key)'
        " VALUES ('person:ana', 'person:eve', '', now(), now(), 'x')"
    ),
    "touch a run": "UPDATE runs SET state = 'done'",
    "give itself a claim": "UPDATE runs SET claim = 'x'",
    "order a run": "INSERT INTO runs (id) VALUES ('x')",
    "extend a lease of another": "UPDATE runs SET lease_until = now()",
    "take the lead": "UPDATE leases SET owner = 'eve'",
    "swap a batch": "UPDATE batches SET digest = 'x'",
    "swap the rules": "UPDATE active_rules SET blob = 'x'",
    "write a figure of service": "INSERT INTO measures (model) VALUES ('m')",
    "write into a journal": (
        f"INSERT INTO run_journal (run, fence, at, kind) VALUES ('{RUN}', 1, now(), 'log')"
    ),
    "set a counter": "UPDATE counters SET value = 0",
    "another body for a function": (
        "CREATE OR REPLACE FUNCTION run_is_held(a_run text, a_fence integer, a_secret text) RETURNS boolean"
        " LANGUAGE sql AS 'SELECT true'"
    ),
    "become the owner": "SET ROLE incumbent",
    "become the controller": "SET ROLE incumbent_controller",
    "log in as the controller": "SET SESSION AUTHORIZATION incumbent_controller",
}


@pytest.mark.parametrize("statement", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_a_workers_login_can_do_nothing_else(logins: Logins, statement: str):
    url = logins.url(Process.WORKER)
    with psycopg.connect(url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.encode())


def test_a_table_in_the_way_deceives_no_function(logins: Logins, worker: SqlStore):
    fence = claim(worker)
    with psycopg.connect(logins.url(Process.WORKER)) as session:
        session.execute(
            b"CREATE TEMPORARY TABLE runs AS SELECT id, fence, state, 'x' AS claim FROM public.runs"
        )
        digest = f"UPDATE pg_temp.runs SET claim = claim_digest('{SECRET}', id, fence)"
        session.execute(digest.encode())
        said = session.execute(
            f"SELECT worker_finish('{RUN}', {fence}, 'done', '', '{{}}', '{{}}', now(), '{SECRET}')".encode()
        ).fetchone()
    assert said == (False,)


WRITES = """
SELECT c.relname, w.word FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace,
       unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) AS w (word)
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v', 'm', 'p')
   AND (has_table_privilege(current_user, c.oid, w.word)
        OR w.word NOT IN ('DELETE', 'TRUNCATE', 'TRIGGER') AND has_any_column_privilege(current_user, c.oid, w.word))
"""
"""Also of tables that were made after these lines were written."""


@pytest.mark.parametrize(
    ("process", "writes"),
    [(Process.WORKER, {"workers"}), (Process.READER, set())],
)
def test_nothing_is_writable_that_is_not_named(logins: Logins, process: Process, writes: set[str]):
    with psycopg.connect(logins.url(process)) as session:
        rows = session.execute(WRITES.encode()).fetchall()
    assert {table for table, _ in rows} == writes


DECIDED = {
    "decisions", "chain_head", "reigns", "versions", "version_facts", "approvals", "runs", "models",
    "evaluations", "aliases", "alias_moves", "version_keeps", "removals", "rule_texts", "active_rules",
    "reviews", "batches", "budget_tests", "measures",
}  # fmt: skip


def test_the_api_decides_nothing(logins: Logins):
    with psycopg.connect(logins.url(Process.API)) as session:
        rows = session.execute(WRITES.encode()).fetchall()
    assert {table for table, _ in rows} & DECIDED == set()
    assert {(t, w) for t, w in rows if t in {"signals", "outbox"}} == {
        ("signals", "INSERT"),
        ("outbox", "INSERT"),
    }


def test_the_controller_speaks_for_nobody(logins: Logins):
    with psycopg.connect(logins.url(Process.CONTROLLER)) as session:
        rows = session.execute(WRITES.encode()).fetchall()
    assert {table for table, _ in rows} & {"tokens", "delegations", "silences"} == set()


def test_a_training_ends_under_the_workers_login(
    postgres_server: PostgresServer, postgres_template: str, tmp_path: Path
):
    with separate_logins(postgres_server, postgres_template) as logins:
        place = Workplace.open(tmp_path, database_url=logins.owner)
        try:
            place.bring(rows_of(0))
            place.start_worker(INCUMBENT_DATABASE_URL=logins.url(Process.WORKER))
            run = place.train()
            assert run.state is RunState.DONE, run.reason
            number = place.register(run)
            judged = place.evaluate(number)
            assert judged.state is RunState.DONE, judged.reason
            failed = place.train("toy_training:raises")
            assert (failed.state, "upside down" in failed.reason) == (RunState.FAILED, True)
        finally:
            place.close()
