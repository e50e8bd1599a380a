"""Signs a revision of the rules, in the reviewer's own clone; the server only ever reads what is pushed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.adapters.git.command import Git
from controller.adapters.git.mirror import APPROVALS, Mirror
from controller.adapters.git.ssh import Statement, approval_name, sign
from controller.domain.errors import UserError

APPROVED_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Approved:
    """The ref that holds the approval, and what it says."""

    ref: str
    statement: Statement


def read_statement(clone: Path, revision: str, folder: str, at: datetime) -> Statement:
    """What an approval of ``revision`` would say; UserError where there is no such revision."""
    mirror = Mirror(Git(folder=clone), str(clone))
    sha = mirror.resolve(revision)
    if sha is None:
        raise UserError(
            f"{clone} has no revision {revision}.", hint="Fetch it first, or name another."
        )
    blobs = {
        f.path: f.blob for f in mirror.files(sha, folder) if f.path.endswith(APPROVED_SUFFIXES)
    }
    if not blobs:
        raise UserError(f"{revision} has no policies in {folder}.")
    return Statement(revision=sha, folder=folder, at=at, blobs=blobs)


def approve_revision(clone: Path, revision: str, folder: str, key: Path, at: datetime) -> Approved:
    """Sign the revision and every policy of it; the approval is a ref of the clone, to be pushed."""
    statement = read_statement(clone, revision, folder, at)
    content = sign(statement, key)
    git = Git(folder=clone)
    blob = git.ask("hash-object", "-w", "--stdin", stdin=content)
    ref = f"{APPROVALS}/{statement.revision}/{approval_name(content)}"
    git.ask("update-ref", ref, blob)
    return Approved(ref, statement)


def push_approval(clone: Path, remote: str, approved: Approved) -> None:
    """Send the approval to where the server looks; Unavailable with git's reason."""
    Git(folder=clone).ask(
        "push", "--quiet", "--no-verify", "--", remote, f"{approved.ref}:{approved.ref}"
    )
