"""Bare git: who signed a commit is no reviewer, whatever the commit says of itself. Each test is a way to cheat."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.adapters.git.allowed_signers import names_of_key
from controller.adapters.git.commit_signatures import split_signatures
from controller.domain.decisions import Result
from controller.policy.review_facts import Reviewer
from tests.support.signing import BOB, World, make_key

CAT = Reviewer(name="Cat", emails=("cat@example.com",))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def public(world: World, name: str) -> str:
    kind, key, *_ = world.keys[name].with_suffix(".pub").read_text().split()
    return f"{kind} {key}"


def allow(world: World, *lines: str) -> None:
    """Lines of allowed signers; {ann} stands for Ann's public key."""
    keys = {name: public(world, name) for name in world.keys}
    world.signers.write_text("".join(line.format(**keys) + "\n" for line in lines))


PLAIN = ("ann@example.com {ann}", "bob@example.com {bob}")


def test_revision_signed_by_one_and_approved_by_another_is_proven(world):
    world.repository.change(2000)
    world.approve("bob")
    judged = world.rules().judge()
    assert judged.proven
    [signature] = judged.facts.signatures
    assert signature.signers == ("ann@example.com",)
    assert signature.key.startswith("SHA256:")


def test_signer_cannot_approve(world):
    world.repository.change(2000)
    world.approve("ann")
    assert "(ann@example.com signed a commit of it, or its key did)" in world.sentence()


@pytest.mark.parametrize("person", ["bob", "nobody"])
def test_signer_cannot_approve_under_another_author(world, person):
    world.repository.change(
        2000, f"Change\n\nCo-authored-by: B <{person}@example.com>", person=person
    )
    world.approve("ann")
    assert "(ann@example.com signed a commit of it" in world.sentence()


def test_author_committer_and_co_author_count_for_nothing(world):
    """They are free text: whoever signs could keep a reviewer out by writing the reviewer's name there."""
    world.repository.change(2000, "Change\n\nCo-authored-by: Bob <bob@example.com>", person="bob")
    world.approve("bob")
    assert world.proven()


def test_unsigned_commit_says_what_to_do(world):
    world.repository.sign_with(None)
    world.repository.change(2000)
    world.approve("bob")
    sentence = world.sentence()
    assert (
        "is not signed; run `git config gpg.format ssh` and `git config commit.gpgsign true`"
        in sentence
    )
    assert f"`git rebase --force-rebase --rebase-merges -S {world.base[:10]}`" in sentence


def test_refused_commits_are_proven_after_what_the_sentence_says(world):
    world.repository.sign_with(None)
    world.repository.change(2000)
    world.repository.change(3000)
    assert "(2 commits are refused)" in world.sentence()
    world.repository.sign_with(world.keys["ann"])
    world.repository.git("rebase", "--force-rebase", "--rebase-merges", "-S", world.base[:10])
    world.approve("bob")
    assert world.proven()


def test_unsigned_commit_beside_the_rules(world):
    world.repository.sign_with(None)
    (world.repository.folder / "README.md").write_text("x\n")
    world.repository.commit("Beside")
    world.repository.sign_with(world.keys["ann"])
    world.repository.change(2000)
    world.approve("bob")
    assert "is not signed" in world.sentence()


def test_signer_of_a_commit_beside_the_rules_is_no_reviewer(world):
    world.repository.sign_with(world.keys["bob"])
    world.repository.commit("Beside")
    world.repository.sign_with(world.keys["ann"])
    world.repository.change(2000)
    world.approve("bob")
    assert "(bob@example.com signed a commit of it" in world.sentence()


def test_unknown_key(world):
    world.repository.sign_with(world.keys["mallory"])
    world.repository.change(2000)
    world.approve("bob")
    assert "which is not in allowed_signers" in world.sentence()


def test_changed_commit_keeps_no_signature(world):
    world.repository.change(2000)
    raw = world.repository.git("cat-file", "commit", "HEAD") + "\n"
    forged = world.repository.git(
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--stdin",
        stdin=raw.replace("Change", "Chance").encode(),
    )
    world.repository.git("reset", "--quiet", "--hard", forged)
    world.approve("bob")
    assert "is not what was signed" in world.sentence()


def test_commit_signed_in_another_namespace(world, tmp_path):
    """An approval, or any other text that somebody signed, is no signature of a commit."""
    forge_signature(world, tmp_path, "rules-review@incumbent")
    world.approve("bob")
    assert "for another purpose" in world.sentence()


def test_second_signature_is_refused(world, tmp_path):
    forge_signature(world, tmp_path, "git", times=2)
    world.approve("bob")
    assert "has more than one signature" in world.sentence()


def test_pgp_signature_is_no_ssh_signature(world):
    world.repository.sign_with(None)
    world.repository.change(2000)
    put_signature(world, "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n")
    world.approve("bob")
    assert "is signed, but not with an SSH key" in world.sentence()


def forge_signature(world: World, folder: Path, namespace: str, times: int = 1) -> None:
    world.repository.sign_with(None)
    world.repository.change(2000)
    text = folder / "text"
    text.write_text(world.repository.git("cat-file", "commit", "HEAD") + "\n")
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(world.keys["ann"]), str(text)],
        check=True, capture_output=True,
    )  # fmt: skip
    put_signature(world, text.with_suffix(".sig").read_text(), times)


def put_signature(world: World, armored: str, times: int = 1) -> None:
    raw = world.repository.git("cat-file", "commit", "HEAD") + "\n"
    head, _, body = raw.partition("\n\n")
    header = "gpgsig " + armored.rstrip("\n").replace("\n", "\n ")
    forged = "\n".join([head, *[header] * times]) + "\n\n" + body
    sha = world.repository.git(
        "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=forged.encode()
    )
    world.repository.git("reset", "--quiet", "--hard", sha)


# --- merges ---------------------------------------------------------------------------------------------------


def merged(world: World, *, side: str | None, merge: str | None) -> None:
    world.repository.branch()
    world.repository.sign_with(world.keys[side] if side else None)
    world.repository.change(2000)
    world.repository.sign_with(world.keys[merge] if merge else None)
    world.repository.merge()


def test_unsigned_side_of_a_signed_merge(world):
    merged(world, side=None, merge="ann")
    world.approve("bob")
    assert "is not signed" in world.sentence()


def test_unsigned_merge_of_a_signed_side(world):
    merged(world, side="ann", merge=None)
    world.approve("bob")
    assert "is not signed" in world.sentence()


def test_signer_on_the_side_of_a_merge_is_no_reviewer(world):
    merged(world, side="bob", merge="ann")
    world.approve("bob")
    assert "(bob@example.com signed a commit of it" in world.sentence()


def test_signer_of_the_merge_is_no_reviewer(world):
    merged(world, side="ann", merge="bob")
    world.approve("bob")
    assert "(bob@example.com signed a commit of it" in world.sentence()


def test_signed_merge_of_a_signed_side_is_proven(world):
    merged(world, side="ann", merge="ann")
    world.approve("bob")
    assert world.proven()


# --- what the list of allowed signers can be made to say ------------------------------------------------------

SAME_KEY = {
    "two-lines": ("ann@example.com {ann}", "bob@example.com {ann}"),
    "two-lines-turned": ("bob@example.com {ann}", "ann@example.com {ann}"),
    "one-line": ("bob@example.com,ann@example.com {ann}",),
    "quoted": ('"bob@example.com,ann@example.com" {ann} a comment',),
    "expired-name": ('ann@example.com valid-before="20200101" {ann}', "bob@example.com {ann}"),
    "not-yet": ('ann@example.com valid-after="20990101" {ann}', "bob@example.com {ann}"),
    "namespaces": (
        'ann@example.com namespaces="git" {ann}',
        'bob@example.com namespaces="rules-review@incumbent" {ann}',
    ),
}


@pytest.mark.parametrize("lines", SAME_KEY.values(), ids=SAME_KEY)
def test_key_with_two_names_cannot_review_itself(world, lines):
    allow(world, *lines)
    world.repository.change(2000)
    world.approve("ann")
    assert "has 0 of 1 needed approvals" in world.sentence()


OTHER_KEY = {
    "pattern": ("*@example.com {ann}", "bob@example.com {bob}"),
    "question-mark": ("?ob@example.com {ann}", "bob@example.com {bob}"),
    "everybody": ("* {ann}", "bob@example.com {bob}"),
    "exception": ("*,!bob@example.com {ann}", "bob@example.com {bob}"),
    "other-case": ("BOB@Example.com {ann}", "bob@example.com {bob}"),
    "also-bob": ("ann@example.com,bob@example.com {ann}", "bob@example.com {bob}"),
    "expired-bob": (
        'bob@example.com valid-before="20200101" {ann}',
        "ann@example.com {ann}",
        "bob@example.com {bob}",
    ),
    "authority": (
        "ann@example.com {ann}",
        "*@example.com cert-authority {ann}",
        "bob@example.com {bob}",
    ),
    "key-of-bob-is-also-anns": (
        "ann@example.com {ann}",
        "bob@example.com {bob}",
        'ann@example.com namespaces="file" {bob}',
    ),
}


@pytest.mark.parametrize("lines", OTHER_KEY.values(), ids=OTHER_KEY)
def test_names_of_the_signer_are_no_reviewers_with_another_key(world, lines):
    allow(world, *lines)
    world.repository.change(2000)
    world.approve("bob")
    assert "(bob@example.com signed a commit of it" in world.sentence()


def test_two_keys_of_one_person(world):
    """The server's list says that both addresses are Bob's."""
    allow(world, "bob@home.example {ann}", "bob@example.com {bob}")
    world.repository.change(2000)
    world.approve("bob")
    both = replace(BOB, emails=("bob@example.com", "Bob@home.example"))
    assert "signed a commit of it" in world.sentence(reviewers=(both,))


NOT_ALLOWED = {
    "expired": 'ann@example.com valid-before="20200101" {ann}',
    "not-yet": 'ann@example.com valid-after="20990101" {ann}',
    "namespace": 'ann@example.com namespaces="rules-review@incumbent" {ann}',
    "authority": "ann@example.com cert-authority {ann}",
}


@pytest.mark.parametrize("line", NOT_ALLOWED.values(), ids=NOT_ALLOWED)
def test_key_that_is_not_allowed_to_sign_commits_now(world, line):
    """The commit's own date, in the year 2019, does not make an expired key good."""
    allow(world, line, "bob@example.com {bob}")
    world.repository.write(2000)
    world.repository.git("add", "--all")
    world.repository.git("commit", "-q", "-m", "x", "--date", "2019-01-01T00:00:00Z")
    world.approve("bob")
    assert "which allowed_signers does not allow now" in world.sentence()


def test_separate_lines_for_commits_and_approvals_work(world):
    allow(
        world,
        'ann@example.com namespaces="git" {ann}',
        'bob-signs@example.com namespaces="git" {bob}',
        'bob@example.com namespaces="rules-review@incumbent" {bob}',
    )
    world.repository.change(2000)
    world.approve("bob")
    assert world.proven()


def test_one_key_is_one_of_two_reviewers(world):
    """A certificate gives the key a second name: it still counts once."""
    world.keys["cat"] = make_key(world.signers.parent, "cat")
    certify(world, "bob", by="cat", principal="cat@example.com")
    allow(world, *PLAIN, "cat@example.com cert-authority {cat}")
    world.repository.change(2000)
    world.approve("bob")
    world.keys["certified"] = world.keys["bob"].with_name("bob-cert.pub")
    world.approve("certified", minutes=1)
    both = (BOB, CAT)
    assert "has 1 of 2 needed approvals" in world.sentence(reviewers=both, approvals=2)


def certify(world: World, name: str, *, by: str, principal: str) -> Path:
    key = world.keys[name].with_suffix(".pub")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(world.keys[by]), "-I", "x", "-n", principal, str(key)],
        check=True,
    )
    return key.with_name(f"{name}-cert.pub")


def test_signer_with_a_certificate_is_no_reviewer_with_the_key_itself(world):
    world.keys["cat"] = make_key(world.signers.parent, "cat")
    certificate = certify(world, "ann", by="cat", principal="signer@example.com")
    allow(world, "*@example.com cert-authority {cat}", *PLAIN)
    world.repository.sign_with(certificate)
    world.repository.change(2000)
    [signature] = world.rules().judge().facts.signatures
    assert signature.problem is None
    assert set(signature.signers) == {"signer@example.com", "ann@example.com"}
    world.approve("ann")
    assert "(ann@example.com signed a commit of it" in world.sentence()
    world.approve("bob")
    assert world.proven()


# --- evidence -------------------------------------------------------------------------------------------------


def test_evidence_says_who_signed_what(world):
    revision = world.repository.change(2000)
    world.approve("bob")
    world.rules().read()
    with world.store.read() as tx:
        [record] = tx.reviews.latest()
    held = json.loads(record.evidence)
    [signature] = held["facts"]["signatures"]
    assert (signature["sha"], signature["signers"]) == (revision, ["ann@example.com"])
    [review] = held["facts"]["pulls"][0]["reviews"]
    assert review["names"] == ["bob@example.com"]
    assert review["key"] != signature["key"]


def test_revision_that_was_proven_before_stays_in_force(world):
    """Proven when commits needed no signature: its record has no word of signatures."""
    world.repository.sign_with(None)
    revision = world.repository.change(2000)
    world.approve("bob")
    world.repository.sign_with(world.keys["ann"])
    rules = world.rules(provider="ssh")
    judged = rules.judge()
    assert not judged.proven
    outcome = replace(judged.outcome, result=Result.PASS)
    rules._write(type(judged)(replace(judged.facts, signatures=()), outcome), None)
    [text] = world.rules().read()
    assert (text.revision, text.refused) == (revision, "")
    world.repository.change(3000)
    world.approve("bob", minutes=1)
    assert world.proven()


# --- reading --------------------------------------------------------------------------------------------------


@given(st.text(alphabet='ab,"! \t\n#*@=x', max_size=80))
def test_any_text_of_allowed_signers_is_read(text):
    assert names_of_key(text, "SHA256:x") == ()


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), max_size=8), st.binary())
def test_commit_without_a_signature_is_its_own_text(lines, body):
    raw = b"tree x\n" + b"\n".join(lines) + b"\n\n" + body
    if b"\ngpgsig" not in raw:
        assert split_signatures(raw) == (([], []), raw)
