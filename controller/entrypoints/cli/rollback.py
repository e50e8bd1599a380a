"""`incumbent rollback`: take the champion back."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict
from controller.domain.signals import SignalKind
from controller.entrypoints.cli.people import Word, needed_reason, speak, word_options
from controller.entrypoints.cli.session import Session, known_model, parse_version, pass_session


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
    payload: dict[str, object] = {"reason": why, "expect_version": seen}
    if force:
        payload["force"] = True
    if to is not None:
        payload["to"] = parse_version(to)
    target = f"v{payload['to']}" if to is not None else "the last champion that the policy trusts"
    proof = "at once" if force else "once that is proven to answer"
    plan = f"{model}: v{champion} leaves the seat to {target}, {proof}."
    word = Word(
        model=model, kind=SignalKind.ROLLBACK, plan=plan, payload=payload, yes=yes, wait=wait
    )
    return speak(session, word, as_json=as_json)
