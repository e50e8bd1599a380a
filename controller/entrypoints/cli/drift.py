"""`incumbent drift MODEL`: how the data moved, how the champion does since, what is in quarantine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from controller.domain.errors import NotFound, StorageFull, UserError
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
    tell_person,
    time_cell,
)
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, known_model, pass_session
from controller.service.commands.submit import Command, release_payload
from controller.service.explain.drift_report import (
    ColumnMoves,
    DriftComparison,
    DriftView,
    drift_view,
)

_BARS = "▁▂▃▄▅▆▇█"
_MOST_MOVED = 3


class DriftGroup(click.Group):
    """Takes `show` where no subcommand is named: `incumbent drift flight-delay`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `show` before words that name no subcommand."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=DriftGroup)
def drift() -> None:
    """How a model's data moved: `incumbent drift MODEL`."""


@drift.command("show")
@click.argument("model")
@click.option("--reference", help="Only against this reference: training, previous, ...")
@click.option("--column", "columns", multiple=True, help="Only this column; may be repeated.")
@click.option("--looks", type=click.IntRange(2, 500), default=30, help="Batches of the history.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a report, one file, here.")
@json_option
@pass_session
def show_drift(
    session: CliSession,
    *,
    model: str,
    reference: str | None,
    columns: tuple[str, ...],
    looks: int,
    html: Path | None,
    as_json: bool,
) -> None:
    """Columns, effects, their history and the bins that moved most; skew, decay and quarantine."""
    with session.read() as tx:
        known_model(tx, model)
        view = drift_view(tx, session.artifacts, model, looks=looks)
    if reference is not None and reference not in {c.reference for c in view.comparisons}:
        known = ", ".join(c.reference for c in view.comparisons) or "nothing yet"
        raise NotFound(
            f"{model} is not compared with {reference!r}.", hint=f"It is compared with {known}."
        )
    if html is not None:
        _write(html, view, session)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **_plain(view)})
    elif html is None:
        _print(view, reference, columns)


def _plain(view: DriftView) -> dict[str, Any]:
    from controller.domain.canonical import to_plain

    found: dict[str, Any] = to_plain(view)
    return found


def _write(path: Path, view: DriftView, session: CliSession) -> None:
    from controller.entrypoints.drift_html import drift_document

    text = drift_document(view, session.now())
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageFull(f"{path} cannot be written: {error.strerror}.") from error
    tell_person(f"{path}: {len(text.encode()):,} bytes.")


# --- text -----------------------------------------------------------------------------------------------------


def _print(view: DriftView, reference: str | None, columns: tuple[str, ...]) -> None:
    if not (view.looks or view.skew or view.decay or view.quarantined):
        tell_person(
            f"Nobody has looked at the data of {view.model} yet: a drift, decay or skew trigger, or data.expect, asks "
            "for it."
        )
        return
    for comparison in view.comparisons:
        if reference in (None, comparison.reference):
            _comparison(view, comparison, columns)
    if reference is not None:
        return
    if view.skew is not None:
        click.echo(f"\nServed rows ({view.skew.run}, {view.skew.matched:,} met by key)")
        for reason in view.skew.comparison.reasons:
            click.echo(f"  {reason}")
        if not view.skew.comparison.reasons:
            click.echo(f"  {view.skew.comparison.verdict}")
    _decay(view)
    _quarantine(view)


def _comparison(view: DriftView, found: DriftComparison, columns: tuple[str, ...]) -> None:
    newest = view.looks[-1]
    against = "the training data" if found.reference == "training" else found.reference
    rows = f" of {found.reference_rows:,} rows" if found.reference_rows else ""
    click.echo(
        f"{view.model}: {found.verdict} in {found.rows:,} rows ({newest.run}, {time_cell(newest.at)}) against "
        f"{against}{rows}"
    )
    if found.problem:
        click.echo(f"  {found.problem}")
        return
    shown = [c for c in found.columns if not columns or c.column in columns]
    if columns and not shown:
        raise UserError(f"No column is called {columns[0]}.", hint=f"{_names(found.columns)}.")
    print_table(_COLUMNS, [_cells(column) for column in shown], "No column could be compared.")
    for column in shown:
        for line in _why(column):
            click.echo(line)


def _names(columns: Sequence[ColumnMoves]) -> str:
    return "There are " + ", ".join(c.column for c in columns[:12])


_COLUMNS = (
    Column("COLUMN", "column"),
    Column("VERDICT", "verdict"),
    Column("JS", "js", right=True),
    Column("PSI", "psi", right=True),
    Column("NULLS ±", "nulls", right=True),
    Column("P", "p", right=True),
    Column("HISTORY", "history"),
)


def _cells(column: ColumnMoves) -> dict[str, Any]:
    return {
        "column": column.column,
        "verdict": column.verdict,
        "js": column.effect,
        "psi": column.values.get("psi"),
        "nulls": column.values.get("null_rate"),
        "p": column.p_value,
        "history": sparkline(column.history),
    }


def _why(column: ColumnMoves) -> Iterator[str]:
    if column.verdict not in ("alert", "warn"):
        return
    yield f"  {column.column}: {'; '.join(column.reasons) or column.verdict}"
    for label, before, now in column.moved[:_MOST_MOVED]:
        yield f"    {label}: {before:.1%} -> {now:.1%}"


def sparkline(values: Sequence[float | None]) -> str:
    """A history as one row of bars, from zero to its largest value; a gap where nothing was measured."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    top = max(known, default=0.0)
    return "".join(
        " " if value is None else _BARS[round((len(_BARS) - 1) * value / top)] if top else _BARS[0]
        for value in values
    )


def _decay(view: DriftView) -> None:
    if view.decay is None:
        return
    seat = f"v{view.decay.version}" if view.decay.version else "the champion"
    click.echo(f"\n{seat} on {view.decay.labels:,} labels since it was judged ({view.decay.run})")
    for reading in view.decay.readings:
        click.echo(f"  {reading.get('name')}: {reading.get('problem') or reading.get('sentence')}")
    for metric, days in view.decay.days.items():
        values = [value for _, value, _ in days]
        click.echo(f"  {metric} by day, {days[0][0]} to {days[-1][0]}: {sparkline(values)}")
    for estimate in view.decay.estimates:
        if "value" in estimate:
            click.echo(
                f"  {estimate['metric']} before labels: {estimate['value']:.4g} (estimated by {estimate['method']} on "
                f"{estimate['rows']:,} rows, {estimate['low']:.4g} to {estimate['high']:.4g})"
            )


def _quarantine(view: DriftView) -> None:
    for batch in view.quarantined:
        rows = f", {batch.failing:,} of {batch.rows or 0:,} rows" if batch.failing else ""
        click.echo(f"\nBatch {batch.sequence} is in quarantine{rows}: {batch.reason} ({batch.uri})")
        for example in batch.examples[:_MOST_MOVED]:
            click.echo("    " + ", ".join(f"{k}={v}" for k, v in list(example.items())[:8]))
        click.echo(
            f"    incumbent drift release {view.model} {batch.sequence} --reason ... lets it in"
        )


# --- release and calibrate ------------------------------------------------------------------------------------


@drift.command("release")
@click.argument("model")
@click.argument("batch", type=click.IntRange(min=1))
@word_options
@pass_session
def release_batch(
    session: CliSession,
    *,
    model: str,
    batch: int,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Let a batch out of quarantine: from then on it is data like any other, and counts as new."""
    why = needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
        release_payload(tx, model, batch, why)
        held = next(b for b in tx.data.quarantined(model) if b.sequence == batch)
    plan = f"{model}: batch {batch} ({held.uri}) is trained on from now on. It was kept out because: {held.quarantined}"
    says = Command(action="release_batch", model=model, reason=why, payload={"batch": batch})
    word = PersonCommand(says=says, plan=plan, yes=yes, wait=wait)
    code = submit_command(session, word, as_json=as_json)
    tell_person(f"Batch {batch} is data again.")
    return code


@drift.command()
@click.argument("model")
@click.option("--column", help="Only this column.")
@click.option(
    "--rows", type=click.IntRange(min=500), help="Rows of a batch; else the newest one's."
)
@click.option(
    "--false-alarms",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.01,
    show_default=True,
    help="Share of reports that may alarm where nothing drifted.",
)
@click.option("--seed", type=int, default=20130101, show_default=True)
@json_option
@pass_session
def calibrate(
    session: CliSession,
    *,
    model: str,
    column: str | None,
    rows: int | None,
    false_alarms: float,
    seed: int,
    as_json: bool,
) -> None:
    """Thresholds that the reference itself exceeds only so often: from its accepted batches where there are ten."""
    from controller.entrypoints.cli.drift_calibrate import CalibrationRequest, calibrated_thresholds

    asked = CalibrationRequest(column=column, rows=rows, false_alarms=false_alarms, seed=seed)
    found = calibrated_thresholds(session, model, asked)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **found})
        return
    how = (
        f"{found['windows']} accepted batches, each against the others"
        if found["from_batches"]
        else f"{found['windows']:,} windows of {found['rows']:,} rows drawn from the training data: sampling noise, "
        "without how it wanders from day to day"
    )
    click.echo(f"{model}: exceeded in {false_alarms:.2%} of undrifted reports; {how}.")
    print_table(_THRESHOLDS, found["thresholds"], "No column can be calibrated.")
    best = next((t for t in found["thresholds"] if t["metric"] == "psi"), None)
    if best is not None:
        click.echo(
            f"For example: drift: {{columns: [{best['column']}], metric: psi, above: {best['alert']:.3g}}}"
        )


_THRESHOLDS = (
    Column("COLUMN", "column"),
    Column("METRIC", "metric"),
    Column("WARN", "warn", right=True),
    Column("ALERT", "alert", right=True),
)
