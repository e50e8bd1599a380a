"""`incumbent rollback`: take the champion back."""

from __future__ import annotations

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import Conflict
from controller.entrypoints.cli.output import SCHEMA_VERSION, json_option, print_json, tell_person
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    await_end,
    key_option,
    needed_reason,
    report_answer,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, known_model, parse_version, pass_session
from controller.service.commands.submit import Command


@click.command()
@click.argument("model")
@click.option("--to", help="The version to return to. Default: what the policy says.")
@click.option("--expect-version", help="Only if this one is the champion now.")
@click.option(
    "--force",
    is_flag=True,
    help="At once, without checking that the earlier version still answers.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check that the earlier version loads and answers; the champion stays.",
)
@key_option
@word_options
@pass_session
def rollback(
    session: CliSession,
    *,
    model: str,
    to: str | None,
    expect_version: str | None,
    force: bool,
    dry_run: bool,
    key: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Make an earlier version of MODEL the champion again.

    A worker first loads the earlier version in a fresh process and lets it answer. The present champion is
    rejected, and automatic promotion is on hold until `incumbent release`, unless the policy says otherwise.
    """
    why = "dry run" if dry_run and not reason else needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
        champion = tx.models.state(model).champion
    if champion is None:
        raise Conflict(f"{model} has no champion to roll back.")
    # Of what is said again, nothing is expected that nobody said.
    shown = None if key else champion
    seen = shown if expect_version is None else parse_version(expect_version)
    back = None if to is None else parse_version(to)
    target = "the earlier champion that the policy names" if back is None else f"v{back}"
    if dry_run:
        return _proven(session, (model, back, why), wait, as_json=as_json)
    proof = "at once" if force else "once a worker has checked that it answers"
    plan = f"{model}: rolls back from v{champion} to {target}, {proof}."
    says = Command(
        action="rollback",
        model=model,
        version=back,
        reason=why,
        expect_version=seen,
        force=force,
        key=key,
    )
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


@click.command()
@click.argument("model")
@click.option(
    "--to", help="Check this version. Default: the version that a rollback would restore."
)
@click.option("--last", is_flag=True, help="Only say when a rollback was last checked.")
@click.option("--reason", default="a drill", show_default=True, help="Why, for the log.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=60.0, show_default=True,
    help="Seconds to wait for the proof.",
)  # fmt: skip
@json_option
@pass_session
def drill(
    session: CliSession,
    *,
    model: str,
    to: str | None,
    last: bool,
    reason: str,
    wait: float,
    as_json: bool,
) -> int:
    """Prove that MODEL's champion could be taken back: a worker loads the earlier version and asks it.

    The champion stays. A policy does it on a schedule with `rollback: {drill: 7d}`.
    """
    from controller.service.explain.drills import last_proof

    with session.read() as tx:
        known_model(tx, model)
        proof = last_proof(tx, model)
    if last:
        if as_json:
            print_json({"schema_version": SCHEMA_VERSION, "model": model, "last": to_plain(proof)})
        else:
            click.echo(proof.sentence if proof else f"A rollback of {model} was never checked.")
        return 0 if proof else 1
    if proof is not None:
        tell_person(proof.sentence)
    back = None if to is None else parse_version(to)
    return _proven(session, (model, back, reason), wait, as_json=as_json)


def _proven(
    session: CliSession, what: tuple[str, int | None, str], wait: float, *, as_json: bool
) -> int:
    """Say the drill, and wait for its end: the signal is deferred until the worker reported."""
    model, back, why = what
    payload: dict[str, object] = {"drill": True} if back is None else {"drill": True, "to": back}
    number, _ = session.say(Command(action="drill", model=model, reason=why, payload=payload))
    answered = await_end(session, model, number, wait)
    return report_answer(answered, as_json=as_json)
