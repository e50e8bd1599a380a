"""The repositories as they are, for a command line of the same version somewhere else: what the ports let one read."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Request
from starlette.responses import Response, StreamingResponse

from controller import __version__
from controller.domain import codec
from controller.domain.errors import IntegrityError, NotFound, UserError
from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import Context
from controller.entrypoints.api.problems import WRITE_ERRORS
from controller.entrypoints.api.read import json_response
from controller.ports.reads import READS, WALKED, read_question

router = APIRouter(responses=WRITE_ERRORS)

_REPOSITORIES = {"pattern": f"^({'|'.join(READS)})$", "examples": ["signals"]}


@router.post("/internal/v1/{repository}/{name}", summary="One question of a repository")
def read_repository(
    request: Request,
    app_context: Context,
    person: Caller,
    repository: Annotated[str, Path(**_REPOSITORIES)],
    name: Annotated[str, Path(pattern="^[a-z_]{1,40}$", examples=["find"])],
    arguments: Annotated[
        dict[str, Any], Body(examples=[{"query": {"model": "flight-delay", "limit": 10}}])
    ],
    incumbent_version: Annotated[str, Header(max_length=40, examples=[__version__])],
) -> Response:
    """What the command line reads with when `INCUMBENT_URL` is set: arguments and answers are those of the ports.

    They may change with every release, so the caller's version must be the server's; programs read below `/v1`.
    Changes nothing. A walk answers with up to 100 records; ask again from the last one's id.
    """
    if incumbent_version != __version__:
        raise UserError(
            f"This server is Incumbent {__version__}, and the command line is {incumbent_version!a}.",
            hint=f"Install incumbent=={__version__} where the command runs.",
        )
    asked = read_question(repository, name)
    unknown = arguments.keys() - asked.arguments.keys()
    if unknown:
        raise UserError(
            f"{repository}.{name} has no argument {min(unknown)}.",
            hint=f"It has {', '.join(asked.arguments) or 'none'}.",
        )
    if _beyond(arguments):
        raise UserError("A number is larger than the database keeps.")
    try:
        given = {k: codec.load_plain(asked.arguments[k], v) for k, v in arguments.items()}
        with app_context.store.read() as tx:
            found = getattr(getattr(tx, repository), name)(**given)
            body = list(islice(found, WALKED)) if asked.walks else found
    except IntegrityError as error:
        raise UserError(
            f"The arguments of {repository}.{name} cannot be used: {error.message}"
        ) from None
    except (TypeError, OverflowError):
        needed = ", ".join(asked.arguments)
        raise UserError(
            f"{repository}.{name} cannot be asked so.", hint=f"It takes {needed}."
        ) from None
    return json_response(request, body)


def _beyond(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_beyond, value.values()))
    if isinstance(value, list):
        return any(map(_beyond, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


@router.get(
    "/v1/runs/{run}/output",
    summary="What a run's training wrote",
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The bytes."}},
)
def output(app_context: Context, person: Caller, run: str) -> Response:
    """Standard output and error of the training, whole, once it has ended."""
    with app_context.store.read() as tx:
        found = tx.runs.get(run)
    if found is None:
        raise NotFound(f"There is no run called {run}.")
    digest = found.result.get("output")
    if not isinstance(digest, str) or app_context.artifacts is None:
        wait = "it has not ended" if not found.state.ended else "it wrote none, or it was lost"
        raise NotFound(f"There is no output of {run}: {wait}.")
    headers = {"content-disposition": 'attachment; filename="output.txt"'}
    app_context.artifacts.size(digest)  # not found is said before the first byte
    return StreamingResponse(  # what a worker names may be a model, larger than this process
        app_context.artifacts.stream(digest),
        media_type="application/octet-stream",
        headers=headers,
    )
