"""Models, versions and errors as MLflow's clients read them.

Its messages leave out what is empty, times are whole milliseconds, numbers of versions are texts. An error is
``{"error_code", "message"}``; a logical one never has the status 500, which its client would try again for minutes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controller.domain.catalog import CatalogModel, CatalogVersion
from controller.domain.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    IncumbentError,
    NotFound,
    NotLoggedIn,
    StorageFull,
    Unavailable,
    UserError,
)

_ERRORS: tuple[tuple[type[IncumbentError], int, str], ...] = (
    (NotLoggedIn, 401, "UNAUTHENTICATED"),
    (Forbidden, 403, "PERMISSION_DENIED"),
    (NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
    (UserError, 400, "INVALID_PARAMETER_VALUE"),
    (Conflict, 409, "RESOURCE_CONFLICT"),
    (StorageFull, 503, "TEMPORARILY_UNAVAILABLE"),
    (Unavailable, 503, "TEMPORARILY_UNAVAILABLE"),
)


def error_body(error: IncumbentError) -> tuple[int, dict[str, str]]:
    """Status and body of an error of ours."""
    # A name that somebody made up is quoted: without what a terminal would obey.
    said = "".join(sign if sign.isprintable() else "\ufffd" for sign in error.sentence())
    for kind, status, code in _ERRORS:
        if isinstance(error, kind):
            return status, {"error_code": code, "message": said}
    return 500, {"error_code": "INTERNAL_ERROR", "message": said}


def model_body(model: CatalogModel) -> dict[str, Any]:
    """A registered model."""
    return _filled(
        name=model.name,
        creation_timestamp=_millis(model.created_at),
        last_updated_timestamp=_millis(model.updated_at),
        description=model.description,
        latest_versions=[version_body(version) for version in model.latest],
        tags=_pairs(model.tags),
        aliases=[
            {"alias": alias, "version": str(number)}
            for alias, number in sorted(model.aliases.items())
        ],
    )


def version_body(version: CatalogVersion) -> dict[str, Any]:
    """A model version."""
    return _filled(
        name=version.model,
        version=str(version.number),
        creation_timestamp=_millis(version.created_at),
        last_updated_timestamp=_millis(version.updated_at),
        user_id=version.author,
        current_stage=version.stage,
        description=version.description,
        source=version.source,
        run_id=version.run,
        run_link=version.run_link,
        model_id=version.model_id,
        status="READY",
        tags=_pairs(version.tags),
        aliases=list(version.aliases),
    )


def _filled(**values: Any) -> dict[str, Any]:
    # MLflow's entities take a missing description for None, and one that was never given is "".
    return {
        name: value
        for name, value in values.items()
        if name == "description" or value not in ("", [])
    }


def _pairs(tags: Any) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def _millis(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
