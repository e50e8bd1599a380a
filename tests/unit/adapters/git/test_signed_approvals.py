"""Bare git: approvals signed with SSH keys, pushed to refs of the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.adapters.git.approve import approve_revision
from controller.adapters.git.ssh import BEGIN, Statement, sign, verify_signature_of
from controller.domain.errors import UserError
from tests.support.house import START
from tests.support.signing import ANN, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_signed_approval_proves_the_revision(world):
    revision = world.repository.change(2000)
    ref = world.approve("bob")
    assert ref.startswith(f"refs/incumbent/approvals/{revision}/")
    [text] = world.rules().read()
    assert (text.revision, text.reviewers, text.refused) == (revision, ("Bob",), "")


def test_without_an_approval_nothing_is_proven(world):
    world.repository.change(2000)
    assert "has 0 of 1 needed approvals" in world.sentence()


def test_key_that_is_not_allowed_says_nothing(world):
    world.repository.change(2000)
    world.approve("mallory")
    assert "has 0 of 1 needed approvals" in world.sentence()


def test_allowed_key_of_somebody_who_is_no_reviewer(world):
    world.repository.change(2000)
    world.approve("bob")
    assert "(bob@example.com is not on the list" in world.sentence(reviewers=(ANN,))


def test_key_that_was_removed_later(world):
    world.repository.change(2000)
    world.approve("bob")
    world.allow("ann")
    assert not world.proven()


def test_commit_after_the_approval(world):
    world.repository.change(2000)
    world.approve("bob")
    world.repository.change(9_999_999)
    assert "rules/demo.yaml is not what was approved" in world.sentence()


def test_commit_beside_the_rules_after_the_approval(world):
    world.repository.change(2000)
    world.approve("bob")
    (world.repository.folder / "README.md").write_text("x\n")
    world.repository.commit("Beside")
    assert world.proven()


def test_old_approval_does_not_bring_an_old_text_back(world):
    world.repository.change(2000)
    world.approve("bob")
    world.rules().read()
    world.repository.change(3000)
    world.approve("bob", minutes=1)
    world.rules().read()
    world.repository.change(2000)
    assert not world.proven()


def test_old_approval_under_a_new_name_says_nothing(world):
    """Whoever may push may also name a ref as they like; the statement inside is what was signed."""
    world.repository.change(2000)
    old = world.approve("bob")
    world.rules().read()
    world.repository.change(3000)
    world.approve("bob", minutes=1)
    world.rules().read()
    newest = world.repository.change(2000)
    world.repository.git(
        "update-ref", f"refs/incumbent/approvals/{newest}/x", world.repository.head(old)
    )
    assert not world.proven()


def test_text_that_went_and_came_between_two_looks(world):
    world.repository.change(2000)
    world.approve("bob")
    world.repository.change(3000)
    world.repository.change(2000)
    assert "rules/demo.yaml is not what was approved" in world.sentence()


def test_signed_commit_is_no_approval(world):
    key = world.keys["bob"]
    world.repository.write(2000)
    world.repository.git("add", "--all")
    world.repository.git(
        "-c", "gpg.format=ssh", "-c", f"user.signingkey={key}", "commit", "-q", "-S", "-m",
        "Change\n\nReviewed-by: Bob <bob@example.com>",
    )  # fmt: skip
    assert "has 0 of 1 needed approvals" in world.sentence()


# --- statements -----------------------------------------------------------------------------------------------

STATEMENT = Statement(
    revision="a" * 40,
    folder="rules",
    at=START,
    blobs={"rules/a b.yaml": "b" * 40, "rules/c.yaml": "c" * 40},
)


def test_statement_is_read_as_it_was_written():
    assert Statement.from_bytes(STATEMENT.to_bytes()) == STATEMENT


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"approval 1", b"approval 2"),
        lambda text: text.replace(b"revision a", b"revision x"),
        lambda text: text + b"policy " + b"d" * 40 + b" rules/z.yaml\n\n",
        lambda text: text.replace(b"policy b", b"policy  b"),
        lambda text: text.rstrip(b"\n"),
        lambda _: b"",
        lambda text: b"\xff" + text,
    ],
    ids=["title", "revision", "blank-line", "spaces", "no-line-feed", "empty", "no-utf8"],
)
def test_statement_in_other_words_is_none(change):
    assert Statement.from_bytes(change(STATEMENT.to_bytes())) is None


def test_signature_is_verified_over_the_very_bytes(world):
    signed = sign(STATEMENT, world.keys["bob"])
    verified = verify_signature_of(signed, world.signers)
    assert verified is not None
    assert (verified.principal, verified.statement) == ("bob@example.com", STATEMENT)
    assert verify_signature_of(signed.replace(b"c" * 40, b"d" * 40), world.signers) is None
    assert verify_signature_of(signed.partition(BEGIN)[0], world.signers) is None
    assert verify_signature_of(b"", world.signers) is None


def test_signature_for_another_purpose_is_refused(world, tmp_path):
    text = tmp_path / "text"
    text.write_bytes(STATEMENT.to_bytes())
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(world.keys["bob"]), str(text)],
        check=True, capture_output=True,
    )  # fmt: skip
    signed = text.read_bytes() + text.with_suffix(".sig").read_bytes()
    assert verify_signature_of(signed, world.signers) is None


def test_key_that_cannot_sign_is_named(world, tmp_path):
    with pytest.raises(UserError, match="cannot sign"):
        approve_revision(world.repository.folder, "HEAD", "rules", tmp_path / "none", START)


def test_revision_that_is_not_there_is_named(world):
    with pytest.raises(UserError, match="no revision nothing"):
        world.approve("bob", "nothing")
