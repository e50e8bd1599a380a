"""An example for every field of the OpenAPI document, by the field's name: a field means the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AT = "2026-11-20T06:30:00.000000Z"
_HASH = "9f1302bad3dc4c55a1b0c3d2e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071"

RESPONSE_EXAMPLES: Mapping[str, Any] = {
    "activated_at": _AT, "address": "mail 1", "again_of": None, "attempts": 1, "channel": "leads", "count": 1,
    "created_by": "person:ana", "ends_at": _AT, "event": "held", "expires_at": _AT, "last_error": "", "sent_at": _AT,
    "notices": [{"event": "held", "model": "flight-delay", "sentence": "v17 waits for approval"}],
    "actions": [{"kind": "set_champion", "version": 17}], "actor": "person:ana", "at": _AT,
    "attempt": 1, "blob": "9f1302bad3dc", "challenger": 17, "champion_after": 17, "champion_before": 16, "code": "4",
    "created_at": _AT, "decided_at": _AT, "decision": 17, "digest": _HASH, "ended_at": _AT,
    "errors": [{"at": "body.model", "what": "Field required"}], "evidence": _HASH, "expect_version": 16, "force": False,
    "fresh": True, "hash": _HASH, "html": "<p>The slice <strong>JFK</strong> has few rows.</p>\n", "id": 17,
    "key": "3f0c6b1e-ticket-12", "kind": "manual", "led_by": [{"decision": 15, "run": "flight-delay.r9"}],
    "metrics": {"mae": 14.2}, "model": "flight-delay", "name": "mae", "next": 118, "number": 9,
    "occurred_at": _AT, "ordered_at": _AT, "owner": "arrivals-team", "path": "rules/flight-delay.yaml",
    "payload": {"reason": "labels were fixed"}, "prev_hash": _HASH, "progress": 0.4, "promoted_at": _AT,
    "reason": "late labels look bad", "received_at": _AT, "recipe": "gbm", "refused": "#13 has no approval.",
    "result": {"metrics": {"mae": 14.2}}, "review": _HASH, "reviewers": ["ben"], "revision": "c5c5c5c5c5c5",
    "revoked_at": None, "rule_lines": {"13": "- {metric: mae, better_than: champion}"},
    "rules": {"path": "rules/flight-delay.yaml", "blob": "9f1302bad3dc"}, "run": "flight-delay.r9", "signal": 42,
    "signals": [{"id": 42, "kind": "new_data"}], "since": _AT, "size": 1480223, "spec": {"kind": "train"},
    "started_at": _AT, "state": "done", "status": "handled", "step": 40, "subject": "decision:17",
    "text": "The slice **JFK** has few rows.", "to": "person:ben", "tree": {"name": "decide", "result": "done"},
    "trigger": "new_data", "until": _AT, "value": 14.2, "verdict": "promote", "verified": True, "version": 17,
    "worker": "worker-1",
}  # fmt: skip


def with_examples(schemas: Mapping[str, Any]) -> None:
    """Give each field that has none of its own the example of its name."""
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            if name in RESPONSE_EXAMPLES and not {"example", "examples"} & field.keys():
                field["examples"] = [RESPONSE_EXAMPLES[name]]
