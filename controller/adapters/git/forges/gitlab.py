"""GitLab's REST API (v4).

An approval of GitLab names a person and a time and no commit. The commit is the head of the newest version of the
merge request at that time: versions are numbered by the server when a push arrives, so no author can date them back.
An approval that was taken back is no longer listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from controller.adapters.git.forges import Protection
from controller.adapters.git.forges.client import ForgeClient, Missing, base_url, provider_token
from controller.adapters.git.mirror import co_authors
from controller.adapters.git.settings import ReviewSettings
from controller.domain.canonical import parse_time
from controller.policy.review_facts import (
    CommitFact,
    CommitIdentity,
    PullFact,
    ReviewFact,
    ReviewState,
)

APPROVED_NOTE, REVOKED_NOTE = "approved this merge request", "unapproved this merge request"


class GitLab:
    """A project on GitLab. ``project`` is its full path or its number."""

    def __init__(self, settings: ReviewSettings, client: ForgeClient | None = None) -> None:
        self._project = f"/projects/{quote(settings.project, safe='')}"
        self._client = client or ForgeClient(
            base_url(settings), _headers(settings), settings.timeout
        )

    def pulls_of(self, sha: str) -> list[PullFact]:
        listed = self._client.pages(
            f"{self._project}/repository/commits/{sha}/merge_requests", per_page=100
        )
        return [self._pull(item, sha) for item in listed]

    def _pull(self, pull: Mapping[str, Any], sha: str) -> PullFact:
        number = int(pull["iid"])
        place = f"{self._project}/merge_requests/{number}"
        commits = [_commit(item) for item in self._client.pages(f"{place}/commits", per_page=100)]
        landed = [pull.get("merge_commit_sha"), pull.get("squash_commit_sha"), sha]
        return PullFact(
            name=f"!{number}",
            url=str(pull.get("web_url", "")),
            author=_username(pull.get("author")),
            merged=pull.get("state") == "merged",
            base=str(pull.get("target_branch", "")),
            commits=tuple(commits),
            reviews=tuple(self._reviews(place)),
            landed=tuple(dict.fromkeys(str(commit) for commit in landed if commit)),
            complete=any(commit.sha == str(pull.get("sha", "")) for commit in commits),
            merged_by=_username(pull.get("merge_user") or pull.get("merged_by")),
        )

    def _reviews(self, place: str) -> list[ReviewFact]:
        answer = self._client.get(f"{place}/approvals")
        listed = [] if isinstance(answer, Missing) else answer.get("approved_by") or []
        if not listed:
            return []
        versions = list(self._client.pages(f"{place}/versions", per_page=100))
        times: dict[str, datetime] = {}
        if any(not item.get("approved_at") for item in listed):
            times = _times(list(self._client.pages(f"{place}/notes", per_page=100)))
        reviews = (_review(item, versions, times) for item in listed)
        return [review for review in reviews if review is not None]

    def blob_at(self, path: str, commit: str) -> str | None:
        name = quote(path, safe="")
        found = self._client.get(f"{self._project}/repository/files/{name}", ref=commit)
        return None if isinstance(found, Missing) else str(found["blob_id"])

    def protection(self, branch: str) -> Protection:
        found = self._client.get(f"{self._project}/repository/branches/{quote(branch, safe='')}")
        if isinstance(found, Missing):
            return Protection(protected=None)
        names = ("protected", "developers_can_push", "developers_can_merge")
        seen = {key: found[key] for key in names if key in found}
        return Protection(protected=bool(found.get("protected")), seen=seen)


def _headers(settings: ReviewSettings) -> dict[str, str]:
    secret = provider_token(settings)
    return {"Accept": "application/json", **({"PRIVATE-TOKEN": secret} if secret else {})}


def _username(user: Mapping[str, Any] | None) -> str | None:
    return str(user["username"]) if user and user.get("username") else None


def _commit(item: Mapping[str, Any]) -> CommitFact:
    return CommitFact(
        sha=str(item["id"]),
        author=_identity(item, "author"),
        committer=_identity(item, "committer"),
        co_authors=co_authors(str(item.get("message", ""))),
    )


def _identity(item: Mapping[str, Any], role: str) -> CommitIdentity:
    """GitLab links no account here; people are told by their addresses."""
    return CommitIdentity(
        name=str(item.get(f"{role}_name", "")), email=str(item.get(f"{role}_email", ""))
    )


def _times(notes: Sequence[Mapping[str, Any]]) -> dict[str, datetime]:
    """When each person last approved, from the system's notes: older servers put no time on approvals."""
    found: dict[str, datetime] = {}
    for note in sorted(notes, key=lambda note: str(note.get("created_at", ""))):
        account = _username(note.get("author"))
        if not note.get("system") or account is None:
            continue
        if note.get("body") == APPROVED_NOTE:
            found[account] = parse_time(str(note["created_at"]))
        elif note.get("body") == REVOKED_NOTE:
            found.pop(account, None)
    return found


def _review(
    item: Mapping[str, Any], versions: Sequence[Mapping[str, Any]], times: Mapping[str, datetime]
) -> ReviewFact | None:
    user = item.get("user") or {}
    account = _username(user)
    if account is None:
        return None
    at = parse_time(str(item["approved_at"])) if item.get("approved_at") else times.get(account)
    if at is None:
        return None
    return ReviewFact(
        account=account,
        state=ReviewState.APPROVED,
        commit=_head_at(at, versions),
        at=at,
        bot=bool(user.get("bot"))
        or (account.startswith(("project_", "group_")) and "_bot" in account),
    )


def _head_at(at: datetime, versions: Sequence[Mapping[str, Any]]) -> str:
    """The head that was there to be seen at ``at``; empty if none was."""
    seen = [v for v in versions if parse_time(str(v["created_at"])) <= at]
    newest = max(seen, key=lambda v: parse_time(str(v["created_at"])), default=None)
    return "" if newest is None else str(newest["head_commit_sha"])
