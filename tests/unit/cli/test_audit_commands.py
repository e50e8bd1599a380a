"""audit, lineage, anchor: who sat in the seat when, on whose word, and proof that nobody wrote it anew."""

from __future__ import annotations

import csv
import io
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.chain import seal
from tests.support.command import POLICY, Desk
from tests.support.house import MODEL, UNDECIDED

ASKS = POLICY + "approval: {when: inconclusive, from: [leads]}\n"
KEY = "a key that the database never sees"


@pytest.fixture
def app_context(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """v1 by its gates, v2 by ana's approval, rolled back to v1 by hand."""
    monkeypatch.setenv("INCUMBENT_ANCHOR_KEY", KEY)
    app_context = Desk()
    app_context.enforce(ASKS)
    app_context.house.data(30_000, "jan")
    app_context.house.work()
    app_context.house.clock.advance(timedelta(days=28))
    app_context.house.data(30_000, "feb")
    app_context.house.work(UNDECIDED)
    app_context.run("approve", MODEL, "2", "--reason", "looks right", "--yes")
    app_context.house.clock.advance(timedelta(days=31))
    app_context.run("rollback", MODEL, "--reason", "late labels look bad", "--yes")
    app_context.house.work()
    assert app_context.house.champion == 1
    return app_context


def test_each_reign_names_what_stands_behind_it(app_context: Desk):
    last, second, first = app_context.json("audit", MODEL)["reigns"]
    assert [one["version"] for one in (last, second, first)] == [1, 2, 1]
    assert second["approvals"][0].startswith("person:ana approved evidence ")
    assert (second["ended_by"], second["ended_actor"]) == ("rollback", "person:ana")
    assert second["ended_decision"] == last["decision"]
    assert "late labels look bad" in second["ended_reason"]
    assert (last["cause"], first["cause"]) == ("rollback", "promotion")
    assert first["rules"] == "rules/flight-delay.yaml"


@pytest.mark.parametrize(
    ("at", "version"), [("2013-02-10", 1), ("2013-03-05", 2), ("2013-05-01", 1)]
)
def test_who_was_champion_then(app_context: Desk, at: str, version: int):
    (reign,) = app_context.json("audit", MODEL, "--at", at)["reigns"]
    assert reign["version"] == version


def test_before_the_first_there_was_none(app_context: Desk):
    said = app_context.run("audit", MODEL, "--at", "2013-01-01", code=3).stderr
    assert "had no champion at 2013-01-01 00:00 UTC" in said


def test_other_formats(app_context: Desk):
    rows = list(
        csv.DictReader(io.StringIO(app_context.run("audit", MODEL, "--format", "csv").stdout))
    )
    assert [row["version"] for row in rows] == ["1", "2", "1"]
    text = app_context.run("audit", MODEL, "--format", "markdown").stdout
    assert "ended by rollback, decision" in text
    assert "v2" in app_context.run("audit", MODEL).stdout


def test_lineage_leads_back_to_the_data(app_context: Desk):
    found = app_context.json("lineage", f"{MODEL}@2")
    assert found["run"]["id"] == f"{MODEL}.r3"
    assert [s["kind"] for s in found["signals"]] == ["new_data"]
    assert [b["uri"] for b in found["data"]["batches"]] == ["jan", "feb"]
    assert [m["after"] for m in found["moves"]] == [
        "candidate", "challenger", "champion", "rejected",
    ]  # fmt: skip
    assert "because of signal" in app_context.run("lineage", f"{MODEL}@2").stdout


def test_an_anchor_shows_history_that_was_written_anew(app_context: Desk, tmp_path: Path):
    file = tmp_path / "anchors"
    app_context.run("anchor", "--file", str(file))
    app_context.house.data(30_000, "mar")
    app_context.house.work()
    app_context.run("anchor", "--file", str(file))
    assert "2 anchors hold" in app_context.run("anchor", "--file", str(file), "--check").stdout
    with app_context.house.behind() as tx:
        _write_anew(tx.tables.decisions)
    said = app_context.run("anchor", "--file", str(file), "--check", code=1).stdout
    assert "history was written anew" in said


def _write_anew(table) -> None:
    """What an owner of the database could do: another actor in the first record, and every hash after it."""
    before = table[1].prev_hash
    for number in list(table):
        record = table[number]
        changed = replace(record, actor="person:eve") if number == 1 else record
        table[number] = seal(replace(changed, prev_hash=before))
        before = table[number].hash


def test_a_log_that_was_cut_off_and_a_foreign_key(app_context: Desk, tmp_path: Path, monkeypatch):
    file = tmp_path / "anchors"
    app_context.run("anchor", "--file", str(file))
    with app_context.house.behind() as tx:
        tx.tables.decisions.pop(len(tx.tables.decisions))
    assert (
        "the end was cut off"
        in app_context.run("anchor", "--file", str(file), "--check", code=1).stdout
    )
    monkeypatch.setenv("INCUMBENT_ANCHOR_KEY", "another key, as long as it")
    assert (
        "not signed with this key"
        in app_context.run("anchor", "--file", str(file), "--check", code=1).stdout
    )


def test_an_anchor_as_a_git_note(app_context: Desk, tmp_path: Path):
    for words in (
        ("init", "-q"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"),
        ("config", "user.name", "a"),
        ("config", "user.email", "a@b"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    app_context.run("anchor", "--git", str(tmp_path))
    assert "1 anchors hold" in app_context.run("anchor", "--git", str(tmp_path), "--check").stdout


def test_an_anchor_needs_a_key(app_context: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("INCUMBENT_ANCHOR_KEY")
    assert (
        "no key to sign" in app_context.run("anchor", "--file", str(tmp_path / "a"), code=2).stderr
    )
