"""A git repository of rules for tests, made with the git command, with people who commit to it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

POLICY = """\
version: 1
model: {model}
owner: team
data: {{source: "data/*.parquet", time: t, target: y}}
train: {{entrypoint: "m:train", window: 90d}}
triggers:
  - new_data: {{rows: {rows}}}
promote:
  - {{name: better, metric: mae, better_than: champion}}
  - {{name: absolute, metric: mae, at_most: 20}}
"""


def policy_text(rows: int = 20_000, model: str = "demo") -> str:
    """A policy that passes `check`; ``rows`` makes one differ from another."""
    return POLICY.format(model=model, rows=rows)


class Repository:
    """The repository in ``folder``. A person commits as NAME <NAME@example.com>."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", ".")

    def git(self, *arguments: str, person: str = "ann", stdin: bytes | None = None) -> str:
        """Run git as a person."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": person.title(),
            "GIT_AUTHOR_EMAIL": f"{person}@example.com",
            "GIT_COMMITTER_NAME": person.title(),
            "GIT_COMMITTER_EMAIL": f"{person}@example.com",
            "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
            "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
        }
        answer = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, input=stdin,
            capture_output=True, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr.decode()
        return answer.stdout.decode().strip()

    def sign_with(self, key: Path | None) -> None:
        """Sign every commit from now on with an SSH key, as a person's own settings do; None signs none."""
        self.git("config", "gpg.format", "ssh")
        self.git("config", "user.signingkey", str(key))
        self.git("config", "commit.gpgsign", "false" if key is None else "true")

    def write(self, rows: int, path: str = "rules/demo.yaml", model: str = "demo") -> None:
        """Write a policy without committing it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(policy_text(rows, model))

    def commit(self, message: str = "Change", *, person: str = "ann") -> str:
        """Commit everything; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, person=person)
        return self.head()

    def change(
        self, rows: int, message: str = "Change", *, person: str = "ann", **more: str
    ) -> str:
        """Commit a policy with ``rows``."""
        self.write(rows, **more)
        return self.commit(message, person=person)

    def head(self, name: str = "HEAD") -> str:
        """The id of a commit."""
        return self.git("rev-parse", name)

    def blob(self, path: str, revision: str = "HEAD") -> str | None:
        """The id of a file's blob at a revision."""
        rows = self.git("ls-tree", revision, "--", path)
        return rows.split()[2] if rows else None

    def branch(self, name: str = "topic") -> None:
        """Begin a branch here."""
        self.git("checkout", "--quiet", "-b", name)

    def back(self) -> None:
        """Go to the main branch."""
        self.git("checkout", "--quiet", "main")

    def squash(self, name: str = "topic", *, person: str = "ann") -> str:
        """Land a branch as one new commit, as a provider's button does."""
        self.back()
        self.git("merge", "--quiet", "--squash", name)
        return self.commit("Squashed", person=person)

    def merge(self, name: str = "topic", *, person: str = "bob") -> str:
        """Land a branch by a merge commit."""
        self.back()
        self.git("merge", "--quiet", "--no-ff", "-m", "Merge", name, person=person)
        return self.head()
