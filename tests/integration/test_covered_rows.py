"""`verify` vouches for signals, answers, approvals and comments too: each row is edited and deleted by plain SQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from controller.domain.marks import SigningKeys
from tests.support.told import Told


def test_what_was_told_is_as_it_was(copied: Told):
    found = copied.run("verify", "--all")
    assert found.exit_code == 0, found.output
    assert "covered from decision 1 on" in found.output
    assert "1 comments wait for the next decision" in found.output


FORGED = (
    "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload, status, reason, decision)"
    " SELECT 'forged', model, 'rollback', 'person:ana', occurred_at, received_at, '{}', 'skipped', 'never mind', 3"
    " FROM signals WHERE id = 1"
)
APPROVED = "WHERE kind = 'approval'"
TAMPERED = {
    "what a signal says": (f"UPDATE signals SET payload = '{{}}' {APPROVED}", "signal 7", "was changed"),
    "who said it": (f"UPDATE signals SET actor = 'person:eve' {APPROVED}", "signal 7", "was changed"),
    "a mark": (f"UPDATE signals SET mark = 'x' {APPROVED}", "signal 7", "was changed"),
    "what nobody said": ("UPDATE signals SET key = 'x' WHERE id = 1", "signal 1", "was changed"),
    "a signal that is gone": (f"DELETE FROM signals {APPROVED}", "signal 7", "is gone"),
    "an answer": (f"UPDATE signals SET reason = 'x' {APPROVED}", "answer to signal 7", "was changed"),
    "another answer": (f"UPDATE signals SET status = 'skipped' {APPROVED}", "answer to signal 7", "was changed"),
    "the answer of another decision": (
        f"UPDATE signals SET decision = 1 {APPROVED}", "answer to signal 7", "was changed",
    ),
    "an answer that nobody gave": (FORGED, "an answer to signal", "made up"),
    "an approval": ("UPDATE approvals SET actor = 'person:eve'", "fact of", "missing or changed"),
    "an approval that is gone": ("DELETE FROM approvals", "fact of", "missing or changed"),
    "an approval that nobody gave": (
        "INSERT INTO approvals (model, version, actor, agrees, evidence, reason, at, decision, word)"
        " SELECT model, 1, 'person:eve', agrees, evidence, reason, at, decision, word FROM approvals",
        "holds a fact", "did not make it",
    ),
    "a comment": ("UPDATE comments SET text = 'fine!' WHERE key = 'c2'", "comment 2", "was changed"),
    "who commented": ("UPDATE comments SET actor = 'person:eve' WHERE key = 'c1'", "comment 1", "was changed"),
    "a comment that is gone": ("DELETE FROM comments WHERE key = 'c1'", "comment 1", "is gone"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "what", "how"), TAMPERED.values(), ids=TAMPERED.keys())
def test_verify_names_what_was_tampered_with(copied: Told, statement: str, what: str, how: str):
    copied.sql(statement)
    found = copied.run("verify", "--all")
    assert found.exit_code == 1, found.output
    assert what in found.output
    assert how in found.output
    assert "ecision" in found.output


def test_without_the_key_verify_says_what_it_could_not_check(copied: Told):
    found = copied.run("verify", "--all", keys=SigningKeys(["another" * 5]))
    assert found.exit_code == 0, found.output
    assert "The marks of 1 signals could not be checked" in found.output


CUT = (
    "DELETE FROM comments",
    "DELETE FROM approvals",
    "UPDATE signals SET status = 'open', decision = NULL, reason = '' WHERE decision >= {last}",
    "DELETE FROM version_facts WHERE decision >= {last}",
    "DELETE FROM reigns WHERE decision >= {last}",
    "DELETE FROM decisions WHERE id >= {last}",
    "UPDATE chain_head SET decision = {last} - 1, hash = (SELECT hash FROM decisions WHERE id = {last} - 1)",
)


def test_a_tail_that_was_cut_is_said_without_an_anchor(
    copied: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INCUMBENT_ANCHOR_KEY", "a key that the database never sees")
    assert copied.run("anchor", "--file", str(tmp_path / "anchors")).exit_code == 0
    (tmp_path / "anchors").unlink()
    with closing(copied.store()) as store, store.read() as tx:
        last, _ = tx.decisions.head()
    copied.sql(*(statement.format(last=last) for statement in CUT))
    found = copied.run("verify", "--all")
    assert found.exit_code == 1
    assert f"Decision {last} was anchored, and the log ends at {last - 1}" in found.output
