"""`incumbent review` and what `doctor` says of data sources, over a house in memory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from controller.adapters.git.load_settings import load_review_settings
from controller.adapters.git.rules import GitRules
from controller.adapters.git.settings import ReviewSettings
from controller.domain.errors import ConfigurationError
from controller.policy.review_facts import Reviewer
from controller.ports import SourceState
from controller.rulefmt import load_policy
from controller.service.rules.sync import SyncRules
from tests.support.command import Desk
from tests.support.machine import need_program
from tests.support.repository import Repository

BOB = Reviewer(name="Bob", emails=("bob@example.com",))


class World:
    def __init__(self, folder: Path) -> None:
        need_program("ssh-keygen", "openssh-client")
        self.app_context = Desk()
        self.repository = Repository(folder / "origin")
        base = self.repository.change(1000)
        self.key = folder / "bob"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True
        )
        signers = folder / "allowed"
        ann = folder / "ann"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ann)], check=True)
        signers.write_text(
            f"bob@example.com {self.key.with_suffix('.pub').read_text()}"
            f"ann@example.com {ann.with_suffix('.pub').read_text()}"
        )
        self.repository.sign_with(ann)
        self.settings = ReviewSettings(
            remote=str(self.repository.folder),
            provider="ssh",
            reviewers=(BOB,),
            cache=folder / "mirror",
            allowed_signers=signers,
            baseline=base,
            pause=0,
        )
        self.revision = self.repository.change(2000)

    def sync(self) -> None:
        house = self.app_context.house
        source = GitRules(self.settings, house.store, house.clock, lambda _: [])
        SyncRules(house.store, house.clock, source, load_policy).run_once()

    def approve(self, *more: str, code: int = 0):
        words = (
            "--repo",
            str(self.repository.folder),
            "--key",
            str(self.key),
            "--no-push",
            "--yes",
        )
        return self.app_context.run(
            "review", "approve", self.revision[:10], *words, *more, code=code
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_approval_is_signed_and_proves_the_rules(world):
    said = json.loads(world.approve("--json").stdout)
    assert said["revision"] == world.revision
    assert list(said["policies"]) == ["rules/demo.yaml"]
    world.sync()
    shown = json.loads(world.app_context.run("review", "status", "--json").stdout)
    [policy] = shown["policies"]
    assert (policy["model"], policy["revision"], policy["reviewers"]) == (
        "demo",
        world.revision,
        ["Bob"],
    )
    assert policy["signers"] == ["ann@example.com"]
    assert shown["refused"] == []
    assert "ann@example.com" in world.app_context.run("review", "status").stdout


def test_approval_is_pushed_to_the_remote(world, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(world.repository.folder), str(clone)], check=True)
    world.app_context.run(
        "review", "approve", "HEAD", "--repo", str(clone), "--key", str(world.key), "--yes"
    )
    refs = world.repository.git("for-each-ref", "--format=%(refname)", "refs/incumbent/approvals")
    assert refs.startswith(f"refs/incumbent/approvals/{world.revision}/")


def test_refusal_is_shown_with_its_reason(world):
    world.sync()
    shown = world.app_context.run("review", "status")
    assert f"{world.revision[:12]} is refused: " in shown.stderr
    assert "has 0 of 1 needed approvals" in shown.stderr


def test_evidence_is_shown_on_one_screen(world):
    world.approve()
    world.sync()
    shown = world.app_context.run("review", "show").stdout
    assert f"{world.revision[:12]} proven" in shown
    assert "ok  as_reviewed: rules/demo.yaml is what Bob approved." in shown
    assert f"Bob (bob@example.com) approved {world.revision[:12]}" in shown
    assert "  ann@example.com (SHA256:" in shown
    assert f") signed {world.revision[:12]}" in shown
    document = json.loads(
        world.app_context.run("review", "show", world.revision[:8], "--json").stdout
    )
    assert document["proven"]
    assert document["evidence"]["counted"][0]["person"] == "Bob"


def test_doctor_says_why_newer_rules_are_not_in_force(world):
    world.sync()
    found = json.loads(world.app_context.run("doctor", "--json", code=1).stdout)
    [said] = [c["sentence"] for c in found["checks"] if c["name"] == "review of rules"]
    assert said.startswith(f"{world.revision[:10]} is not in force: ")


def test_unknown_evidence_is_not_found(world):
    world.app_context.run("review", "show", "abcdefgh", code=3)
    world.app_context.run("review", "show", "abc", code=2)


def test_unreviewed_rules_are_called_so(world):
    assert "unreviewed" in world.app_context.run("review", "status").stdout


def test_doctor_names_sick_sources(world):
    house = world.app_context.house
    state = SourceState(
        model="demo",
        source="data/*.csv",
        checked_at=house.clock.now(),
        error="it is away.",
        failures=3,
    )
    with house.store.begin() as tx:
        tx.sources.note([state])
    found = json.loads(world.app_context.run("doctor", "--json", code=1).stdout)
    said = [c["sentence"] for c in found["checks"] if c["name"] == "data of demo"]
    assert said == ["it is away. (3 failures in a row)"]


# --- the server's file ----------------------------------------------------------------------------------------

GOOD = """\
provider = "github"
project = "team/rules"
token_env = "RULES_TOKEN"
approvals = 2
[[reviewers]]
name = "Bob"
accounts = ["bob"]
emails = ["bob@example.com"]
"""


def test_file_is_read(tmp_path):
    (tmp_path / "review.toml").write_text(GOOD)
    found = load_review_settings(
        tmp_path / "review.toml", cache=tmp_path / "cache", remote="https://github.com/team/rules"
    )
    assert (found.project, found.approvals, found.branch) == ("team/rules", 2, "main")
    assert found.reviewers == (
        Reviewer(name="Bob", accounts=("bob",), emails=("bob@example.com",)),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("provider = 'github'\nproject = 'a/b'\n", "reviewers is empty"),
        (GOOD.replace("approvals", "aprovals"), "no setting aprovals"),
        (GOOD.replace("= 2", "= 'two'"), "approvals is 'two', expected a int"),
        (GOOD.replace("github", "bitbucket"), "provider is 'bitbucket'"),
        (GOOD.replace('project = "team/rules"\n', ""), "review.project"),
        (GOOD.replace("accounts", "acounts"), "Bob has acounts, which is unknown"),
        (GOOD.partition("accounts")[0], "Bob has neither accounts nor emails"),
        (GOOD.replace("github", "ssh"), "review.allowed_signers is needed"),
        ("x = [", "is no TOML"),
        (GOOD + "\n[[reviewers]]\naccounts = ['x']\n", "needs a name"),
    ],
    ids=[
        "nobody",
        "typo",
        "type",
        "provider",
        "project",
        "key",
        "unknown-person",
        "signers",
        "toml",
        "name",
    ],
)
def test_file_that_cannot_be_used_is_told_in_one_sentence(tmp_path, text, sentence):
    (tmp_path / "review.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"review\.toml") as raised:
        load_review_settings(tmp_path / "review.toml", cache=tmp_path, remote="/r")
    assert sentence in raised.value.message
    assert "\n" not in raised.value.sentence()
