"""Gitea's and Forgejo's REST API (v1).

Both name the pull request of a commit only for the commit that merged it: merges and squashes can be proven, and so
can commits that a pull request lists; a rebase that landed several new commits cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from controller.adapters.git.forges import Protection
from controller.adapters.git.forges.alike import blob_at, commit_fact, landed, login_name
from controller.adapters.git.forges.client import ForgeClient, Missing, base_url, provider_token
from controller.adapters.git.settings import ReviewSettings
from controller.domain.canonical import parse_time
from controller.policy.review_facts import PullFact, ReviewFact, ReviewState

GITEA_STATES = {
    "APPROVED": ReviewState.APPROVED,
    "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED,
    "COMMENT": ReviewState.COMMENTED,
}


class Gitea:
    """A repository on a Gitea or Forgejo server."""

    def __init__(self, settings: ReviewSettings, client: ForgeClient | None = None) -> None:
        self._project = f"/repos/{quote(settings.project)}"
        self._client = client or ForgeClient(
            base_url(settings), _headers(settings), settings.timeout
        )

    def pulls_of(self, sha: str) -> list[PullFact]:
        pull = self._client.get(f"{self._project}/commits/{sha}/pull")
        return [] if isinstance(pull, Missing) else [self._pull(pull, sha)]

    def _pull(self, pull: Mapping[str, Any], sha: str) -> PullFact:
        number = int(pull["number"])
        place = f"{self._project}/pulls/{number}"
        listed = self._client.pages(f"{place}/commits", limit=50)
        commits = [commit_fact(item, item.get("commit") or {}) for item in listed]
        reviews = [_review(item) for item in self._client.pages(f"{place}/reviews", limit=50)]
        head = str((pull.get("head") or {}).get("sha", ""))
        return PullFact(
            name=f"#{number}",
            url=str(pull.get("html_url", "")),
            author=login_name(pull.get("user")),
            merged=bool(pull.get("merged")),
            base=str((pull.get("base") or {}).get("ref", "")),
            commits=tuple(commits),
            reviews=tuple(review for review in reviews if review is not None),
            landed=landed(sha, pull),
            complete=bool(commits) and any(commit.sha == head for commit in commits),
            merged_by=login_name(pull.get("merged_by")),
        )

    def blob_at(self, path: str, commit: str) -> str | None:
        return blob_at(self._client, self._project, path, commit)

    def protection(self, branch: str) -> Protection:
        found = self._client.get(f"{self._project}/branches/{quote(branch, safe='')}")
        if isinstance(found, Missing):
            return Protection(protected=None)
        names = ("protected", "required_approvals", "enable_status_check", "user_can_push")
        seen = {key: found[key] for key in names if key in found}
        return Protection(protected=bool(found.get("protected")), seen=seen)


def _headers(settings: ReviewSettings) -> dict[str, str]:
    secret = provider_token(settings)
    authorization = {"Authorization": f"token {secret}"} if secret else {}
    return {"Accept": "application/json", **authorization}


def _review(item: Mapping[str, Any]) -> ReviewFact | None:
    """A submitted review. Gitea keeps a dismissed one as approved beside a mark that says so."""
    state, account, at = (
        GITEA_STATES.get(item.get("state", "")),
        login_name(item.get("user")),
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
