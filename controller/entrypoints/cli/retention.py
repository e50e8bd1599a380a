"""`incumbent retention`: what archived versions' artifacts would leave, and then that they do."""

from __future__ import annotations

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import Conflict
from controller.entrypoints.cli.consumers import parse_span
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    print_json,
    print_table,
    tell_person,
)
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, known_model, pass_session
from controller.service.commands.submit import Command


@click.command()
@click.argument("model")
@click.option("--after", default="30d", show_default=True, help="Archived at least so long ago.")
@click.option(
    "--apply",
    "seen",
    metavar="PLAN",
    help="Carry out the plan of this digest, which a dry run printed.",
)
@word_options
@pass_session
def retention(
    session: CliSession,
    *,
    model: str,
    after: str,
    seen: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """List which artifacts of MODEL's archived versions would leave; with --apply they do, for good.

    Never the champion's, one that a rollback would restore, or one with an alias, a consumer or a hold.
    """
    from controller.service.registry.retention import Sweep, plan_retention

    with session.read() as tx:
        known_model(tx, model)
        plan = plan_retention(tx, model, parse_span(after), session.now())
    if seen is None:
        if as_json:
            body = {"model": model, "plan": plan.digest, "freed": plan.freed}
            print_json(
                {"schema_version": SCHEMA_VERSION, **body, "leaving": to_plain(plan.leaving)}
            )
            return 0
        rows = [
            {**to_plain(one), "name": f"v{one.version}", "since": f"{one.archived_at:%Y-%m-%d}",
             "note": "bytes stay, shared" if one.shared else ""}
            for one in plan.leaving
        ]  # fmt: skip
        print_table(_COLUMNS, rows, f"No artifact of {model} would leave.")
        if plan.leaving:
            tell_person(
                f"{plan.freed:,} bytes would be free. Carry it out with --apply {plan.digest}."
            )
        return 0
    if seen != plan.digest:
        raise Conflict(
            f"The plan is {plan.digest} by now, not {seen}.", hint="Look at the dry run again."
        )
    payload = {"versions": [one.version for one in plan.leaving]}
    says = Command(action="retain", model=model, reason=needed_reason(reason), payload=payload)
    words = f"{model}: {len(plan.leaving)} artifacts are taken away, {plan.freed:,} bytes. This cannot be undone."
    code = submit_command(
        session, PersonCommand(says=says, plan=words, yes=yes, wait=wait), as_json=as_json
    )
    if session.remote is None:
        swept = Sweep(session.store, session.artifacts, session.clock).run_once()
        tell_person(
            f"{swept.removed} taken away, {swept.kept} kept because others are made of them."
        )
    return code


_COLUMNS = (
    Column("VERSION", "name"),
    Column("ARCHIVED", "since"),
    Column("DIGEST", "digest"),
    Column("BYTES", "size", right=True),
    Column("", "note"),
)
