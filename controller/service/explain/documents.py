"""The JSON documents that workers store as artifacts, for views that show what is known without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.domain.errors import IncumbentError
from controller.ports import ArtifactStore
from controller.ports.documents import read_document


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
