"""The JSON documents that workers store as artifacts: lineages, reports, profiles.

Workers wrote them, after user code ran there: what is no mapping says nothing, and never breaks whoever reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controller.domain.errors import IncumbentError
from controller.ports import ArtifactStore


def read_document(artifacts: ArtifactStore, digest: str | None) -> dict[str, Any]:
    """The document; empty where none is named, or the bytes are no JSON object. The store's errors pass through."""
    if not digest:
        return {}
    try:
        found = json.loads(artifacts.read_bytes(digest))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def document_if_there(artifacts: ArtifactStore | None, digest: object) -> dict[str, Any]:
    """The document; empty also where it cannot be had: for views that show what is known without it."""
    if artifacts is None or not isinstance(digest, str):
        return {}
    try:
        return read_document(artifacts, digest)
    except (IncumbentError, OSError):
        return {}


def mapping_part(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of the document that is a mapping; empty where it is none."""
    found = kept.get(name)
    return found if isinstance(found, dict) else {}
