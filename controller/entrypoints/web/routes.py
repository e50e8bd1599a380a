"""The pages. A GET never changes anything; every form carries a mark and an idempotency key."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, FastAPI, Request
from markupsafe import Markup
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from controller import __version__
from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound
from controller.domain.payloads import is_in_range
from controller.domain.signals import SignalKind, SignalStatus
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.drift_html import fragment
from controller.entrypoints.web import forms, login, messages, policies, version
from controller.entrypoints.web.charts import curve_svg
from controller.entrypoints.web.decision.export import whole
from controller.entrypoints.web.decision.view import decision_view
from controller.entrypoints.web.lineage import provenance_view
from controller.entrypoints.web.model_filters import MODEL_STATES, ModelFilters, filtered, owners
from controller.entrypoints.web.model_view import model_rows, model_view
from controller.entrypoints.web.render import STATIC, render_page
from controller.entrypoints.web.request import Visitor, number_in
from controller.entrypoints.web.session import PageSession
from controller.policy.triggers import WATCHED_SIGNALS
from controller.ports import LEAD, JournalLine, Query
from controller.service.commands.access import Person, Role
from controller.service.commands.comments import calls, page_of
from controller.service.commands.owners import Owners
from controller.service.commands.submit import owner_of
from controller.service.explain.decision import decision_summary, find_decision
from controller.service.explain.documents import document_if_there
from controller.service.explain.drift_report import drift_view
from controller.service.explain.overview import inbox, model_names
from controller.service.loops.other_writes import other_writes

router = APIRouter(include_in_schema=False)
_PAGE = 50
_MODELS = 25


# --- reading -----------------------------------------------------------------------------------------------


@router.get("/")
def home(request: Request, app_context: Context, session: Visitor) -> Response:
    """What waits for a person."""
    now = app_context.clock.now()
    with app_context.store.read() as tx:
        waiting = inbox(tx, app_context.parse)
        failed = tx.runs.find(Query(states=("failed", "dead"), limit=5))
        holds = tx.models.all(troubled=True)
        depth = {"signals": tx.signals.count_waiting(), **tx.outbox.depth()}
        recent = [decision_summary(r) for r in tx.decisions.find(Query(limit=8))]
        standing = [d for d in tx.delegations.all() if d.holds(now)]
        silences = tx.silences.active(now)
        called = [c for c in tx.comments.latest() if calls(c, session.person.actor)][:5]
    for row in waiting:
        row["why_not"] = session.person.why_not("approve", row["owner"])
        row["late"] = row["expires"] is not None and row["expires"] <= now
    return render_page(
        request,
        "inbox.html",
        waiting=waiting,
        failed=failed,
        holds=holds,
        depth=depth,
        recent=recent,
        silences=silences,
        called=[(c, page_of(c.subject)) for c in called],
        mine=[d for d in standing if d.actor == session.person.actor],
        theirs=[d for d in standing if d.to == session.person.actor],
        may_delegate=_may_delegate(session.person),
    )


def _may_delegate(person: Person) -> str:
    """Why not, in one sentence; empty for whoever reviews models of anybody."""
    reviews = any(role >= Role.REVIEWER for role in person.roles.values())
    return "" if reviews else person.why_not("delegate", None)


@router.get("/decisions")
def decisions_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """What was decided."""
    asked = request.query_params
    verdict = asked.get("verdict") or ""
    query = Query(
        model=asked.get("model") or None,
        kinds=(verdict,) if verdict else (),
        before=number_in(asked.get("before")),
        limit=_PAGE,
    )
    with app_context.store.read() as tx:
        rows = [decision_summary(r) for r in tx.decisions.find(query)]
    return render_page(
        request,
        "decisions.html",
        rows=rows,
        asked=asked,
        more=_more(asked, rows, "id"),
        verdict=verdict,
    )


def _more(asked: Mapping[str, str], rows: list[Any], key: str) -> str:
    """The query of the part after this one; empty when this was all."""
    if len(rows) < _PAGE:
        return ""
    last = rows[-1][key] if isinstance(rows[-1], dict) else getattr(rows[-1], key)
    kept = {name: value for name, value in asked.items() if name != "before" and value}
    return "?" + "&".join(
        f"{quote(k)}={quote(str(v))}" for k, v in {**kept, "before": last}.items()
    )


@router.get("/decisions/{number}")
def decision_page(
    request: Request, app_context: Context, session: Visitor, number: str
) -> Response:
    """One decision: the heart."""
    found = number_in(number)
    said = number_in(request.query_params.get("signal"))
    with app_context.store.read() as tx:
        if not found:
            raise NotFound(f"There is no decision {number}.")
        record = find_decision(tx, str(found))
        view = decision_view(tx, app_context, record, session.person)
        answer = tx.signals.get(said) if said else None
    return render_page(request, "decision.html", answer=answer, **view)


@router.get("/decisions/{number}/export")
def export_decision(
    request: Request, app_context: Context, session: Visitor, number: str
) -> Response:
    """The decision as one file: explanation, snapshot, rules, evidence of review, words, comments, verification."""
    found = number_in(number)
    if not found:
        raise NotFound(f"There is no decision {number}.")
    with app_context.store.read() as tx:
        body = whole(tx, app_context, find_decision(tx, str(found)))
    text = json.dumps(body, ensure_ascii=False, indent=1)
    name = f"decision-{found}.json"
    kind = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="application/json", headers=kind)


@router.get("/models")
def models_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """One line a model."""
    asked = request.query_params
    wanted = ModelFilters(
        name=(asked.get("q") or "").strip(),
        owner=asked.get("owner") or "",
        state=asked.get("state") or "",
    )
    after = asked.get("after") or ""
    owned = Owners(app_context.parse, app_context.owned)
    with app_context.store.read() as tx:
        names = filtered(tx, owned, wanted)
        left = [n for n in names if n > after]
        rows = model_rows(tx, left[:_MODELS], owned)
        known = app_context.kept("owners", lambda: owners(tx, owned))
    more = {**asked, "after": left[_MODELS - 1]} if len(left) > _MODELS else {}
    return render_page(
        request,
        "models.html",
        rows=rows,
        asked=asked,
        more="?" + urlencode(more) if more else "",
        count=len(names),
        owners=known,
        states=MODEL_STATES,
    )


@router.get("/models/{model}")
def model(request: Request, app_context: Context, session: Visitor, model: str) -> Response:
    """One model."""
    said = number_in(request.query_params.get("signal"))
    with app_context.store.read() as tx:
        view = model_view(tx, app_context, model, session.person)
        answer = tx.signals.get(said) if said else None
    return render_page(request, "model.html", answer=answer, **view)


@router.get("/signals")
def signals_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """What happened and what became of it."""
    asked = request.query_params
    status, kind = asked.get("status") or "", asked.get("kind") or ""
    query = Query(
        model=asked.get("model") or None,
        states=(status,) if status in set(SignalStatus) else (),
        kinds=(kind,) if kind in set(SignalKind) else (),
        before=number_in(asked.get("before")),
        limit=_PAGE,
    )
    with app_context.store.read() as tx:
        rows = tx.signals.find(query)
    return render_page(
        request,
        "signals.html",
        rows=[to_plain(row) for row in rows],
        asked=asked,
        more=_more(asked, rows, "id"),
        statuses=[s.value for s in SignalStatus],
        kinds=[k.value for k in SignalKind],
    )


@router.get("/signals/{number}")
def signal_page(request: Request, app_context: Context, session: Visitor, number: str) -> Response:
    """One signal with all it says."""
    found = number_in(number)
    with app_context.store.read() as tx:
        kept = tx.signals.get(found) if found else None
        if kept is None:
            raise NotFound(f"There is no signal {number}.")
        waits = not kept.status.ended
        owner = owner_of(tx, kept.model, app_context.parse) if waits else None
        said = number_in(request.query_params.get("signal"))
        answer = tx.signals.get(said) if said else None
    return render_page(
        request,
        "signal.html",
        signal=to_plain(kept),
        waits=waits,
        may_dismiss=session.person.why_not("dismiss", owner),
        answer=answer,
    )


@router.get("/runs")
def runs_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """Trainings and evaluations."""
    asked = request.query_params
    model, state = asked.get("model") or None, asked.get("state") or ""
    before = number_in(asked.get("before")) if model else None
    query = Query(model=model, states=(state,) if state else (), before=before, limit=_PAGE)
    with app_context.store.read() as tx:
        rows = tx.runs.find(query)
    more = _more(asked, rows, "number") if model else ""
    return render_page(request, "runs.html", rows=rows, asked=asked, more=more)


@router.get("/runs/{run}")
def run(request: Request, app_context: Context, session: Visitor, run: str) -> Response:
    """Progress, curves, log."""
    said = number_in(request.query_params.get("signal"))
    with app_context.store.read() as tx:
        view = _run(app_context, tx, run, session)
        view["answer"] = tx.signals.get(said) if said else None
    return render_page(request, "run.html", **view)


@router.get("/runs/{run}/live")
def live_run(request: Request, app_context: Context, session: Visitor, run: str) -> Response:
    """The part of a run's page that moves."""
    with app_context.store.read() as tx:
        view = _run(app_context, tx, run, session)
    return render_page(request, "run_live.html", **view)


def _run(app_context: AppContext, tx: Any, name: str, session: PageSession) -> dict[str, Any]:
    found = tx.runs.get(name)
    if found is None:
        raise NotFound(f"There is no run called {name}.")
    log = tx.journal.read(name, kinds=("log", "phase"), limit=5000)[-300:]
    metrics = tx.journal.read(name, kinds=("metric",), limit=5000)
    owner = owner_of(tx, found.model, app_context.parse)
    return {
        "run": found,
        "spec": to_plain(found.spec),
        "log": log,
        "curves": _curves(metrics),
        "came_from": provenance_view(
            document_if_there(app_context.artifacts, found.result.get("lineage"))
        ),
        "comments": tx.comments.of(f"run:{name}"),
        "may_comment": session.person.why_not("comment", owner),
        "may_cancel": session.person.why_not("cancel", owner),
        "may_retry": session.person.why_not("retry", owner),
    }


def _curves(lines: list[JournalLine]) -> list[dict[str, Any]]:
    points: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        if line.entry.value is not None:
            series = points.setdefault(line.entry.name, [])
            series.append((float(line.entry.step or len(series)), line.entry.value))
    found = []
    for name, series in sorted(points.items())[:12]:
        thin = series[:: max(1, len(series) // 200)]
        found.append({"name": name, "svg": curve_svg(name, thin), "points": thin})
    return found


@router.get("/drift")
def drift_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """Drift, decay and skew as they were signalled."""
    asked = request.query_params
    query = Query(
        model=asked.get("model") or None,
        kinds=WATCHED_SIGNALS,
        before=number_in(asked.get("before")),
        limit=_PAGE,
    )
    with app_context.store.read() as tx:
        rows = tx.signals.find(query)
        names = model_names(tx)
        model = query.model if query.model in names else None
        view = drift_view(tx, app_context.artifacts, model) if model else None
    return render_page(
        request,
        "drift.html",
        names=names,
        report=Markup(fragment(view)) if view else None,  # noqa: S704 - all of it is escaped there
        rows=[to_plain(r) for r in rows],
        asked=asked,
        more=_more(asked, rows, "id"),
    )


@router.get("/audit")
def audit_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """Who sat where at a moment, and every decision before it."""
    asked = request.query_params
    at, problem = _moment(asked.get("at") or "")
    query = Query(until=at, before=number_in(asked.get("before")), limit=_PAGE)
    with app_context.store.read() as tx:
        rows = [decision_summary(r) for r in tx.decisions.find(query)]
        seats = _seats(tx, at) if at else []
        head = tx.decisions.head()
        writes = other_writes(tx, at)
    return render_page(
        request,
        "audit.html",
        rows=rows,
        writes=writes,
        seats=seats,
        asked=asked,
        more=_more(asked, rows, "id"),
        head=head,
        problem=problem,
    )


def _moment(text: str) -> tuple[datetime | None, str]:
    if not text:
        return None, ""
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        if is_in_range(moment):
            return moment, ""
    return None, f"{text[:60]!r} is no time; write 2013-02-01 or 2013-02-01T06:00Z."


def _seats(tx: Any, at: datetime) -> list[dict[str, Any]]:
    found = []
    for name in model_names(tx)[:200]:
        reigns = [r for r in tx.registry.history(name, 1000) if r.since <= at]
        if reigns:
            found.append({"model": name, "version": reigns[0].version, "since": reigns[0].since})
    return found


@router.get("/system")
def system(request: Request, app_context: Context, session: Visitor) -> Response:
    """Queues, workers, sources, versions."""
    with app_context.store.read() as tx:
        view: dict[str, Any] = {
            "controllers": tx.controllers.all(),
            "leader": tx.leases.holder(LEAD),
            "oldest": _oldest(tx),
            "workers": tx.workers.all(),
            "sources": tx.sources.all(),
            "waiting": tx.signals.count_waiting(),
            "outbox": tx.outbox.depth(),
            "decisions": tx.decisions.head()[0],
            "tokens": tx.tokens.all(),
            "errors": [state for state in tx.models.all(troubled=True) if state.error],
            "unended": len(tx.runs.find(Query(states=("queued", "running"), limit=500))),
        }
    view["facts"] = {
        "Incumbent": __version__,
        "Python": platform.python_version(),
        "Mode": app_context.settings.mode,
        "Rules": app_context.settings.rules,
    }
    return render_page(request, "system.html", now=app_context.clock.now(), **view)


def _oldest(tx: Any) -> datetime | None:
    """Since when the signal that waits longest waits, of the newest that wait."""
    waiting = tx.signals.find(Query(states=(SignalStatus.OPEN.value,), limit=200))
    return min((signal.received_at for signal in waiting), default=None)


@router.get("/favicon.ico")
def icon() -> Response:
    """The sign."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


def mount_pages(app: FastAPI) -> None:
    """Add the pages and their files."""
    for pages in (
        router,
        messages.router,
        policies.router,
        version.router,
        login.router,
        forms.router,
    ):
        app.include_router(pages)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
