"""Gitea's and Forgejo's REST API (v1).

Both name the pull request of a commit only for the commit that merged it: merges and squashes can be proven, and so
can commits that a pull request lists; a rebase that landed several new commits cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from controller.adapters.git.forges import Protection
from controller.adapters.git.forges.client import Client, Missing, base_url, token
from controller.adapters.git.mirror import co_authors
from controller.adapters.git.settings import ReviewSettings
from controller.domain.canonical import parse_time
from controller.policy.review_facts import CommitFact, Identity, PullFact, ReviewFact, ReviewState

STATES = {
    "APPROVED": ReviewState.APPROVED,
    "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED,
    "COMMENT": ReviewState.COMMENTED,
}


class Gitea:
    """A repository on a Gitea or Forgejo server."""

    def __init__(self, settings: ReviewSettings, client: Client | None = None) -> None:
        self._project = f"/repos/{quote(settings.project)}"
        self._client = client or Client(base_url(settings), _headers(settings), settings.timeout)

    def pulls_of(self, sha: str) -> list[PullFact]:
        pull = self._client.get(f"{self._project}/commits/{sha}/pull")
        return [] if isinstance(pull, Missing) else [self._pull(pull, sha)]

    def _pull(self, pull: Mapping[str, Any], sha: str) -> PullFact:
        number = int(pull["number"])
        place = f"{self._project}/pulls/{number}"
        commits = [_commit(item) for item in self._client.pages(f"{place}/commits", limit=50)]
        reviews = [_review(item) for item in self._client.pages(f"{place}/reviews", limit=50)]
        head = str((pull.get("head") or {}).get("sha", ""))
        merge = pull.get("merge_commit_sha")
        return PullFact(
            name=f"#{number}",
            url=str(pull.get("html_url", "")),
            author=_login(pull.get("user")),
            merged=bool(pull.get("merged")),
            base=str((pull.get("base") or {}).get("ref", "")),
            commits=tuple(commits),
            reviews=tuple(review for review in reviews if review is not None),
            landed=tuple(dict.fromkeys([sha, *([str(merge)] if merge else [])])),
            complete=bool(commits) and any(commit.sha == head for commit in commits),
            merged_by=_login(pull.get("merged_by")),
        )

    def blob_at(self, path: str, commit: str) -> str | None:
        found = self._client.get(f"{self._project}/contents/{quote(path)}", ref=commit)
        if isinstance(found, Missing) or not isinstance(found, dict) or found.get("type") != "file":
            return None
        return str(found["sha"])

    def protection(self, branch: str) -> Protection:
        found = self._client.get(f"{self._project}/branches/{quote(branch, safe='')}")
        if isinstance(found, Missing):
            return Protection(protected=None)
        names = ("protected", "required_approvals", "enable_status_check", "user_can_push")
        seen = {key: found[key] for key in names if key in found}
        return Protection(protected=bool(found.get("protected")), seen=seen)


def _headers(settings: ReviewSettings) -> dict[str, str]:
    secret = token(settings)
    authorization = {"Authorization": f"token {secret}"} if secret else {}
    return {"Accept": "application/json", **authorization}


def _login(user: Mapping[str, Any] | None) -> str | None:
    return str(user["login"]) if user and user.get("login") else None


def _commit(item: Mapping[str, Any]) -> CommitFact:
    written = item.get("commit") or {}
    return CommitFact(
        sha=str(item["sha"]),
        author=_identity(written.get("author"), item.get("author")),
        committer=_identity(written.get("committer"), item.get("committer")),
        co_authors=co_authors(str(written.get("message", ""))),
    )


def _identity(written: Mapping[str, Any] | None, account: Mapping[str, Any] | None) -> Identity:
    written = written or {}
    return Identity(
        name=str(written.get("name", "")),
        email=str(written.get("email", "")),
        account=_login(account),
    )


def _review(item: Mapping[str, Any]) -> ReviewFact | None:
    """A submitted review. Gitea keeps a dismissed one as approved beside a mark that says so."""
    state, account, at = (
        STATES.get(item.get("state", "")),
        _login(item.get("user")),
        item.get("submitted_at"),
    )
    if state is None or account is None or not at:
        return None
    return ReviewFact(
        account=account,
        state=ReviewState.DISMISSED if item.get("dismissed") else state,
        commit=str(item.get("commit_id") or ""),
        at=parse_time(str(at)),
    )
