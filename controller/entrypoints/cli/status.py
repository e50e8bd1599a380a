"""`incumbent status`: who sits where, what runs, what waits, and what went wrong last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.runs import RunState
from controller.domain.versions import VersionState
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    figures,
    json_option,
    print_json,
    style,
    tell,
    version_name,
)
from controller.entrypoints.cli.session import Session, gate_metrics, known_model, pass_session
from controller.ports import Query, Transaction

_RUNNING = (RunState.QUEUED.value, RunState.RUNNING.value)
_WAITING = (VersionState.CANDIDATE, VersionState.CHALLENGER)


@click.command()
@click.argument("model", required=False)
@json_option
@pass_session
def status(session: Session, *, model: str | None, as_json: bool) -> None:
    """Show each model's champion, challengers, running work, waiting signals and last decision."""
    with session.read() as tx:
        if model is not None:
            known_model(tx, model)
        names = [model] if model else _models(tx)
        named = {name: gate_metrics(session, tx, name) for name in names}
        document = {
            "schema_version": SCHEMA_VERSION,
            "models": [_model(tx, name) for name in names],
            "system": {
                "signals_waiting": tx.signals.count_waiting(),
                "outbox": dict(tx.outbox.depth()),
                "decisions": tx.decisions.head()[0],
            },
        }
    if as_json:
        print_json(document)
        return
    if not names:
        tell("No policy is in force yet; start with `incumbent up`.")
    for line in _screen(document, named):
        click.echo(line)


def _models(tx: Transaction) -> list[str]:
    return sorted({s.model for s in tx.models.all()} | {r.model for r in tx.rules.all_active()})


def _model(tx: Transaction, name: str) -> dict[str, Any]:
    from controller.service.explain import summary

    state, rules = tx.models.state(name), tx.rules.active(name)
    found = tx.registry.versions(name, states={VersionState.CHAMPION, *_WAITING})
    judged = tx.registry.evaluations(name, [version.number for version in found])
    pending = tx.signals.pending(name)
    return {
        "model": name,
        "champion": state.champion,
        "generation": state.generation,
        "metrics": {
            **next((v.metrics for v in found if v.number == state.champion), {}),
            **(judged[seat].metrics if (seat := state.champion or 0) in judged else {}),
        },
        "versions_waiting": [
            {"version": v.number, "state": v.state.value}
            for v in found
            if v.number != state.champion
        ],
        "hold": to_plain(state.hold),
        "runs": [
            {
                "run": run.id,
                "kind": run.spec.kind.value,
                "state": run.state.value,
                "progress": run.progress,
                "attempt": run.attempt,
                "worker": run.worker,
            }
            for run in tx.runs.find(Query(model=name, states=_RUNNING))
        ],
        "signals_waiting": [
            {"signal": s.id, "kind": s.kind.value, "status": s.status.value, "reason": s.reason}
            for s in pending
        ],
        "wake_at": to_plain(state.wake_at),
        "last_decisions": [
            summary(record) for record in tx.decisions.find(Query(model=name, limit=3))
        ],
        "rules": to_plain(rules.ref) if rules else None,
        "problems": _problems(state.error, rules.refused if rules else "no policy is in force"),
        "data": to_plain(tx.data.view(name)),
    }


def _problems(*found: str | None) -> list[str]:
    return [problem for problem in found if problem]


def _screen(document: dict[str, Any], named: dict[str, frozenset[str]]) -> Iterator[str]:
    for model in document["models"]:
        yield from _about(model, named[model["model"]])
        yield ""
    system = document["system"]
    waiting = ", ".join(f"{count} {topic}" for topic, count in system["outbox"].items() if count)
    yield (
        f"{system['decisions']:,} decisions, {system['signals_waiting']:,} signals waiting, "
        f"outbox {waiting or 'empty'}"
    )


def _about(model: dict[str, Any], named: frozenset[str]) -> Iterator[str]:
    known = figures(model["metrics"], named)
    seat = style(version_name(model["champion"]), bold=True) if model["champion"] else "nobody yet"
    yield f"{style(model['model'], bold=True)}  champion {seat}{'  ' + known if known else ''}"
    for version in model["versions_waiting"]:
        yield f"  {version['state']:<11} v{version['version']}"
    if model["hold"]:
        yield f"  on hold     {model['hold']['reason']} ({model['hold']['actor']})"
    for run in model["runs"]:
        share = f" {run['progress']:.0%}" if run["progress"] is not None else ""
        by = f" on {run['worker']}" if run["worker"] else ""
        yield f"  {run['state']:<11} {run['run']} ({run['kind']}){share}{by}"
    for signal in model["signals_waiting"]:
        why = f": {signal['reason']}" if signal["reason"] else ""
        yield f"  {signal['status']:<11} signal {signal['signal']} ({signal['kind']}){why}"
    for problem in model["problems"]:
        yield f"  {style('problem', fg='red')}     {problem}"
    for item in model["last_decisions"]:
        when = item["decided_at"][:16].replace("T", " ")
        yield f"  {when}  {item['verdict'].upper():<8} {item['reason']}  [{item['id']}]"
