"""`incumbent status`: who sits where, what runs, what waits, and what went wrong last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    figures,
    json_option,
    print_json,
    style,
    tell_person,
    version_name,
)
from controller.entrypoints.cli.session import CliSession, gate_metrics, known_model, pass_session

if TYPE_CHECKING:
    from controller.service.loops.leadership import Lead


@click.command()
@click.argument("model", required=False)
@json_option
@pass_session
def status(session: CliSession, *, model: str | None, as_json: bool) -> None:
    """Show each model's champion, challengers, running work, waiting signals and last decision."""
    from controller.service.explain.overview import model_at_a_glance, model_names
    from controller.service.loops.leadership import who_leads

    with session.read() as tx:
        if model is not None:
            known_model(tx, model)
        names = [model] if model else model_names(tx)
        named = {name: gate_metrics(session, tx, name) for name in names}
        document = {
            "schema_version": SCHEMA_VERSION,
            "models": [model_at_a_glance(tx, name) for name in names],
            "system": {
                "signals_waiting": tx.signals.count_waiting(),
                "outbox": dict(tx.outbox.depth()),
                "decisions": tx.decisions.head()[0],
                "controllers": _controllers(who_leads(tx)),
                "counters": dict(tx.counters.all()),
            },
        }
    if as_json:
        print_json(document)
        return
    if not names:
        tell_person("No policy is in force yet; start with `incumbent up`.")
    for line in _screen(document, named):
        click.echo(line)


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
    for row in system["controllers"]:
        yield f"  {'leads' if row['leads'] else 'stands by':<11} {row['host']}:{row['pid']} (version {row['version']})"
    ignored = {name: count for name, count in system["counters"].items() if count}
    if ignored:
        yield "  counted     " + ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in ignored.items()
        )


def _controllers(lead: Lead) -> list[dict[str, Any]]:
    """The controllers of a shared database; an embedded one has a single one and keeps no book of it."""
    rows = [lead.leader] if lead.leader else []
    return [
        {"host": row.host, "pid": row.pid, "version": row.version, "leads": row is lead.leader}
        for row in (*rows, *lead.others)
    ]


def _about(model: dict[str, Any], named: frozenset[str]) -> Iterator[str]:
    known = figures(model["metrics"], named)
    seat = style(version_name(model["champion"]), bold=True) if model["champion"] else "none yet"
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
