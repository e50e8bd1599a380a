"""Content-addressed stores for models, lineages, predictions and captured output."""

from __future__ import annotations

from pathlib import Path

from controller.adapters.artifacts.local import LocalArtifacts
from controller.ports import ArtifactStore

__all__ = ["LocalArtifacts", "open_artifacts"]


def open_artifacts(place: str) -> ArtifactStore:
    """The store that the setting ``artifacts_url`` names: a folder, or an fsspec URL such as ``s3://bucket/path``."""
    if "://" in place and not place.startswith("file://"):
        from controller.adapters.artifacts.remote import RemoteArtifacts

        return RemoteArtifacts(place)
    return LocalArtifacts(Path(place.removeprefix("file://")))
