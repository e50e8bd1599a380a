"""`incumbent rollback`: take the champion back."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict
from controller.entrypoints.cli.people import Word, needed_reason, speak, word_options
from controller.entrypoints.cli.session import Session, known_model, parse_version, pass_session
from controller.service.words import Word as Said


@click.command()
@click.argument("model")
@click.option("--to", help="The version that takes the seat back. Default: what the policy says.")
@click.option("--expect-version", help="Only if this one is the champion now.")
@click.option(
    "--force", is_flag=True, help="At once, without proof that the earlier one still answers."
)
@word_options
@pass_session
def rollback(
    session: Session,
    *,
    model: str,
    to: str | None,
    expect_version: str | None,
    force: bool,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Take MODEL's champion out of its seat and give it back to an earlier one.

    A worker first loads the earlier version in a fresh process and lets it answer. The version that leaves is
    rejected, and automatic promotion rests until `incumbent release`, unless the policy says otherwise.
    """
    why = needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
        champion = tx.models.state(model).champion
    if champion is None:
        raise Conflict(f"{model} has no champion to roll back.")
    seen = champion if expect_version is None else parse_version(expect_version)
    back = None if to is None else parse_version(to)
    target = "the last champion that the policy trusts" if back is None else f"v{back}"
    proof = "at once" if force else "once that is proven to answer"
    plan = f"{model}: v{champion} leaves the seat to {target}, {proof}."
    says = Said(
        right="rollback", model=model, version=back, reason=why, expect_version=seen, force=force
    )
    return speak(session, Word(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json)
