"""The database refuses, whoever writes: each guard is tried by plain SQL, past all of our code.

On SQLite the SQL runs on a connection with default settings, where foreign keys are not even checked.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.adapters.memory import SimulatedClock
from controller.adapters.sql.store import SqlStore
from controller.domain.decisions import (
    KeepVersion,
    RecordApproval,
    RecordEvaluation,
    RecordTest,
    RemoveArtifact,
    RulesRef,
    SetAlias,
)
from controller.domain.evidence import Evaluation
from controller.domain.runs import RUN_MOVES, RunState
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.domain.use import Consumer
from controller.domain.versions import VERSION_MOVES, VersionState
from controller.ports import ActiveRules, Comment, ReviewRecord, RunEnd, Transaction
from tests.support.makers import AT, HOUR, batch, decide, enter, move, new_signal, order, seat
from tests.support.postgres import PostgresServer
from tests.support.stores import Bench

S = VersionState
M = "m"
N = "n"
TIME = "'2013-01-01T00:00:00.000000Z'"


def rules_of(model: str) -> ActiveRules:
    ref = RulesRef(path="rules/m.yaml", blob="b1")
    return ActiveRules(model=model, ref=ref, text="version: 1", activated_at=AT)


def fill(database: Bench) -> Bench:
    """Versions 1 superseded, 2 champion, 3 challenger, 4 archived, 5 rejected, 6 candidate; two decisions; runs."""
    with database.store.begin() as tx:
        for number in range(1, 7):
            enter(tx, number, M, decision=1 if number > 1 else None)
        seat(tx, 1, model=M)
        seat(tx, 2, generation=1, previous=1, model=M)
        move(tx, 3, S.CANDIDATE, S.CHALLENGER, model=M)
        move(tx, 4, S.CANDIDATE, S.REJECTED, model=M)
        move(tx, 4, S.REJECTED, S.ARCHIVED, model=M)
        move(tx, 5, S.CANDIDATE, S.REJECTED, model=M)
        for number in (1, 2):
            order(tx, number, M, decision=1)
        tx.runs.claim("m.r1", 0, worker="w", lease=HOUR)
        tx.runs.finish("m.r1", 1, RunEnd(state=RunState.DONE), at=AT)
        (one, _) = tx.signals.append([new_signal("s1", M), new_signal("s2", M)], AT)
        handled = SignalAnswer(signal=one.id, status=SignalStatus.HANDLED, reason="Done.")
        tx.signals.answer([handled], decide(tx, M))
        tx.leases.acquire("model:m", "me", HOUR)
        tx.data.add(M, [batch("a", "1")], AT)
        tx.outbox.put("run", "m.r2:0", {})
        tx.rules.activate(rules_of(M))
        tx.reviews.put(
            ReviewRecord(
                digest="d", source="r#main:rules", revision="r1", proven=False, recorded_at=AT,
                reason="Nobody approved.", evidence="{}",
            )
        )  # fmt: skip
        tx.models.record_test(M, RecordTest(version=3, level=0.05, rejected=True), decision=1)
        approval = RecordApproval(version=3, actor="ana", agrees=True, evidence="e", reason="")
        tx.models.record_approval(M, approval, decision=1, at=AT)
        evaluation = Evaluation(run="m.r2", version=3, champion=2, evidence=())
        tx.registry.attach(M, RecordEvaluation(evaluation=evaluation), decision=1)
        tx.registry.mark_verified(M, 3, decision=1, at=AT)
        use(tx)
        for number in (1, 2):
            said = Comment(subject="decision:1", actor="ana", at=AT, text="", key=f"c{number}")
            tx.comments.add(said)
        tx.comments.cover([2], 1)
        tx.decisions.remember_anchor(2, "h")
    database.sql("INSERT INTO marked_since (id, signal, mark) VALUES (1, 0, 'm')")
    return database


def use(tx: Transaction) -> None:
    """More of model `n`: an alias on 3, a consumer of 1, a hold on 2; 4 may be archived, 7's artifact is gone."""
    for number in range(1, 8):
        enter(tx, number, N, decision=1)
    for number in range(1, 7):
        seat(tx, number, generation=number - 1, previous=number - 1 or None, model=N)
    for number in range(1, 6):
        move(tx, number, S.SUPERSEDED, S.DEPRECATED, model=N)
    move(tx, 7, S.CANDIDATE, S.REJECTED, model=N)
    move(tx, 7, S.REJECTED, S.ARCHIVED, model=N)
    pointed = SetAlias(alias="canary", version=3, generation=0, previous=None, reason="try")
    tx.aliases.set(N, pointed, decision=1, at=AT, actor="ana")
    tx.consumers.renew(
        Consumer(
            model=N, name="checkout", version=1, selector="1", since=AT, seen_at=AT, until=AT + HOUR
        )
    )
    tx.keeps.keep(N, KeepVersion(version=2, reason="audit", actor="ana"), decision=1, at=AT)
    gone = RemoveArtifact(version=7, digest="d7", reason="old")
    tx.keeps.remove(N, gone, decision=1, at=AT)
    tx.keeps.removed(N, 7, AT)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    postgres_server: PostgresServer,
    postgres_template: str,
) -> Iterator[Bench]:
    """A filled database on which attempts are made, which are all taken back."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("full") / "incumbent.db"
        shutil.copyfile(sqlite_template, path)
        url = f"sqlite:///{path}"
    else:
        url = postgres_server.url(postgres_server.create(postgres_template))
    clock = SimulatedClock(AT)
    bench = fill(Bench(request.param, SqlStore(url, clock), clock, url))
    yield bench
    bench.close()


REIGN = (
    "INSERT INTO reigns (model, generation, version, previous, leaves, cause, reason, actor, decision, since)"
    " VALUES ('m', {generation}, {version}, {previous}, {leaves}, 'promotion', '', 'eve', 1, "
    + TIME
    + ")"
)
FACT = (
    "INSERT INTO version_facts (model, version, before, after, actor, reason, decision, at)"
    " VALUES ('m', {version}, {before}, '{after}', 'eve', '', 1, " + TIME + ")"
)
VERSION = (
    "INSERT INTO versions (model, number, state, state_since, run, digest, recipe, size, data_through, metrics,"
    " created_at, decision) VALUES ('m', {number}, '{state}', "
    + TIME
    + ", '{run}', 'd', 'r', 1, 1, '{{}}', "
    + TIME
    + ", 1)"
)
DECISION = (
    "INSERT INTO decisions (id, model, decided_at, verdict, path, blob, reviewers, snapshot, decision, actor,"
    " prev_hash, hash) SELECT {id}, model, decided_at, verdict, path, blob, reviewers, snapshot, decision, actor,"
    " {prev_hash}, {hash} FROM decisions WHERE id = 1"
)

ALIAS = (
    "INSERT INTO alias_moves (id, model, name, generation, version, previous, actor, reason, decision, at)"
    " VALUES (99, 'n', '{name}', {generation}, {version}, {previous}, 'eve', '', 1, " + TIME + ")"
)
ARCHIVE = FACT.replace("'m'", "'n'")
KEEP = (
    "INSERT INTO version_keeps (id, model, version, reason, actor, since, decision, lifted_at)"
    " VALUES (99, 'n', {version}, '', 'eve', " + TIME + ", 1, {lifted})"
)
REMOVAL = (
    "INSERT INTO removals (model, version, digest, at, decision) VALUES ('n', {version}, '{digest}', "
    + TIME
    + ", 1)"
)

REFUSED = {
    # aliases
    "an alias to a missing version": (
        ALIAS.format(name="x", generation=1, version=99, previous="NULL"),
        "exists and lives",
    ),
    "an alias to an archived version": (
        ALIAS.format(name="x", generation=1, version=7, previous="NULL"),
        "exists and lives",
    ),
    "an alias to a rejected version": (
        ALIAS.format(name="x", generation=1, version=5, previous="NULL").replace("'n'", "'m'"),
        "exists and lives",
    ),
    "an alias without the next generation": (
        ALIAS.format(name="canary", generation=3, version=4, previous=3),
        "next generation",
    ),
    "an alias from where it does not point": (
        ALIAS.format(name="canary", generation=2, version=4, previous=1),
        "next generation",
    ),
    "an alias called champion": (
        ALIAS.format(name="champion", generation=1, version=4, previous="NULL"),
        "no alias",
    ),
    "move an alias without a move": ("UPDATE aliases SET version = 4", "by its move only"),
    "move an alias with a generation but no move": (
        "UPDATE aliases SET version = 4, generation = generation + 1",
        "by its move only",
    ),
    "an alias from nowhere": (
        f"INSERT INTO aliases (model, name, generation, version, at) VALUES ('n', 'x', 1, 4, {TIME})",
        "by its move only",
    ),
    "delete an alias": ("DELETE FROM aliases", "never deleted"),
    "change a move of an alias": ("UPDATE alias_moves SET actor = 'eve'", "never changed"),
    "delete a move of an alias": ("DELETE FROM alias_moves", "never deleted"),
    # who needs a version
    "archive what an alias holds": (
        ARCHIVE.format(version=3, before="'deprecated'", after="archived"),
        "an alias points at",
    ),
    "archive what a consumer holds": (
        ARCHIVE.format(version=1, before="'deprecated'", after="archived"),
        "a consumer uses",
    ),
    "archive what a hold keeps": (
        ARCHIVE.format(version=2, before="'deprecated'", after="archived"),
        "a hold keeps",
    ),
    "archive what a rollback would seat": (
        ARCHIVE.format(version=5, before="'deprecated'", after="archived"),
        "a rollback would seat",
    ),
    "bring back what retention took": (
        ARCHIVE.format(version=7, before="'archived'", after="deprecated"),
        "artifact is gone",
    ),
    "bring back what was rejected": (
        FACT.format(version=4, before="'archived'", after="deprecated"),
        "rejected never comes back",
    ),
    "a consumer of no version": (
        "INSERT INTO consumers (model, name, version, selector, since, seen_at, until)"
        f" VALUES ('n', 'x', 99, '99', {TIME}, {TIME}, {TIME})",
        "version that lives",
    ),
    "a consumer of an archived version": (
        "INSERT INTO consumers (model, name, version, selector, since, seen_at, until)"
        f" VALUES ('n', 'x', 7, '7', {TIME}, {TIME}, {TIME})",
        "version that lives",
    ),
    "another version of a lease": ("UPDATE consumers SET version = 4", "never changed"),
    "count a lease back": ("UPDATE consumers SET resolves = 0", "never changed"),
    "delete a consumer": ("DELETE FROM consumers", "never deleted"),
    "a hold on no version": (KEEP.format(version=99, lifted="NULL"), "begins standing"),
    "a second hold": (KEEP.format(version=2, lifted="NULL"), "begins standing"),
    "a hold that is lifted from the start": (
        KEEP.format(version=4, lifted=TIME),
        "begins standing",
    ),
    "lift a hold without a decision": (
        f"UPDATE version_keeps SET lifted_at = {TIME}",
        "by a decision",
    ),
    "another reason of a hold": ("UPDATE version_keeps SET reason = 'x'", "only lifted"),
    "delete a hold": ("DELETE FROM version_keeps", "never deleted"),
    "take the artifact of a version that is served": (
        REMOVAL.format(version=4, digest="d4"),
        "of an archived version",
    ),
    "take another artifact": (
        REMOVAL.format(version=4, digest="d4").replace("'n'", "'m'").replace("d4", "d1"),
        "of an archived version",
    ),
    "change a removal": ("UPDATE removals SET digest = 'x'", "never changed"),
    "delete a removal": ("DELETE FROM removals", "never deleted"),
    # the log
    "change a decision": ("UPDATE decisions SET decision = '{}' WHERE id = 1", "never changed"),
    "change a decision's time": ("UPDATE decisions SET actor = 'eve'", "never changed"),
    "delete a decision": ("DELETE FROM decisions WHERE id = 2", "never deleted"),
    "fork the chain": (DECISION.format(id=2, prev_hash="prev_hash", hash="'f'"), "follow the head"),
    "fork the chain with the next number": (
        DECISION.format(id=3, prev_hash="hash", hash="'f'"),
        "follow the head",
    ),
    "leave a gap in the chain": (
        DECISION.format(id=9, prev_hash="(SELECT hash FROM chain_head)", hash="'f'"),
        "follow the head",
    ),
    "set the head back": ("UPDATE chain_head SET decision = 1", "moves by itself"),
    "set another head's hash": ("UPDATE chain_head SET hash = 'f'", "moves by itself"),
    "delete the head": ("DELETE FROM chain_head", "never deleted"),
    "a second head": ("INSERT INTO chain_head (id, decision, hash) VALUES (2, 0, 'f')", "one head"),
    # facts and reigns
    "change a fact": ("UPDATE version_facts SET actor = 'eve'", "never changed"),
    "delete a fact": ("DELETE FROM version_facts", "never deleted"),
    "change a reign": ("UPDATE reigns SET version = 3", "never changed"),
    "delete a reign": ("DELETE FROM reigns", "never deleted"),
    "a second beginning": (FACT.format(version=6, before="NULL", after="candidate"), "begins once"),
    "a fact from where the version is not": (
        FACT.format(version=6, before="'challenger'", after="rejected"),
        "where the version is",
    ),
    "a fact of no version": (
        FACT.format(version=9, before="'candidate'", after="failed"),
        "where the version is",
    ),
    "an unknown state by a fact": (
        FACT.format(version=6, before="'candidate'", after="golden"),
        "no such move",
    ),
    # the seat
    "move the champion without a generation": (
        "UPDATE models SET champion = 3 WHERE model = 'm'",
        "next generation",
    ),
    "move the champion with a generation but no reign": (
        "UPDATE models SET champion = 3, generation = 3 WHERE model = 'm'",
        "by a reign only",
    ),
    "a generation without a move": ("UPDATE models SET generation = 3", "by a reign only"),
    "a generation back": ("UPDATE models SET generation = 1, champion = 1", "next generation"),
    "empty the seat": ("UPDATE models SET champion = NULL", "next generation"),
    "empty the seat and the generation": (
        "UPDATE models SET champion = NULL, generation = 0",
        "next generation",
    ),
    "a second champion": (
        "UPDATE versions SET state = 'champion' WHERE number = 3",
        "by a fact only",
    ),
    "a second champion by a fact": (
        FACT.format(version=3, before="'challenger'", after="champion"),
        "by a reign only",
    ),
    "the champion leaves by a fact": (
        FACT.format(version=2, before="'champion'", after="superseded"),
        "by a reign only",
    ),
    "a stale reign": (
        REIGN.format(generation=2, version=3, previous=1, leaves="'superseded'"),
        "another one by now",
    ),
    "a reign that skips a generation": (
        REIGN.format(generation=4, version=3, previous=2, leaves="'superseded'"),
        "another one by now",
    ),
    "a reign after somebody else": (
        REIGN.format(generation=3, version=3, previous=1, leaves="'superseded'"),
        "another one by now",
    ),
    "a reign after nobody": (
        REIGN.format(generation=3, version=3, previous="NULL", leaves="NULL"),
        "another one by now",
    ),
    "the seat to a missing version": (
        REIGN.format(generation=3, version=9, previous=2, leaves="'superseded'"),
        "may become champion",
    ),
    "the seat to an archived version": (
        REIGN.format(generation=3, version=4, previous=2, leaves="'superseded'"),
        "may become champion",
    ),
    "the seat to a rejected version": (
        REIGN.format(generation=3, version=5, previous=2, leaves="'superseded'"),
        "may become champion",
    ),
    "the seat to who sits in it": (
        REIGN.format(generation=3, version=2, previous=2, leaves="'superseded'"),
        "may become champion",
    ),
    "the champion leaves to a state of nobody": (
        REIGN.format(generation=3, version=3, previous=2, leaves="'archived'"),
        "ck_reigns_leaves",
    ),
    # versions
    "an unknown state": ("UPDATE versions SET state = 'golden' WHERE number = 6", "by a fact only"),
    "a move without a fact": (
        "UPDATE versions SET state = 'rejected' WHERE number = 6",
        "by a fact only",
    ),
    "a repeated move": (
        "UPDATE versions SET state = 'candidate' WHERE number = 3",
        "by a fact only",
    ),
    "another digest": ("UPDATE versions SET digest = 'x' WHERE number = 2", "never changed"),
    "another run": ("UPDATE versions SET run = 'x' WHERE number = 2", "never changed"),
    "another number": ("UPDATE versions SET number = 99 WHERE number = 6", "never changed"),
    "another model": ("UPDATE versions SET model = 'x' WHERE number = 6", "never changed"),
    "another lineage": ("UPDATE versions SET lineage = 'x' WHERE number = 6", "never changed"),
    "other metrics": ("UPDATE versions SET metrics = '{\"mae\":0}'", "never changed"),
    "another time of promotion": ("UPDATE versions SET promoted_at = created_at", "by a fact only"),
    "delete a version": ("DELETE FROM versions WHERE number = 5", "never deleted"),
    "delete the champion": ("DELETE FROM versions WHERE number = 2", "never deleted"),
    "use a number twice": (VERSION.format(number=3, state="candidate", run="x"), "next number"),
    "skip a number": (VERSION.format(number=9, state="candidate", run="x"), "next number"),
    "begin as champion": (
        VERSION.format(number=7, state="champion", run="x"),
        "begins as a candidate",
    ),
    "two versions of one run": (VERSION.format(number=7, state="candidate", run="m.t1"), "run"),
    "set the counter of versions back": ("UPDATE models SET next_version = 1", "by entering"),
    "set the counter of versions on": ("UPDATE models SET next_version = 8", "by entering"),
    "set the counter of runs back": ("UPDATE models SET next_run = 1", "by entering"),
    # models
    "delete a model": ("DELETE FROM models", "never deleted"),
    "rename a model": ("UPDATE models SET model = 'x'", "never renamed"),
    "a model with a champion from the start": (
        "INSERT INTO models (model, champion, generation) VALUES ('x', 1, 1)",
        "begins with no champion",
    ),
    # runs
    "another order": ("UPDATE runs SET spec = '{}' WHERE id = 'm.r2'", "never changed"),
    "a fence back": ("UPDATE runs SET fence = -1 WHERE id = 'm.r2'", "next fence"),
    "a fence from nowhere": ("UPDATE runs SET fence = 5 WHERE id = 'm.r2'", "next fence"),
    "a claim without a fence": (
        "UPDATE runs SET state = 'running', attempt = 1 WHERE id = 'm.r2'",
        "next fence",
    ),
    "a claim without an attempt": (
        "UPDATE runs SET state = 'running', fence = 1 WHERE id = 'm.r2'",
        "counted by claims",
    ),
    "another result": ("UPDATE runs SET result = '{}' WHERE id = 'm.r1'", "has ended"),
    "an unknown state of a run": (
        "UPDATE runs SET state = 'golden' WHERE id = 'm.r2'",
        "no such move",
    ),
    "delete a run": ("DELETE FROM runs", "never deleted"),
    # books that are only added to
    "change an evaluation": ("UPDATE evaluations SET evaluation = '{}'", "never changed"),
    "delete an evaluation": ("DELETE FROM evaluations", "never deleted"),
    "change a test": ("UPDATE budget_tests SET level = 1", "never changed"),
    "delete a test": ("DELETE FROM budget_tests", "never deleted"),
    "change an approval": ("UPDATE approvals SET agrees = true", "never changed"),
    "delete an approval": ("DELETE FROM approvals", "never deleted"),
    "change the text of a rule": ("UPDATE rule_texts SET text = 'x'", "never changed"),
    "delete the text of a rule": ("DELETE FROM rule_texts", "never deleted"),
    "change the evidence of a review": ("UPDATE reviews SET proven = true", "never changed"),
    "delete the evidence of a review": ("DELETE FROM reviews", "never deleted"),
    "change what a batch holds": ("UPDATE batches SET digest = 'x'", "never changed"),
    "change what a letter says": ("UPDATE outbox SET payload = '{\"x\":1}'", "never changed"),
    "take a verification back": ("UPDATE versions SET verified = false", "stays so"),
    "a model's first number": (
        "INSERT INTO models (model, next_version) VALUES ('x', 5)",
        "its first numbers",
    ),
    "a run that runs from the start": (
        "INSERT INTO runs (entry, id, model, number, kind, spec, retries, state, fence, attempt, ordered_at,"
        " decision) SELECT 99, 'm.r3', model, 3, kind, spec, retries, 'running', 0, 0, ordered_at, decision"
        " FROM runs WHERE id = 'm.r1'",
        "begins queued",
    ),
    "a run's number twice": (
        "INSERT INTO runs (entry, id, model, number, kind, spec, retries, state, fence, attempt, ordered_at,"
        " decision) SELECT 99, 'm.r3', model, 2, kind, spec, retries, 'queued', 0, 0, ordered_at, decision"
        " FROM runs WHERE id = 'm.r1'",
        "next number",
    ),
    "a signal that is answered from the start": (
        "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload, status)"
        f" VALUES ('s3', 'm', 'manual', 'eve', {TIME}, {TIME}, '{{}}', 'handled')",
        "entered open",
    ),
    # marks, comments, anchors
    "another mark": ("UPDATE signals SET mark = 'x' WHERE key = 's2'", "mark of a signal"),
    "marks from later on": ("UPDATE marked_since SET signal = 9", "never changed"),
    "forget since when there are marks": ("DELETE FROM marked_since", "never forgotten"),
    "change a comment": ("UPDATE comments SET text = 'x' WHERE key = 'c1'", "never changed"),
    "cover a comment again": ("UPDATE comments SET decision = 2 WHERE key = 'c2'", "never changed"),
    "delete a comment": ("DELETE FROM comments", "never deleted"),
    "a comment that is covered from the start": (
        "INSERT INTO comments (subject, actor, at, text, key, decision)"
        f" VALUES ('m', 'eve', {TIME}, '', 'c3', 1)",
        "covered by a later decision",
    ),
    "anchor an earlier decision": ("UPDATE anchored SET decision = 1", "later one only"),
    "anchor another hash": ("UPDATE anchored SET hash = 'x'", "later one only"),
    "forget an anchor": ("DELETE FROM anchored", "never forgotten"),
    # signals, letters, leases, rules
    "another payload": ("UPDATE signals SET payload = '{}' WHERE key = 's2'", "never changed"),
    "answer twice": ("UPDATE signals SET status = 'skipped' WHERE key = 's1'", "has ended"),
    "open again": ("UPDATE signals SET status = 'open' WHERE key = 's1'", "answered by a decision"),
    "another reason of what ended": (
        "UPDATE signals SET reason = '' WHERE key = 's1'",
        "has ended",
    ),
    "answer without a decision": (
        "UPDATE signals SET status = 'handled' WHERE key = 's2'",
        "answered by a decision",
    ),
    "delete a signal": ("DELETE FROM signals", "never deleted"),
    "take a lease without the next fence": ("UPDATE leases SET owner = 'eve'", "only rises"),
    "set a fence back": ("UPDATE leases SET fence = 0", "only rises"),
    "delete a lease": ("DELETE FROM leases", "never deleted"),
}


@pytest.mark.parametrize(("statement", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(full: Bench, statement: str, words: str):
    assert words in full.attempt(statement)


IGNORED = [
    "signals", "models", "leases", "rule_texts", "reviews", "comments", "marked_since", "anchored",
]  # fmt: skip
REPLACED = {
    "decision": (
        DECISION.format(id=3, prev_hash="(SELECT hash FROM chain_head)", hash="hash"),
        "follow the head",
    ),
    "version by its number": (VERSION.format(number=3, state="candidate", run="x"), "next number"),
    "version by its run": (VERSION.format(number=7, state="candidate", run="m.t1"), "one version"),
    "reign": (
        REIGN.format(generation=1, version=3, previous="NULL", leaves="NULL"),
        "another one by now",
    ),
    "fact": (
        "INSERT INTO version_facts SELECT id, model, version, before, after, 'eve', reason, decision, at"
        " FROM version_facts WHERE id = 1",
        "never changed",
    ),
    "move of an alias": ("INSERT INTO alias_moves SELECT * FROM alias_moves", "never changed"),
    "alias": ("INSERT INTO aliases SELECT * FROM aliases", "by its move only"),
    "hold": ("INSERT INTO version_keeps SELECT * FROM version_keeps", "never changed"),
    "removal": ("INSERT INTO removals SELECT * FROM removals", "never changed"),
    "run": ("INSERT INTO runs SELECT * FROM runs WHERE id = 'm.r2'", "next number"),
    "evaluation": ("INSERT INTO evaluations SELECT * FROM evaluations", "never changed"),
    "test": ("INSERT INTO budget_tests SELECT * FROM budget_tests", "never changed"),
    "comment": (
        "INSERT INTO comments SELECT id, subject, 'eve', at, text, 'other', NULL FROM comments WHERE key = 'c1'",
        "never changed",
    ),
    "approval": ("INSERT INTO approvals SELECT * FROM approvals", "never changed"),
}


@pytest.mark.parametrize(("statement", "words"), REPLACED.values(), ids=REPLACED.keys())
@pytest.mark.parametrize("full", ["sqlite"], indirect=True)
def test_sqlite_replaces_nothing(full: Bench, statement: str, words: str):
    # REPLACE deletes the row in its way without asking the triggers for deletion.
    assert words in full.attempt(statement.replace("INSERT", "INSERT OR REPLACE", 1))


@pytest.mark.parametrize("table", IGNORED)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_leaves_what_is_there(database: Bench, table: str):
    full = fill(database)
    before = full.sql(f"SELECT * FROM {table}")
    full.sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    full.sql(f"INSERT OR REPLACE INTO models (model) VALUES ('{M}')")
    assert full.sql(f"SELECT * FROM {table}") == before


@pytest.mark.parametrize(
    "table",
    ["decisions", "version_facts", "reigns", "versions", "signals", "chain_head", "comments"],
)
@pytest.mark.parametrize("full", ["postgresql"], indirect=True)
def test_postgresql_truncates_nothing(full: Bench, table: str):
    assert "never deleted" in full.attempt(f"TRUNCATE {table} CASCADE")


def _bring(tx: Transaction, state: VersionState) -> None:
    """A model named after the state, whose version 1 is in it; versions 1 and 2 exist."""
    model = state.value
    for number in (1, 2, 3):
        enter(tx, number, model)
    if state is S.CANDIDATE:
        return
    if state in {S.CHAMPION, S.SUPERSEDED, S.DEPRECATED, S.ARCHIVED}:
        seat(tx, 1, model=model)
        if state is not S.CHAMPION:
            seat(tx, 2, generation=1, previous=1, model=model)
            seat(tx, 3, generation=2, previous=2, model=model)
        if state in {S.DEPRECATED, S.ARCHIVED}:
            move(tx, 1, S.SUPERSEDED, S.DEPRECATED, model=model)
        if state is S.ARCHIVED:
            move(tx, 1, S.DEPRECATED, S.ARCHIVED, model=model)
    else:
        move(tx, 1, S.CANDIDATE, state, model=model)


def test_the_database_holds_the_same_table_of_moves(database: Bench):
    with database.store.begin() as tx:
        for before in VersionState:
            _bring(tx, before)
    legal = {
        before: {
            after
            for after in VersionState
            if not database.attempt(
                FACT.format(version=1, before=f"'{before}'", after=after).replace(
                    "'m'", f"'{before}'"
                )
            )
        }
        for before in VersionState
    }
    # Into and out of the seat leads a reign only.
    by_fact = {
        before: set() if before is S.CHAMPION else set(after) - {S.CHAMPION}
        for before, after in VERSION_MOVES.items()
    }
    assert legal == by_fact
    seated: set[VersionState] = {
        before
        for before in VersionState
        if before not in {S.CHAMPION, S.SUPERSEDED, S.DEPRECATED, S.ARCHIVED}
        and not database.attempt(
            REIGN.format(generation=1, version=1, previous="NULL", leaves="NULL").replace(
                "'m'", f"'{before}'"
            )
        )
    }
    seated |= {
        before
        for before in (S.SUPERSEDED, S.DEPRECATED, S.ARCHIVED)
        if not database.attempt(
            REIGN.format(generation=4, version=1, previous=3, leaves="'superseded'").replace(
                "'m'", f"'{before}'"
            )
        )
    }
    assert seated == {before for before, after in VERSION_MOVES.items() if S.CHAMPION in after}


def test_the_database_holds_the_same_table_of_moves_of_a_run(database: Bench):
    ends = [state for state in RunState if state.ended]
    with database.store.begin() as tx:
        for number, state in enumerate(RunState, start=1):
            order(tx, number, M)
            run = f"m.r{number}"
            if state is not RunState.QUEUED:
                tx.runs.claim(run, 0, worker="w", lease=HOUR)
            if state in ends:
                tx.runs.finish(run, 1, RunEnd(state=state), at=AT)
    legal: dict[RunState, set[RunState]] = {before: set() for before in RunState}
    for number, before in enumerate(RunState, start=1):
        for after in set(RunState) - {before}:
            claimed = before is RunState.QUEUED and after is RunState.RUNNING
            taken = before is RunState.RUNNING and after is RunState.QUEUED
            statement = (
                f"UPDATE runs SET state = '{after}', fence = fence + {int(claimed or taken)},"
                f" attempt = attempt + {int(claimed)} WHERE number = {number}"
            )
            if not database.attempt(statement):
                legal[before].add(after)
    assert legal == {before: set(after) for before, after in RUN_MOVES.items()}


@pytest.mark.parametrize("full", ["sqlite"], indirect=True)
def test_each_guard_is_tried_above(full: Bench):
    """Without any one of the guards, something above is no longer refused in the same words."""
    cases = [statement for statement, _ in REFUSED.values()]
    cases += [text.replace("INSERT", "INSERT OR REPLACE", 1) for text, _ in REPLACED.values()]
    cases += [f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" for table in IGNORED]
    session = sqlite3.connect(full.path, isolation_level=None)

    def answer(case: str) -> str | int:
        session.execute("SAVEPOINT tried")
        try:
            return session.execute(case).rowcount
        except sqlite3.Error as refusal:
            return str(refusal)
        finally:
            session.execute("ROLLBACK TO tried")
            session.execute("RELEASE tried")

    before = {case: answer(case) for case in cases}
    guards = session.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql GLOB '* BEFORE *' ORDER BY name"
    ).fetchall()
    untried = []
    for (name,) in guards:
        session.execute("BEGIN")
        session.execute(f"DROP TRIGGER {name}")
        if all(answer(case) == said for case, said in before.items()):
            untried.append(name)
        session.execute("ROLLBACK")
    session.close()
    assert len(guards) > 40
    assert untried == []


def test_what_is_legal_passes(full: Bench):
    """The refusals above are not refusals of everything."""
    assert not full.attempt(FACT.format(version=6, before="'candidate'", after="rejected"))
    assert not full.attempt(
        REIGN.format(generation=3, version=3, previous=2, leaves="'superseded'")
    )
    assert not full.attempt(VERSION.format(number=7, state="candidate", run="x"))
    assert not full.attempt(
        DECISION.format(id=3, prev_hash="(SELECT hash FROM chain_head)", hash="'f'")
    )
    assert not full.attempt(ARCHIVE.format(version=4, before="'deprecated'", after="archived"))
    assert not full.attempt(ALIAS.format(name="canary", generation=2, version=4, previous=3))
    assert not full.attempt("UPDATE signals SET status = 'handled', decision = 1 WHERE key = 's2'")


def test_a_succession_by_plain_sql_is_whole(database: Bench):
    """Even a foreign writer who may do it can't do half of it."""
    full = fill(database)
    full.sql(REIGN.format(generation=3, version=3, previous=2, leaves="'rejected'"))
    with full.store.read() as tx:
        state = tx.models.state(M)
        states = {v.number: v.state for v in tx.registry.versions(M)}
        facts = [(f.version, f.before, f.after, f.actor) for f in tx.facts.of(M)[-2:]]
    assert (state.champion, state.generation) == (3, 3)
    assert (states[2], states[3]) == (S.REJECTED, S.CHAMPION)
    assert facts == [(2, S.CHAMPION, S.REJECTED, "eve"), (3, S.CHALLENGER, S.CHAMPION, "eve")]
