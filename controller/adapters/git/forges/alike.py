"""What GitHub's and Gitea's answers have in common: Gitea took over the shape of people, commits and contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from controller.adapters.git.forges.client import ForgeClient, Missing
from controller.adapters.git.mirror import co_authors
from controller.policy.review_facts import CommitFact, CommitIdentity


def login_name(user: Mapping[str, Any] | None) -> str | None:
    """The account's name; None where there is no account, or it is gone."""
    return str(user["login"]) if user and user.get("login") else None


def commit_fact(item: Mapping[str, Any], written: Mapping[str, Any]) -> CommitFact:
    """A commit: the accounts that the provider knows it by, and what is ``written`` in it."""
    return CommitFact(
        sha=str(item["sha"]),
        author=_identity(written.get("author"), item.get("author")),
        committer=_identity(written.get("committer"), item.get("committer")),
        co_authors=co_authors(str(written.get("message", ""))),
    )


def landed(sha: str, pull: Mapping[str, Any]) -> tuple[str, ...]:
    """The commit that was asked for, and the merge commit as the provider names it."""
    merge = pull.get("merge_commit_sha")
    return tuple(dict.fromkeys([sha, *([str(merge)] if merge else [])]))


def blob_at(client: ForgeClient, project: str, path: str, commit: str) -> str | None:
    """The blob of a file at a commit; None where there is no such file."""
    found = client.get(f"{project}/contents/{quote(path)}", ref=commit)
    if isinstance(found, Missing) or not isinstance(found, dict) or found.get("type") != "file":
        return None
    return str(found["sha"])


def _identity(
    written: Mapping[str, Any] | None, account: Mapping[str, Any] | None
) -> CommitIdentity:
    written = written or {}
    return CommitIdentity(
        name=str(written.get("name", "")),
        email=str(written.get("email", "")),
        account=login_name(account),
    )
