"""A provider for tests: a local HTTP server that answers as the documentation of GitHub, GitLab and Gitea shows.

A test says once what happened (:class:`Pull`); each provider's answers are made of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.repository import Repository
from tests.support.serving import serve

PROJECT = "team/rules"
PROVIDERS = ("github", "gitlab", "gitea")


@dataclass
class Review:
    """One review. ``state``: approved, changes_requested, commented, dismissed; ``at`` is a minute of one day."""

    account: str
    commit: str
    state: str = "approved"
    at: int = 10
    bot: bool = False

    @property
    def time(self) -> str:
        return f"2026-01-02T{4 + self.at // 60:02}:{self.at % 60:02}:00Z"


@dataclass
class Pull:
    """A pull request: who opened it, its commits (oldest first, pushed at the given minute), what it landed as."""

    number: int
    author: str
    commits: list[str]
    landed: list[str]
    reviews: list[Review] = field(default_factory=list)
    pushed: list[int] = field(default_factory=list)
    merged: bool = True
    base: str = "main"


class Provider:
    """Answers for one repository. ``special`` overrides a path with a status, headers and a body."""

    def __init__(self, kind: str, repository: Repository) -> None:
        self.kind = kind
        self.repository = repository
        self.pulls: list[Pull] = []
        self.protected: bool | None = True
        self.accounts: dict[str, str | None] = {}
        self.special: dict[str, list[tuple[int, dict[str, str], Any]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.page_size = 100
        answers: dict[str, Callable[[list[str], dict[str, str]], Any]] = {
            "github": self._github,
            "gitea": self._gitea,
            "gitlab": self._gitlab,
        }
        self._answer = answers[kind]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.close = serve(self._server)

    @property
    def url(self) -> str:
        """Where the API begins."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                path = parts.path.removeprefix("/api/")
                provider.asked.append((path, dict(self.headers.items())))
                status, headers, body = provider.reply(path, query)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def reply(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        """The answer to one request."""
        planned = self.special.get(path)
        if planned:
            return planned.pop(0)
        found = self._answer([unquote(part) for part in path.split("/")], query)
        if found is None:
            return 404, {}, {"message": "Not Found"}
        if not isinstance(found, list):
            return 200, {}, found
        page = int(query.get("page", "1"))
        start = (page - 1) * self.page_size
        headers = {}
        if len(found) > start + self.page_size:
            headers["Link"] = f'<{self.url}/{path}?page={page + 1}>; rel="next"'
        return 200, headers, found[start : start + self.page_size]

    # --- what the repository knows ----------------------------------------------------------------------

    def _written(self, sha: str) -> dict[str, Any]:
        form = "%an%x00%ae%x00%cn%x00%ce%x00%B"
        name, mail, committer, committer_mail, body = self.repository.git(
            "show", "--no-patch", f"--format={form}", sha
        ).split("\0")
        return {
            "author": {"name": name, "email": mail, "date": "2026-01-02T03:04:05Z"},
            "committer": {
                "name": committer,
                "email": committer_mail,
                "date": "2026-01-02T03:04:05Z",
            },
            "message": body,
        }

    def _account(self, mail: str) -> dict[str, Any] | None:
        login = self.accounts.get(mail, mail.partition("@")[0])
        return None if login is None else {"login": login, "type": "User"}

    def _commit(self, sha: str) -> dict[str, Any]:
        written = self._written(sha)
        return {
            "sha": sha,
            "commit": written,
            "author": self._account(written["author"]["email"]),
            "committer": self._account(written["committer"]["email"]),
        }

    def _blob(self, path: str, query: dict[str, str]) -> str | None:
        return self.repository.blob(path, query["ref"])

    def _pull(self, number: str) -> Pull | None:
        return next((pull for pull in self.pulls if pull.number == int(number)), None)

    def _pulls_of(self, sha: str) -> list[Pull]:
        return [pull for pull in self.pulls if sha in pull.landed or sha in pull.commits]

    # --- GitHub -----------------------------------------------------------------------------------------

    def _github(self, path: list[str], query: dict[str, str]) -> Any:
        if path[:3] != ["repos", *PROJECT.split("/")]:
            return None
        match path[3:]:
            case ["commits", sha, "pulls"]:
                return [self._github_pull(pull) for pull in self._pulls_of(sha)]
            case ["pulls", number, *rest]:
                pull = self._pull(number)
                if pull is None:
                    return None
                if rest == ["commits"]:
                    return [self._commit(sha) for sha in pull.commits]
                if rest == ["reviews"]:
                    return [self._github_review(review) for review in pull.reviews]
                return self._github_pull(pull)
            case ["contents", *file]:
                blob = self._blob("/".join(file), query)
                return (
                    None if blob is None else {"type": "file", "sha": blob, "path": "/".join(file)}
                )
            case ["branches", name] if self.protected is not None:
                return {"name": name, "protected": self.protected, "protection": {"enabled": True}}
        return None

    def _github_pull(self, pull: Pull) -> dict[str, Any]:
        return {
            "number": pull.number,
            "html_url": f"https://github.example/{PROJECT}/pull/{pull.number}",
            "state": "closed" if pull.merged else "open",
            "user": {"login": pull.author, "type": "User"},
            "merged": pull.merged,
            "merged_at": "2026-01-02T12:00:00Z" if pull.merged else None,
            "merge_commit_sha": pull.landed[-1] if pull.landed else None,
            "merged_by": {"login": "bob", "type": "User"},
            "base": {"ref": pull.base},
            "head": {"sha": pull.commits[-1]},
            "commits": len(pull.commits),
        }

    def _github_review(self, review: Review) -> dict[str, Any]:
        return {
            "user": {"login": review.account, "type": "Bot" if review.bot else "User"},
            "state": review.state.upper(),
            "commit_id": review.commit,
            "submitted_at": review.time,
        }

    # --- Gitea and Forgejo ------------------------------------------------------------------------------

    def _gitea(self, path: list[str], query: dict[str, str]) -> Any:
        if path[:3] != ["repos", *PROJECT.split("/")]:
            return None
        match path[3:]:
            case ["commits", sha, "pull"]:
                found = [pull for pull in self.pulls if sha in pull.landed]
                return self._gitea_pull(found[0]) if found else None
            case ["pulls", number, kind]:
                pull = self._pull(number)
                if pull is None:
                    return None
                if kind == "commits":
                    return [self._commit(sha) for sha in pull.commits]
                return [self._gitea_review(review) for review in pull.reviews]
            case ["contents", *file]:
                blob = self._blob("/".join(file), query)
                return (
                    None if blob is None else {"type": "file", "sha": blob, "path": "/".join(file)}
                )
            case ["branches", name] if self.protected is not None:
                return {"name": name, "protected": self.protected, "required_approvals": 1}
        return None

    def _gitea_pull(self, pull: Pull) -> dict[str, Any]:
        return {
            "number": pull.number,
            "html_url": f"https://gitea.example/{PROJECT}/pulls/{pull.number}",
            "user": {"login": pull.author},
            "merged": pull.merged,
            "merge_commit_sha": pull.landed[-1] if pull.landed else None,
            "base": {"ref": pull.base},
            "head": {"sha": pull.commits[-1]},
        }

    def _gitea_review(self, review: Review) -> dict[str, Any]:
        states = {"changes_requested": "REQUEST_CHANGES", "commented": "COMMENT"}
        return {
            "user": {"login": review.account},
            "state": states.get(review.state, "APPROVED"),
            "dismissed": review.state == "dismissed",
            "stale": False,
            "official": True,
            "commit_id": review.commit,
            "submitted_at": review.time,
        }

    # --- GitLab -----------------------------------------------------------------------------------------

    def _gitlab(self, path: list[str], query: dict[str, str]) -> Any:
        if path[:2] != ["projects", PROJECT]:
            return None
        match path[2:]:
            case ["repository", "commits", sha, "merge_requests"]:
                return [self._gitlab_pull(pull) for pull in self._pulls_of(sha)]
            case ["merge_requests", number, kind]:
                pull = self._pull(number)
                return None if pull is None else self._gitlab_part(pull, kind)
            case ["repository", "files", file]:
                blob = self._blob(file, query)
                return None if blob is None else {"file_path": file, "blob_id": blob}
            case ["repository", "branches", name] if self.protected is not None:
                return {"name": name, "protected": self.protected, "developers_can_push": False}
        return None

    def _gitlab_pull(self, pull: Pull) -> dict[str, Any]:
        return {
            "iid": pull.number,
            "web_url": f"https://gitlab.example/{PROJECT}/-/merge_requests/{pull.number}",
            "state": "merged" if pull.merged else "opened",
            "author": {"username": pull.author},
            "target_branch": pull.base,
            "sha": pull.commits[-1],
            "merge_commit_sha": pull.landed[-1] if pull.landed else None,
            "squash_commit_sha": None,
        }

    def _gitlab_part(self, pull: Pull, kind: str) -> Any:
        if kind == "commits":
            return [self._gitlab_commit(sha) for sha in pull.commits]
        if kind == "approvals":
            # What was dismissed or became a request for changes is simply no longer listed.
            standing = {
                review.account: review for review in pull.reviews if review.state != "commented"
            }
            return {
                "approved_by": [
                    {"user": {"username": r.account, "bot": r.bot}, "approved_at": r.time}
                    for r in standing.values()
                    if r.state == "approved"
                ]
            }
        if kind == "versions":
            pushed = pull.pushed or list(range(len(pull.commits)))
            return [
                {"id": i, "head_commit_sha": sha, "created_at": Review("", "", at=minute).time}
                for i, (sha, minute) in enumerate(zip(pull.commits, pushed, strict=True))
            ][::-1]
        return []

    def _gitlab_commit(self, sha: str) -> dict[str, Any]:
        written = self._written(sha)
        return {
            "id": sha,
            "message": written["message"],
            "author_name": written["author"]["name"],
            "author_email": written["author"]["email"],
            "committer_name": written["committer"]["name"],
            "committer_email": written["committer"]["email"],
        }
