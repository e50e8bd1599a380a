"""Several controllers on one PostgreSQL, as processes: who leads, who takes over, and what a stopped one writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.support.brokers import valkey
from tests.support.controllers import ROOT, Controllers, controllers
from tests.support.postgres import PostgresServer
from tests.support.waiting import until

SECOND = timedelta(seconds=1)
KILLED = 10.0
"""Seconds in which somebody must have taken over from a controller that was killed."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    server = valkey(tmp_path / "valkey")
    server.start()
    yield server.url
    server.close()


@pytest.fixture
def group(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer, broker: str
) -> Iterator[Controllers]:
    lead = getattr(request, "param", "5")
    with controllers(tmp_path, postgres_server, broker, INCUMBENT_LEAD=lead) as group:
        yield group


def each_due_time_fired_once(group: Controllers) -> None:
    """Each fire follows the one before by as many intervals as it says: none is lost and none came twice."""
    for (before, _), (due, missed) in pairwise(group.fires()):
        assert due - before == (missed + 1) * SECOND


def command(group: Controllers, *words: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("incumbent")), *words],
        cwd=ROOT,
        env=os.environ
        | {
            "INCUMBENT_DATABASE_URL": group.server.url(group.database),
            "INCUMBENT_HOME": str(group.folder / "home"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


@pytest.mark.long
def test_a_killed_leader_is_succeeded_and_no_fire_is_lost_or_doubled(group: Controllers):
    group.start("anna", "bert")
    first = group.leads("anna", "bert")
    second = "bert" if first == "anna" else "anna"
    said = command(group, "doctor", "--only", "controller")
    assert f":{group.running[first].pid} leads" in said
    assert f":{group.running[second].pid} stands by" in said
    assert "leads " in command(group, "status")
    until(lambda: len(group.fires()) >= 2)
    group.end(first, signal.SIGKILL)
    assert group.leads(second, seconds=KILLED) == second
    fired = len(group.fires())
    until(lambda: len(group.fires()) > fired)
    each_due_time_fired_once(group)


@pytest.mark.long
@pytest.mark.parametrize("group", ["60"], indirect=True)
def test_a_leader_that_stops_in_order_leaves_the_lead_behind(group: Controllers):
    """Its lease would have run for a minute: nobody waits for that."""
    group.start("anna", "bert")
    first = group.leads("anna", "bert")
    second = "bert" if first == "anna" else "anna"
    until(group.fires)
    group.end(first, signal.SIGTERM)
    assert group.leads(second, seconds=KILLED) == second
    assert len(group.rows("SELECT 1 FROM controllers")) == 1
    fired = len(group.fires())
    until(lambda: len(group.fires()) > fired)
    each_due_time_fired_once(group)


@pytest.mark.parametrize("group", ["1"], indirect=True)
def test_a_leader_that_was_stopped_in_a_transaction_wakes_up_and_writes_nothing(
    group: Controllers,
):
    group.start("anna")
    assert group.leads("anna") == "anna"
    group.audit()
    group.start("bert")
    with psycopg.connect(group.server.dsn(group.database)) as holder:
        holder.execute("SELECT * FROM chain_head FOR UPDATE")
        # Its engine is in the middle of a decision, and waits for the head of the chain.
        until(
            lambda: group.rows(
                "SELECT 1 FROM pg_stat_activity WHERE usename = 'anna' AND wait_event_type = 'Lock'"
            )
        )
        group.send("anna", signal.SIGSTOP)
        stopped = group.now()
        holder.rollback()
    assert group.leads("bert") == "bert"
    group.send("anna", signal.SIGCONT)
    until(lambda: group.wrote("bert", stopped).count("decisions") > 0)
    until(lambda: "another controller leads now" in group.log("anna"))
    fired = len(group.fires())
    until(lambda: len(group.fires()) > fired)
    assert group.wrote("anna", stopped) == []
    each_due_time_fired_once(group)


@pytest.mark.long
def test_sqlite_takes_one_controller_and_the_second_says_so(tmp_path: Path, broker: str):
    (tmp_path / "rules").mkdir()
    environment = os.environ | {
        "INCUMBENT_HOME": str(tmp_path / "home"),
        "INCUMBENT_RULES": str(tmp_path / "rules"),
        "INCUMBENT_BROKER_URL": broker,
    }
    run = [str(Path(sys.executable).with_name("incumbent")), "controller"]
    first = subprocess.Popen(run, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    try:
        assert first.stderr
        assert b"runs" in first.stderr.readline()
        second = subprocess.run(
            run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode == 4
        assert f"Another controller (process {first.pid}) already runs on" in second.stderr
        assert "Traceback" not in second.stderr
    finally:
        first.terminate()
        first.communicate(timeout=30)
    assert first.returncode == 0
