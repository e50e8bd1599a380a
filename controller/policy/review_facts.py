"""What was gathered about a revision of the rules, as frozen data; :mod:`controller.policy.review` judges it.

A *person* is an entry of the server's list. Accounts, e-mail addresses and key names are what a person is known by;
they are compared without regard to context.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewer:
    """A person whose reviews count. Two accounts of one person belong in one entry."""

    name: str
    accounts: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    def is_known_by(self, *names: str | None) -> bool:
        """Whether one of ``names`` is an account or address of this person."""
        own = {name.casefold() for name in (*self.accounts, *self.emails)}
        return any(name is not None and name.casefold() in own for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewRules:
    """The server's settings that the checks need.

    ``require_signatures``: commits must be signed, and signers take the place of authors (bare git).
    """

    reviewers: tuple[Reviewer, ...]
    approvals: int = 1
    branch: str = "main"
    require_protection: bool = True
    require_signatures: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitIdentity:
    """Who stands in a commit: name and address as written there, and the account that the provider links to it."""

    name: str
    email: str
    account: str | None = None

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitFact:
    """A commit, with the rules files that it changes."""

    sha: str
    author: CommitIdentity
    committer: CommitIdentity
    co_authors: tuple[CommitIdentity, ...] = ()
    touches: tuple[str, ...] = ()
    merge: bool = False


class SignatureProblem(StrEnum):
    """Why a commit counts as signed by nobody."""

    UNSIGNED = "unsigned"
    NOT_SSH = "not_ssh"
    SEVERAL = "several"
    BAD = "bad"
    UNKNOWN_KEY = "unknown_key"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitSignature:
    """Who signed a commit. ``key`` is the key's SHA256 fingerprint, ``signers`` every name that the server gives it."""

    sha: str
    key: str = ""
    signers: tuple[str, ...] = ()
    problem: SignatureProblem | None = None


class ReviewState(StrEnum):
    """What a review says."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    DISMISSED = "dismissed"
    COMMENTED = "commented"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewFact:
    """One review: by which account, of which commit. ``blobs`` are the rules files as that commit has them.

    ``blobs`` names every changed file; None stands for "not there at that commit". A signed review also has its
    ``key`` (SHA256 fingerprint) and all ``names`` that the server gives that key.
    """

    account: str
    state: ReviewState
    commit: str
    at: datetime
    bot: bool = False
    blobs: Mapping[str, str | None] = field(default_factory=dict)
    key: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PullFact:
    """A pull request. ``landed`` are the commits of the protected branch that the provider says it brought.

    ``complete`` is False where the provider did not list all of its commits or reviews.
    """

    name: str
    url: str
    author: str | None
    merged: bool
    base: str
    commits: tuple[CommitFact, ...]
    reviews: tuple[ReviewFact, ...]
    landed: tuple[str, ...] = ()
    complete: bool = True
    merged_by: str | None = None

    def holds(self, sha: str) -> bool:
        """Whether the commit belongs to this pull request."""
        return sha in self.landed or any(commit.sha == sha for commit in self.commits)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedPolicy:
    """A rules file that differs between the active revision and the new one. ``blob`` is None if it is gone.

    ``last_commit`` is the newest commit on the branch that changed it.
    """

    path: str
    blob: str | None
    last_commit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionFacts:
    """Everything that is known of a revision. ``commits`` are those in between that touch the rules, newest first.

    ``signatures`` are those of every commit in between, newest first, where the provider is bare git.
    ``problems`` are sentences of `check` and `test`; ``active`` is None before the first proven revision.
    """

    revision: str
    active: str | None
    ref: str
    on_ref: bool
    descends: bool
    protected: bool | None
    protection: Mapping[str, Any] = field(default_factory=dict)
    commits: tuple[CommitFact, ...] = ()
    pulls: tuple[PullFact, ...] = ()
    changed: tuple[ChangedPolicy, ...] = ()
    signatures: tuple[CommitSignature, ...] = ()
    problems: tuple[str, ...] = ()
    checked: int = 0

    def pull_of(self, sha: str) -> PullFact | None:
        """The merged pull request that brought the commit, else any that holds it."""
        found = [pull for pull in self.pulls if pull.holds(sha)]
        return next((pull for pull in found if pull.merged), found[0] if found else None)
