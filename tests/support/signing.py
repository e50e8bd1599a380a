"""A world of bare git for tests: a repository whose commits are signed, reviewers with SSH keys, and a server."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.adapters.git.approve import approve_revision
from controller.adapters.git.rules import GitRules
from controller.adapters.git.settings import ReviewSettings
from controller.adapters.memory import MemoryStore, SimulatedClock
from controller.policy.review_facts import Reviewer
from tests.support.house import START
from tests.support.machine import need_program
from tests.support.repository import Repository

BOB = Reviewer(name="Bob", emails=("bob@example.com",))
ANN = Reviewer(name="Ann", emails=("ann@example.com",))


def make_key(folder: Path, name: str) -> Path:
    """A new private key without a passphrase."""
    need_program("ssh-keygen", "openssh-client")
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True
    )
    return path


class World:
    """Ann signs the commits and Bob reviews; Mallory's key is not allowed."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "origin")
        self.base = self.repository.change(1000)
        self.keys = {name: make_key(folder, name) for name in ("ann", "bob", "mallory")}
        self.signers = folder / "allowed_signers"
        self.allow("ann", "bob")
        self.repository.sign_with(self.keys["ann"])
        self.store = MemoryStore(SimulatedClock(START))
        self.settings = ReviewSettings(
            remote=str(self.repository.folder),
            provider="ssh",
            reviewers=(ANN, BOB),
            cache=folder / "mirror",
            allowed_signers=self.signers,
            baseline=self.base,
            pause=0,
        )

    def allow(self, *names: str) -> None:
        lines = [
            f"{name}@example.com {self.keys[name].with_suffix('.pub').read_text()}"
            for name in names
        ]
        self.signers.write_text("".join(lines))

    def approve(self, name: str, revision: str = "HEAD", minutes: int = 0) -> str:
        at = START + timedelta(minutes=minutes)
        return approve_revision(self.repository.folder, revision, "rules", self.keys[name], at).ref

    def rules(self, **changes: Any) -> GitRules:
        settings = replace(self.settings, **changes)
        return GitRules(settings, self.store, SimulatedClock(START), lambda _: [])

    def sentence(self, **changes: Any) -> str:
        return self.rules(**changes).judge().outcome.sentence

    def proven(self, **changes: Any) -> bool:
        return self.rules(**changes).judge().proven
