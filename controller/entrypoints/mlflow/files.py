"""The folder of a governed version, file by file, as MLflow's artifact interface lists and sends it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from controller.bootstrap import artifact_store_of
from controller.domain.catalog import CatalogVersion
from controller.domain.errors import NotFound
from controller.entrypoints.api.context import AppContext
from controller.ports import ArtifactStore
from controller.ports.documents import read_document
from controller.service.registry.mlflow.folder import ARTIFACT, Described, small_files


def answer_file(request: Request, app_context: AppContext) -> Response:
    """One file; the artifact with its digest as ETag, and in parts where they are asked for."""
    version, path = _asked(app_context, request.path_params["path"])
    artifacts = _artifacts(app_context)
    if path == ARTIFACT:
        return _sent(artifacts, version.digest)
    found = small_files(_described(app_context, artifacts, version)).get(path)
    if found is None:
        raise NotFound(f"There is no file {path} in {version.model} v{version.number}.")
    return Response(found, media_type="application/octet-stream")


def answer_listing(request: Request, app_context: AppContext) -> Response:
    """What lies directly below a folder."""
    version, path = _asked(app_context, request.query_params.get("path", ""))
    artifacts = _artifacts(app_context)
    sizes = {
        name: len(content)
        for name, content in small_files(_described(app_context, artifacts, version)).items()
    }
    sizes[ARTIFACT] = artifacts.size(version.digest)
    below = f"{path}/" if path else ""
    files: dict[str, dict[str, Any]] = {}
    for name, size in sorted(sizes.items()):
        if not name.startswith(below):
            continue
        first, slash, _ = name[len(below) :].partition("/")
        entry = {"path": first, "is_dir": bool(slash)}
        files[first] = entry if slash else {**entry, "file_size": size}
    return Response(json.dumps({"files": list(files.values())}), media_type="application/json")


def _asked(app_context: AppContext, path: str) -> tuple[CatalogVersion, str]:
    """The version that a path ``MODEL/NUMBER/file`` begins with, and the rest of it."""
    model, _, rest = path.strip("/").partition("/")
    number, _, file = rest.partition("/")
    with app_context.store.read() as tx:
        found = (
            tx.catalog.version(unquote(model), min(int(number), 2**31 - 1))
            if number.isdecimal()
            else None
        )
    if found is None or found.kind != "governed":
        raise NotFound(f"No version of ours has files at {path[:200]}.")
    return found, file


def _described(
    app_context: AppContext, artifacts: ArtifactStore, version: CatalogVersion
) -> Described:
    with app_context.store.read() as tx:
        (own,) = tx.registry.versions(version.model, numbers=[version.number])
    return Described(
        model=version.model,
        number=version.number,
        digest=version.digest,
        created_at=version.created_at,
        run=version.run,
        lineage=read_document(artifacts, own.lineage),
    )


def _sent(artifacts: ArtifactStore, digest: str) -> Response:
    """A verified copy, removed once it is sent."""
    folder = tempfile.TemporaryDirectory(prefix="incumbent-")
    try:
        copy = artifacts.fetch(digest, Path(folder.name) / "model.bin")
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        copy,
        media_type="application/octet-stream",
        headers={"etag": f'"{digest}"'},
        background=BackgroundTask(folder.cleanup),
    )


def _artifacts(app_context: AppContext) -> ArtifactStore:
    return app_context.artifacts or artifact_store_of(app_context.settings)
