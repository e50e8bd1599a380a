"""`incumbent versions MODEL`: every version of a model and where it stands."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import UserError
from controller.domain.evidence import Evaluation
from controller.domain.versions import Version, VersionState
from controller.entrypoints.cli.output import Column, figures, json_option, print_list, print_table
from controller.entrypoints.cli.session import (
    Session,
    gate_metrics,
    known_model,
    only_model,
    pass_session,
)


@click.command()
@click.argument("model", required=False)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([s.value for s in VersionState]),
    help="Only versions in this state; may be given several times.",
)
@click.option("--limit", "-n", type=click.IntRange(min=1), help="At most so many, the newest.")
@json_option
@pass_session
def versions(
    session: Session, model: str | None, states: tuple[str, ...], limit: int | None, as_json: bool
) -> None:
    """List the versions of MODEL, newest first; the champion is marked."""
    with session.read() as tx:
        name = model or only_model(tx)
        if name is None:
            raise UserError("Name a model.", hint="`incumbent status` lists them.")
        known_model(tx, name)
        wanted = {VersionState(s) for s in states} or None
        found = tx.registry.versions(name, states=wanted, limit=limit)
        judged = tx.registry.evaluations(name, [v.number for v in found])
        rows = [_row(version, judged.get(version.number)) for version in found]
        named = gate_metrics(session, tx, name)
    if as_json:
        print_list(rows)
        return
    empty = f"{name} has no version{' in that state' if states else ' yet'}."
    print_table(_COLUMNS, [_cells(row, named) for row in rows], empty)


_COLUMNS = (
    Column("", "mark", style="bold green"),
    Column("VERSION", "name"),
    Column("STATE", "state"),
    Column("CREATED (UTC)", "created"),
    Column("RUN", "run"),
    Column("METRICS", "figures", fold=True),
    Column("DIGEST", "short"),
)


def _row(version: Version, evaluation: Evaluation | None) -> dict[str, Any]:
    """`metrics` are those of the newest holdout, over those that training reported."""
    metrics = {**version.metrics, **(evaluation.metrics if evaluation else {})}
    return {
        "version": version.number,
        "state": version.state.value,
        "champion": version.state is VersionState.CHAMPION,
        "digest": version.digest,
        "run": version.run,
        "metrics": metrics,
        "created_at": to_plain(version.created_at),
        "model": version.model,
        "recipe": version.recipe,
        "size": version.size,
        "data_through": version.data_through,
        "decision": version.decision,
        "verified": version.verified,
        "promoted_at": to_plain(version.promoted_at),
    }


def _cells(row: dict[str, Any], named: frozenset[str]) -> dict[str, Any]:
    return {
        **row,
        "mark": "*" if row["champion"] else "",
        "name": f"v{row['version']}",
        "created": row["created_at"][:16].replace("T", " "),
        "figures": figures(row["metrics"], named),
        "short": row["digest"][:12],
    }
