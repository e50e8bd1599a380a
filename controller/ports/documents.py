"""Reads the JSON documents that workers store as artifacts: lineages, reports, profiles.

Workers wrote them, after user code ran there: what is no mapping says nothing, and never breaks whoever reads it.
"""

from __future__ import annotations

import json
from typing import Any

from controller.ports.artifacts import ArtifactStore

MOST_DOCUMENT = 64 << 20
"""Bytes; profiles of ten thousand columns come to a third of it."""


def read_document(artifacts: ArtifactStore, digest: str | None) -> dict[str, Any]:
    """The document; empty where none is named, or it is no JSON object. The store's errors pass through.

    What is larger than any that a worker writes is none: the digest is a worker's word, and may be a model's.
    """
    if not digest or artifacts.size(digest) > MOST_DOCUMENT:
        return {}
    try:
        found = json.loads(artifacts.read_bytes(digest))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
