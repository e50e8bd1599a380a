"""`incumbent approve`, `withdraw` and `reject`: a person's word on a challenger that waits for one."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict, NotFound
from controller.domain.evidence import Evaluation
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, known_model, parse_version, pass_session
from controller.service.commands.submit import Command


@click.command()
@click.argument("model")
@click.argument("version")
@click.option("--evidence", help="Only if this is still the digest of what it is judged by.")
@word_options
@pass_session
def approve(
    session: CliSession,
    *,
    model: str,
    version: str,
    evidence: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Approve the challenger VERSION of MODEL. The approval counts for the evidence that is there now."""
    number, why = parse_version(version), needed_reason(reason)
    present = _evaluation(session, model, number).digest
    if evidence is not None and not present.startswith(evidence):
        raise Conflict(
            f"The evidence about v{number} is {present[:12]} now, not {evidence[:12]}.",
            hint=f"Look again: `incumbent explain {model}`.",
        )
    plan = f"{model}: you approve v{number} by the evidence {present[:12]}."
    says = Command(action="approve", model=model, version=number, evidence=present, reason=why)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


@click.command()
@click.argument("model")
@click.argument("version")
@word_options
@pass_session
def withdraw(
    session: CliSession,
    *,
    model: str,
    version: str,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Take your approval of the challenger VERSION of MODEL back, while it waits."""
    number, why = parse_version(version), needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
    plan = f"{model}: your approval of v{number} does not count any more."
    says = Command(action="withdraw", model=model, version=number, reason=why)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


@click.command()
@click.argument("model")
@click.argument("version")
@word_options
@pass_session
def reject(
    session: CliSession,
    *,
    model: str,
    version: str,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Send the challenger VERSION of MODEL away."""
    number, why = parse_version(version), needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
    plan = f"{model}: v{number} is rejected and cannot be promoted any more."
    says = Command(action="reject", model=model, version=number, reason=why)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


def _evaluation(session: CliSession, model: str, number: int) -> Evaluation:
    with session.read() as tx:
        known_model(tx, model)
        found = tx.registry.evaluations(model, (number,)).get(number)
    if found is None:
        raise NotFound(
            f"There is no evidence about {model} v{number} to approve.",
            hint=f"`incumbent versions {model}` lists its versions.",
        )
    return found
