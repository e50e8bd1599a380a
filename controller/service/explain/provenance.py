"""Who wrote a policy and who read it: commit, author, pull request and reviewers, from the evidence of its review."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from controller.domain.decisions import RulesRef
from controller.ports import ReviewRecord, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A reviewer, the account that they used, where its page is (empty if nobody knows), and what they read."""

    person: str
    account: str = ""
    url: str = ""
    commit: str = ""
    at: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """A key that signed commits since the revision before, every name that the server gave it, and the commits."""

    key: str
    names: tuple[str, ...]
    commits: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where a policy's text comes from, as far as it was proven. ``commit`` last changed it."""

    proven: bool
    reason: str
    digest: str
    commit: str = ""
    commit_url: str = ""
    author: str = ""
    pull: str = ""
    pull_url: str = ""
    readers: tuple[Reader, ...] = ()
    signers: tuple[Signer, ...] = ()


def provenance(tx: Transaction, rules: RulesRef) -> Provenance | None:
    """The provenance of one revision of a policy; None where no review was recorded."""
    record = tx.reviews.get(rules.review) if rules.review else None
    return None if record is None else of_record(record, rules.path)


def of_record(record: ReviewRecord, path: str) -> Provenance:
    """What one record says of the policy at ``path``."""
    plain = Provenance(proven=record.proven, reason=record.reason, digest=record.digest)
    try:
        held = json.loads(record.evidence)
        facts = held["facts"]
        changed = next((c for c in facts["changed"] if c["path"] == path), None)
        commit = changed["last_commit"] if changed else facts["revision"]
        pull = next((p for p in facts["pulls"] if _holds(p, commit)), None)
        return _told(plain, held, commit, pull)
    except (KeyError, TypeError, ValueError, StopIteration):
        return plain


def _told(
    plain: Provenance, held: Mapping[str, Any], commit: str, pull: Mapping[str, Any] | None
) -> Provenance:
    facts = held["facts"]
    found = next((c for c in facts["commits"] if c["sha"] == commit), None)
    url = web(pull["url"]) if pull else ""
    readers = tuple(
        Reader(
            person=item["person"],
            account=item["account"],
            url=_account_page(url, item["account"]),
            commit=item["commit"],
            at=item["at"],
        )
        for item in held["counted"]
        if pull is None or item["pull"] == pull["name"]
    )
    return Provenance(
        proven=plain.proven,
        reason=plain.reason,
        digest=plain.digest,
        commit=commit,
        commit_url=_commit_page(url, commit),
        author=found["author"]["name"] if found else str((pull or {}).get("author") or ""),
        pull=pull["name"] if pull else "",
        pull_url=url,
        readers=readers,
        signers=signers_of(facts),
    )


def signers_of(facts: Mapping[str, Any]) -> tuple[Signer, ...]:
    """Who signed the commits of stored facts; nobody in evidence from before signatures were gathered."""
    names: dict[str, tuple[str, ...]] = {}
    commits: dict[str, list[str]] = {}
    for one in facts.get("signatures", ()):
        if one["key"]:
            names[one["key"]] = tuple(one["signers"])
            commits.setdefault(one["key"], []).append(one["sha"])
    return tuple(Signer(key=k, names=names[k], commits=tuple(commits[k])) for k in names)


def _holds(pull: Mapping[str, Any], commit: str) -> bool:
    return commit in pull["landed"] or any(c["sha"] == commit for c in pull["commits"])


def web(url: str) -> str:
    """The address, if a browser may be sent there; nothing else becomes a link."""
    return url if urlsplit(url).scheme in {"http", "https"} else ""


def _account_page(pull_url: str, account: str) -> str:
    """GitHub, GitLab, Gitea and Forgejo all show an account below the root of their host."""
    if not pull_url or not account.isprintable() or "/" in account:
        return ""
    parts = urlsplit(pull_url)
    return f"{parts.scheme}://{parts.netloc}/{account}"


def _commit_page(pull_url: str, commit: str) -> str:
    for mark in ("/-/merge_requests/", "/pulls/", "/pull/"):
        project, found, _ = pull_url.partition(mark)
        if found:
            return f"{project}/{'-/' if mark.startswith('/-') else ''}commit/{commit}"
    return ""
