"""Templates to answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from controller import __version__
from controller.domain.canonical import parse_time
from controller.entrypoints.web.session import page_session_of
from controller.service.commands.comments import as_html
from controller.service.explain.decision import describe_signal

TEMPLATES_FOLDER = Path(__file__).parent
STATIC = TEMPLATES_FOLDER / "static"

NAVIGATION = (
    ("", "Inbox"),
    ("models", "Models"),
    ("decisions", "Decisions"),
    ("signals", "Signals"),
    ("runs", "Runs"),
    ("policies", "Policies"),
    ("drift", "Drift"),
    ("messages", "Messages"),
    ("audit", "Audit"),
    ("system", "System"),
)


@cache
def environment() -> Environment:
    """The templates. What is missing is an error, what is shown is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "when": when,
        "number": short_number,
        "signed": lambda value: "–" if value is None else f"{value:+.4g}".replace("-", "−"),
        "share": lambda value: "–" if value is None else f"{value:.1%}",
        "path": lambda text: quote(str(text), safe=""),
        "verdict": lambda word: _VERDICTS.get(str(word), str(word)),
        "described": describe_signal,
        "markdown": lambda text: Markup(as_html(text)),  # noqa: S704 - sanitised
    }
    made.globals |= {"navigation": NAVIGATION, "version": __version__}
    return made


_VERDICTS = {"none": "no change", "rollback": "roll back"}


def when(moment: datetime | str | None) -> Markup:
    """A time for people and for programs."""
    if moment is None or moment == "":
        return Markup("–")
    at = parse_time(moment) if isinstance(moment, str) else moment
    utc = at.astimezone(UTC)
    day, minute, second = f"{utc:%Y-%m-%d}", f"{utc:%H:%M}", f"{utc:%S}"
    text = f'<time datetime="{day}T{minute}:{second}Z">{day} {minute}</time>'
    return Markup(text)  # noqa: S704 - digits alone


def short_number(value: Any) -> str:
    """A value in few characters; nothing as a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return str(value)


def render_page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A template as an answer, with what every page shows."""
    text = (
        environment()
        .get_template(template)
        .render(
            base=request.scope.get("root_path", ""),
            here=request.url.path,
            session=page_session_of(request),
            fresh_key=uuid.uuid4().hex,
            **values,
        )
    )
    return HTMLResponse(text, status)


def error_page(request: Request, problem: Mapping[str, Any]) -> Response:
    """One sentence and what to do; who is not logged in is asked to."""
    if (
        problem["status"] == 401
        and request.method == "GET"
        and request.url.path not in {"/login", "/go", "/oidc/login", "/oidc/callback"}
    ):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        base = request.scope.get("root_path", "")
        return RedirectResponse(f"{base}/login?next={quote(asked, safe='')}", 303)
    return render_page(request, "error.html", problem["status"], problem=problem)
