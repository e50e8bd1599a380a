"""The pages about models: one line each, and one model whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from controller.domain.errors import NotFound
from controller.domain.evidence import Evaluation
from controller.domain.rollout import RolloutView
from controller.domain.versions import Reign, Version, VersionState
from controller.entrypoints.api.context import AppContext
from controller.entrypoints.web.charts import Mark, spark_svg, timeline_svg
from controller.policy.triggers import WATCHED_SIGNALS
from controller.ports import Query, Transaction
from controller.service.commands.access import Person
from controller.service.commands.owners import Owners
from controller.service.commands.submit import owner_of
from controller.service.explain.decision import decision_summary
from controller.service.explain.overview import model_at_a_glance

_CONSUMERS = 50
_MOST_DRIFT = 100
_MARKS = {
    "promote": "pass",
    "reject": "fail",
    "rollback": "rollback",
    "advance": "pass",
    "train": "train",
    "hold": "inconclusive",
}


def model_rows(tx: Transaction, names: Sequence[str], owned: Owners) -> list[dict[str, Any]]:
    """One line a model."""
    return [_line(tx, name, owned) for name in names]


def _line(tx: Transaction, name: str, owned: Owners) -> dict[str, Any]:
    state, rules = tx.models.state(name), tx.rules.active(name)
    history = tx.registry.history(name, 12)
    metric, values = _metric(tx, name, history) if history else ("", [])
    newest = [v for v in reversed(values) if v is not None]
    waits = tx.registry.versions(name, states={VersionState.CHALLENGER}, limit=5)
    problems = (state.error, rules.refused if rules else "no policy is in force")
    return {
        "model": name,
        "champion": state.champion,
        "hold": state.hold,
        "owner": owned.of(rules) if rules else None,
        "drift": tx.signals.find(Query(model=name, kinds=WATCHED_SIGNALS, limit=1)),
        "wake_at": state.wake_at,
        "since": history[0].since if history else None,
        "metric": metric,
        "value": newest[-1] if newest else None,
        "spark": spark_svg(newest, f"{metric} of the last {len(newest)} champions"),
        "runs": tx.runs.find(Query(model=name, states=("queued", "running"), limit=5)),
        "waits": [version.number for version in waits],
        "last": [
            decision_summary(record) for record in tx.decisions.find(Query(model=name, limit=1))
        ],
        "problems": [problem for problem in problems if problem],
    }


def _metric(
    tx: Transaction, model: str, history: Sequence[Reign]
) -> tuple[str, list[float | None]]:
    """The first metric that the champions' evaluations report, and its value at each reign of ``history``."""
    numbers = sorted({reign.version for reign in history})
    judged = tx.registry.evaluations(model, numbers)
    versions = {v.number: v for v in tx.registry.versions(model, numbers=numbers)}
    found: dict[int, dict[str, float]] = {}
    for number in numbers:
        reported = dict(versions[number].metrics) if number in versions else {}
        if number in judged:
            reported |= judged[number].metrics
            first = {
                e.metric: e.challenger for e in judged[number].evidence if e.challenger is not None
            }
            reported |= {name: value for name, value in first.items() if name != "servable"}
        found[number] = reported
    names = [name for reported in found.values() for name in reported]
    metric = max(dict.fromkeys(names), key=names.count, default="")
    return metric, [found[reign.version].get(metric) for reign in history]


def model_view(
    tx: Transaction, app_context: AppContext, name: str, person: Person
) -> dict[str, Any]:
    """What the template shows; NotFound if nothing is known of the model."""
    owner = owner_of(tx, name, app_context.parse)
    glance = model_at_a_glance(tx, name)
    history = tx.registry.history(name, 100)
    metric, values = _metric(tx, name, history)
    versions = tx.registry.versions(name, limit=50)
    judged = tx.registry.evaluations(name, [v.number for v in versions])
    decisions = tx.decisions.find(Query(model=name, limit=100))
    rows = [decision_summary(record) for record in decisions]
    if not versions and not rows and tx.rules.active(name) is None:
        raise NotFound(f"There is no model called {name}.")
    return {
        "name": name,
        "owner": owner,
        "m": glance,
        "metric": metric,
        "timeline": _timeline(
            history,
            values,
            [*_marks(rows), *_drift_marks(tx, name)],
            app_context.clock.now(),
            metric,
        ),
        "reigns": list(zip(history, values, strict=True))[:20],
        "versions": [
            (v, {**v.metrics, **(judged[v.number].metrics if v.number in judged else {})})
            for v in versions
        ],
        "measured": _measured(versions, judged, metric),
        "decisions": rows[:20],
        "runs": tx.runs.find(Query(model=name, limit=10)),
        "rollout": _rollout(tx, name),
        "aliases": tx.aliases.of(name),
        "consumers": tx.consumers.of(name, live_at=app_context.clock.now())[:_CONSUMERS],
        "rules": tx.rules.active(name),
        "forms": _forms(tx, name, owner, person),
        "budget": tx.models.state(name).budget,
        "waiting": [v for v in versions if v.state is VersionState.CHALLENGER],
    }


def _rollout(tx: Transaction, name: str) -> RolloutView | None:
    """The rollout that is under way."""
    rollout = tx.models.state(name).rollout
    found = tx.registry.versions(name, numbers={rollout.version}) if rollout else []
    if not any(version.state is VersionState.CHALLENGER for version in found):
        return None
    return rollout


def _measured(
    versions: Sequence[Version], judged: Mapping[int, Evaluation], metric: str
) -> list[tuple[Version, float]]:
    """Each version with the metric that its evaluation (else its training) reported, oldest first."""
    found = []
    for version in reversed(versions):
        reported = dict(version.metrics)
        if version.number in judged:
            reported |= judged[version.number].metrics
        if metric in reported:
            found.append((version, reported[metric]))
    return found


def _timeline(
    history: Sequence[Reign],
    values: Sequence[float | None],
    marks: Sequence[Mark],
    now: datetime,
    metric: str,
) -> Markup:
    reigns = [
        (reign.since, reign.until or max(now, reign.since), value, f"v{reign.version}")
        for reign, value in zip(history, values, strict=True)
    ]
    said = (
        f"Champions over time by {metric or 'their order'}; the table of champions has the numbers"
    )
    return timeline_svg(list(reversed(reigns)), sorted(marks, key=lambda mark: mark.at), said)


def _marks(rows: Sequence[dict[str, Any]]) -> list[Mark]:
    return [
        Mark(
            at=datetime.fromisoformat(row["decided_at"]),
            kind=_MARKS[row["verdict"]],
            label=f"{row['decided_at'][:16]} {row['verdict']}: {row['reason'][:160]}",
        )
        for row in rows
        if row["verdict"] in _MARKS
    ]


def _drift_marks(tx: Transaction, name: str) -> list[Mark]:
    """Drift, decay and skew, when they were told."""
    return [
        Mark(
            at=signal.occurred_at,
            kind="drift",
            label=f"{signal.occurred_at:%Y-%m-%d %H:%M} {signal.kind.value}: {signal.reason[:160]}",
        )
        for signal in tx.signals.find(Query(model=name, kinds=WATCHED_SIGNALS, limit=_MOST_DRIFT))
    ]


def _forms(tx: Transaction, name: str, owner: str | None, person: Person) -> list[dict[str, Any]]:
    state = tx.models.state(name)
    forms: list[tuple[str, str, str, str, dict[str, Any]]] = [
        ("train", "Train now", "Asks for a training; the policy's limits hold.", "quiet", {}),
    ]
    if state.hold is None:
        forms.append(
            (
                "hold",
                "Hold",
                "Automatic promotion is on hold until somebody releases it.",
                "quiet",
                {},
            )
        )
    else:
        forms.append(("release", "Release", f"Ends the hold: {state.hold.reason}", "quiet", {}))
    if state.champion is not None and state.generation > 1:
        said = "The earlier champion that the policy names returns, once a worker has checked that it answers."
        forms.append(
            (
                "rollback",
                f"Roll back v{state.champion}",
                said,
                "danger",
                {"expect_version": state.champion},
            )
        )
    return [
        {
            "word": word,
            "label": label,
            "effect": effect,
            "style": style,
            "fields": fields,
            "why_not": person.why_not(word, owner),
        }
        for word, label, effect, style, fields in forms
    ]
