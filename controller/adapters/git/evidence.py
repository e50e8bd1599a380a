"""The stored evidence of a review: what was seen of a revision, and how it was judged, as canonical JSON.

The digest of that text is what decisions cite. For each policy it names the record that last proved its content, so
that a decision keeps citing the people who read this policy, and not those who read another one later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller import __version__
from controller.adapters.git.settings import ReviewSettings
from controller.domain.canonical import canonical_json, digest, to_plain
from controller.domain.decisions import Outcome, Result
from controller.policy.review import counted_reviews
from controller.policy.review_facts import RevisionFacts
from controller.ports import ReviewRecord

REVIEW_FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Cited:
    """What proves one policy: the record, the revision that it was proven at, and who read it."""

    blob: str
    review: str
    revision: str
    reviewers: tuple[str, ...]


def make_record(
    facts: RevisionFacts,
    outcome: Outcome,
    settings: ReviewSettings,
    policies: Mapping[str, Cited | str],
    at: datetime,
) -> ReviewRecord:
    """The record of a judgement. ``policies`` maps each path to its earlier proof, or to the blob proven now."""
    counted = counted_reviews(facts, settings.rules)
    content = {
        "format": REVIEW_FORMAT,
        "code": __version__,
        "source": {
            "remote": settings.remote,
            "ref": settings.ref,
            "branch": settings.branch,
            "folder": settings.folder,
            "provider": settings.provider,
            "project": settings.project,
            "approvals": settings.approvals,
        },
        "facts": to_plain(facts),
        "counted": [
            {
                "person": item.person,
                "account": item.review.account,
                "pull": item.pull,
                "commit": item.review.commit,
                "at": item.review.at,
            }
            for item in counted
        ],
        "outcome": to_plain(outcome),
        "policies": {path: _cited(path, item, facts, settings) for path, item in policies.items()},
    }
    text = canonical_json(content)
    return ReviewRecord(
        digest=digest(text.encode()),
        source=settings.source,
        revision=facts.revision,
        proven=outcome.result is Result.PASS,
        recorded_at=at,
        reason=outcome.sentence,
        evidence=text,
    )


def _cited(
    path: str, item: Cited | str, facts: RevisionFacts, settings: ReviewSettings
) -> dict[str, Any]:
    if isinstance(item, Cited):
        return {
            "blob": item.blob,
            "review": item.review,
            "revision": item.revision,
            "reviewers": list(item.reviewers),
        }
    last = next((c.last_commit for c in facts.changed if c.path == path), None)
    pull = facts.pull_of(last) if last else None
    people = sorted(
        {c.person for c in counted_reviews(facts, settings.rules) if pull and c.pull == pull.name}
    )
    # The record's own digest cannot stand in the record.
    return {"blob": item, "review": None, "revision": facts.revision, "reviewers": people}


def cited_policies(record: ReviewRecord) -> dict[str, Cited]:
    """What proves each policy of a proven record, by path."""
    held = json.loads(record.evidence)["policies"]
    return {
        path: Cited(
            blob=item["blob"],
            review=item["review"] or record.digest,
            revision=item["revision"],
            reviewers=tuple(item["reviewers"]),
        )
        for path, item in held.items()
    }
