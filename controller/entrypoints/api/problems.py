"""Every error as problem details (RFC 9457) for programs, and as a page of one sentence for people."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.domain.errors import (
    Conflict,
    Forbidden,
    IncumbentError,
    NegativeAnswer,
    NotFound,
    NotLoggedIn,
    PolicyInvalid,
    Unavailable,
    UserError,
)
from controller.domain.payloads import InvalidPayload

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"

_STATUS_OF_CODE = {"bad_event": 400, "bad_signature": 401}

_STATUS: tuple[tuple[type[IncumbentError], int], ...] = (
    (NotLoggedIn, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (PolicyInvalid, 422),
    (UserError, 422),
    (Conflict, 409),
    (NegativeAnswer, 409),
    (Unavailable, 503),
)


class ProblemDetails(BaseModel):
    """An error (RFC 9457). `detail` says what was found, `hint` what to do about it."""

    type: str = Field(examples=["urn:incumbent:problem:conflict"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(
        examples=["The evidence about v17 is 051adda41c69 now, you saw 8f1c22aa0b31."]
    )
    code: str = Field(examples=["conflict"])
    hint: str = Field("", examples=["Look at it again."])
    errors: list[dict[str, Any]] = Field(
        [], description="Each problem of the input: where, and what."
    )


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The body of an answer that says what went wrong."""
    return {
        "type": f"urn:incumbent:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "hint": "",
        "errors": [],
        **more,
    }


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers that a route may give besides its good one, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted(statuses)
    }


READ_ERRORS = documented(400, 401, 403, 404, 405, 408, 413, 422, 429, 503)
WRITE_ERRORS = documented(400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 503)


def status_of(error: IncumbentError) -> int:
    """The HTTP status of an error of ours."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def refused_response(request: Request, error: IncumbentError) -> Response:
    """The answer to an error of ours."""
    status = status_of(error)
    if status >= 500:
        log.error("a request failed", extra={"action": "request_failed", "why": error.message})
    body = problem(status, error.code, error.message, hint=error.hint, errors=_fields(error))
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return answer_error(request, body, headers | ({"retry-after": "5"} if status == 503 else {}))


def _fields(error: IncumbentError) -> list[dict[str, Any]]:
    """The field that a payload's error names, in the form of the errors of a body."""
    if not isinstance(error, InvalidPayload):
        return []
    return [{"at": error.field, "what": error.what}]


def install(app: FastAPI) -> None:
    """Answer every error this way."""

    @app.exception_handler(IncumbentError)
    def ours(request: Request, error: IncumbentError) -> Response:
        return refused_response(request, error)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"at": ".".join(map(str, one["loc"])), "what": str(one["msg"])}
            for one in error.errors()
        ]
        first = errors[0]
        detail = f"The request cannot be used: {first['at']}: {first['what'].lower()}."
        return answer_error(request, problem(422, "wrong_use", detail, errors=errors))

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        said = HTTPStatus(error.status_code).phrase
        detail = (
            f"There is nothing at {request.url.path}."
            if error.status_code == 404
            else f"{error.detail}."
        )
        code = said.lower().replace(" ", "_")
        return answer_error(
            request, problem(error.status_code, code, detail), dict(error.headers or {})
        )

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        log.error("a request broke", exc_info=error, extra={"action": "request_broke"})
        detail = "Something went wrong here; the log of the server says what."
        return answer_error(request, problem(500, "error", detail))


def answer_error(
    request: Request, body: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """As a page where a person looks, as problem details everywhere else."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith(("/v1", "/internal/")):
        from controller.entrypoints.web.render import error_page

        return error_page(request, body)
    # What somebody sent may stand in it: a lone surrogate must not turn a refusal into an error of ours.
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(text, status_code=body["status"], media_type=MEDIA_TYPE, headers=headers)
