"""Content-addressed stores for models, lineages, predictions and captured output."""

from __future__ import annotations

from controller.adapters.artifacts.local import LocalArtifacts

__all__ = ["LocalArtifacts"]
