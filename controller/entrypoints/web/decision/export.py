"""A decision as one file, for auditors: all that it rests on, who said what, and whether it can be derived again."""

from __future__ import annotations

import json
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.decisions import DecisionRecord
from controller.entrypoints.api.context import AppContext
from controller.ports import Transaction
from controller.service.explain.decision import as_document, explain_decision
from controller.service.replay.verify import Verifier

EXPORT_FORMAT = 1


def whole(tx: Transaction, app_context: AppContext, record: DecisionRecord) -> dict[str, Any]:
    """Plain JSON values. ``snapshot`` and ``decision`` are the very texts that the hash is about."""
    review = tx.reviews.get(record.rules.review) if record.rules.review else None
    body = json.loads(record.decision)
    number = body["challenger"]
    subjects = [f"decision:{record.id}"]
    if number is not None:
        subjects.append(f"version:{record.model}/{number}")
    words = [to_plain(w) for w in tx.models.approvals(record.model) if w.version == number]
    return {
        "format": EXPORT_FORMAT,
        "explanation": as_document(explain_decision(tx, record)),
        "snapshot": record.snapshot,
        "decision": record.decision,
        "rules": tx.rules.text(record.rules.blob),
        "review": to_plain(review),
        "words": words,
        "comments": [to_plain(c) for subject in subjects for c in tx.comments.of(subject)],
        "verification": to_plain(
            Verifier(tx, app_context.parse, app_context.blob_id).one(record.id)
        ),
    }
