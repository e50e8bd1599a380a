"""`incumbent backtest`: how often a policy would have trained, promoted, rolled back and held over a series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.domain.errors import UserError
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
    tell_person,
    version_name,
)
from controller.entrypoints.cli.session import CliSession, known_model, pass_session

if TYPE_CHECKING:
    from controller.domain.rules import Policy
    from controller.rulefmt.series import SeriesRow
    from controller.service.replay.backtest import Backtest

_VERDICTS = ("train", "advance", "promote", "hold", "reject", "rollback", "deprecate", "archive")


@click.command()
@click.argument("policies", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--series", type=click.Path(path_type=Path), help="A CSV or Parquet file.")
@click.option("--recorded", is_flag=True, help="The recorded history of the policy's model.")
@click.option("--svg", type=click.Path(path_type=Path), help="Write a plot to this file too.")
@json_option
@pass_session
def backtest(
    session: CliSession,
    *,
    policies: tuple[Path, ...],
    series: Path | None,
    recorded: bool,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Run one or two policies over a series in simulated time, side by side.

    The columns of a series are in docs/how-to/plan-a-change.md. Version 1 is champion at the start.
    """
    from controller.adapters.memory.store import MemoryStore
    from controller.service.replay.backtest import run_backtest

    if len(policies) > 2:
        raise UserError("A backtest compares two policies at most.")
    if (series is None) != recorded:
        raise UserError("Say --series FILE or --recorded, one of the two.")
    loaded = [_load(path) for path in policies]
    rows = _rows(session, series, loaded[0])
    results = [
        run_backtest(str(path), policy, rows, MemoryStore)
        for path, policy in zip(policies, loaded, strict=True)
    ]
    if svg is not None:
        from controller.entrypoints.cli.backtest_svg import as_svg

        svg.write_text(as_svg(results), encoding="utf-8")
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "policies": [_document(r) for r in results]})
    else:
        _table(results)


def _load(path: Path) -> Policy:
    from controller.rulefmt import load_policy, read_policy_text

    return load_policy(read_policy_text(path), str(path))


def _rows(session: CliSession, series: Path | None, policy: Policy) -> list[SeriesRow]:
    if series is not None:
        from controller.adapters.series_files import read_series

        return read_series(series)
    from controller.service.replay.backtest import recorded_series

    with session.read() as tx:
        known_model(tx, policy.model)
        return recorded_series(tx, policy.model)


def _table(results: list[Backtest]) -> None:
    columns = [Column("", "what")]
    columns += [Column(result.policy, str(n), right=True) for n, result in enumerate(results)]
    rows = [
        {"what": verdict, **{str(n): r.counts.get(verdict, 0) for n, r in enumerate(results)}}
        for verdict in _VERDICTS
        if any(r.counts.get(verdict) for r in results) or verdict in _VERDICTS[:5]
    ]
    seats = {str(n): version_name(r.champion) for n, r in enumerate(results)}
    print_table(columns, [*rows, {"what": "champion at the end", **seats}], "")
    for result in results:
        if result.unknown:
            tell_person(
                f"{result.policy}: cannot know what {result.unknown} of its trainings would have "
                "brought, the series holds no candidate for them."
            )


def _document(result: Backtest) -> dict[str, Any]:
    return {
        "policy": result.policy,
        "start": result.start,
        "end": result.end,
        "counts": {verdict: result.counts.get(verdict, 0) for verdict in _VERDICTS},
        "champion": result.champion,
        "unknown_trainings": result.unknown,
        "moments": result.moments,
    }
