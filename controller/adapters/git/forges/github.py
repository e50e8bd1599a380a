"""GitHub's REST API (version 2022-11-28): pull requests of a commit, their commits and reviews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from controller.adapters.git.forges import Protection
from controller.adapters.git.forges.alike import blob_at, commit_fact, landed, login_name
from controller.adapters.git.forges.client import ForgeClient, Missing, base_url, provider_token
from controller.adapters.git.settings import ReviewSettings
from controller.domain.canonical import parse_time
from controller.policy.review_facts import (
    PullFact,
    ReviewFact,
    ReviewState,
)

GITHUB_STATES = {
    "APPROVED": ReviewState.APPROVED,
    "CHANGES_REQUESTED": ReviewState.CHANGES_REQUESTED,
    "DISMISSED": ReviewState.DISMISSED,
    "COMMENTED": ReviewState.COMMENTED,
}
MOST_COMMITS = 250
"""GitHub lists no more commits of a pull request than this."""


class GitHub:
    """A repository on GitHub or GitHub Enterprise."""

    def __init__(self, settings: ReviewSettings, client: ForgeClient | None = None) -> None:
        self._branch = settings.branch
        self._project = f"/repos/{quote(settings.project)}"
        self._client = client or ForgeClient(
            base_url(settings), _headers(settings), settings.timeout
        )
        self._pulls: dict[int, PullFact] = {}

    def pulls_of(self, sha: str) -> list[PullFact]:
        listed = self._client.pages(f"{self._project}/commits/{sha}/pulls", per_page=100)
        return [self._pull(int(item["number"]), sha) for item in listed]

    def _pull(self, number: int, sha: str) -> PullFact:
        place = f"{self._project}/pulls/{number}"
        pull = self._client.get(place)
        if isinstance(pull, Missing):
            pull = {}
        listed = self._client.pages(f"{place}/commits", per_page=100)
        commits = [commit_fact(item, item["commit"]) for item in listed]
        reviews = [_review(item) for item in self._client.pages(f"{place}/reviews", per_page=100)]
        said = pull.get("commits")
        return PullFact(
            name=f"#{number}",
            url=str(pull.get("html_url", "")),
            author=login_name(pull.get("user")),
            merged=bool(pull.get("merged")) and bool(pull.get("merged_at")),
            base=str((pull.get("base") or {}).get("ref", "")),
            commits=tuple(commits),
            reviews=tuple(review for review in reviews if review is not None),
            landed=landed(sha, pull),
            complete=said == len(commits) and len(commits) < MOST_COMMITS,
            merged_by=login_name(pull.get("merged_by")),
        )

    def blob_at(self, path: str, commit: str) -> str | None:
        return blob_at(self._client, self._project, path, commit)

    def protection(self, branch: str) -> Protection:
        found = self._client.get(f"{self._project}/branches/{quote(branch, safe='')}")
        if isinstance(found, Missing):
            return Protection(protected=None)
        seen = {key: found[key] for key in ("protected", "protection") if key in found}
        return Protection(protected=bool(found.get("protected")), seen=seen)


def _headers(settings: ReviewSettings) -> dict[str, str]:
    secret = provider_token(settings)
    return {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        **({"Authorization": f"Bearer {secret}"} if secret else {}),
    }


def _review(item: Mapping[str, Any]) -> ReviewFact | None:
    """A submitted review; None for a pending one, and for one whose account is gone."""
    user, state, at = (
        item.get("user"),
        GITHUB_STATES.get(item.get("state", "")),
        item.get("submitted_at"),
    )
    account = login_name(user)
    if state is None or account is None or user is None or not at:
        return None
    return ReviewFact(
        account=account,
        state=state,
        commit=str(item.get("commit_id") or ""),
        at=parse_time(str(at)),
        bot=user.get("type") == "Bot" or account.endswith("[bot]"),
    )
