"""Content-addressed stores for models, lineages, predictions and captured output."""

from __future__ import annotations

from controller.adapters.artifacts.local import LocalArtifacts
from controller.adapters.artifacts.memory import MemoryArtifacts

__all__ = ["LocalArtifacts", "MemoryArtifacts"]
