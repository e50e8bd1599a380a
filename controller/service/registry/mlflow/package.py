"""What is sent of a version: the folder that ``pyfunc`` loads, where its artifact is still there, else a link."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from controller.domain.errors import NotFound
from controller.domain.versions import Version
from controller.ports import ArtifactStore
from controller.ports.documents import read_document
from controller.ports.publication import NewRemote
from controller.service.registry.mlflow.folder import ARTIFACT, Described, small_files
from controller.service.registry.mlflow.publish import linked


class Packer:
    """Packs versions one after the other; ``spool`` holds the artifact that is under way, and no more than one."""

    def __init__(self, artifacts: ArtifactStore, spool: Path, page: str) -> None:
        self._artifacts = artifacts
        self._spool = spool
        self._page = page

    def __call__(self, version: Version) -> NewRemote:
        """The version with its files."""
        plain = linked(version, self._page)
        try:
            artifact = self._artifacts.fetch(version.digest, self._spool / "model.bin")
            lineage = read_document(self._artifacts, version.lineage)
        except NotFound:
            return plain
        described = Described(
            model=version.model,
            number=version.number,
            digest=version.digest,
            created_at=version.created_at,
            run=version.run,
            lineage=lineage,
        )
        return replace(plain, files={**small_files(described), ARTIFACT: artifact})
