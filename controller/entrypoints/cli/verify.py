"""`incumbent verify`: is every decision what its snapshot and rules give, and is the log whole?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import UserError
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    console,
    json_option,
    on_terminal,
    print_json,
    tell_person,
)
from controller.entrypoints.cli.session import CliSession, pass_session

if TYPE_CHECKING:
    from controller.ports import Transaction
    from controller.service.replay.verify import Verification

_SHOWN = 5


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--all", "everything", is_flag=True, help="Every decision, and the whole chain.")
@click.option(
    "--evidence", is_flag=True, help="Compute NUMBER's evidence again from the stored predictions."
)
@json_option
@pass_session
def verify(
    session: CliSession, number: int | None, everything: bool, evidence: bool, as_json: bool
) -> int:
    """Derive decision NUMBER again, or --all, from the stored snapshot and rules, byte for byte.

    Needs no worker and no data. Ends with exit code 1 and the first decision that was tampered with.
    """
    from controller.rulefmt import blob_id
    from controller.service.replay.verify import Verifier

    if evidence and number is not None:
        return _evidence(session, number, as_json=as_json)
    if (number is None) != everything:
        raise UserError("Name one decision, or say --all.", hint="For example: incumbent verify 3")
    with session.read() as tx:
        verifier = Verifier(tx, session.parse_rules, blob_id)
        if number is not None:
            found = verifier.one(number)
        else:
            with _progress() as progress:
                found = verifier.all(progress)
            found = _by_anchors(session, tx, found)
    if as_json:
        print_json(_document(found))
    else:
        _report(found, number)
    return 0 if found.whole else 1


def _by_anchors(session: CliSession, tx: Transaction, found: Verification) -> Verification:
    """The same, held against the anchors that were made from here; a database can be made to forget them."""
    from controller.entrypoints.cli.audit import anchored_file
    from controller.service.replay.anchor import lacking, read_anchors
    from controller.service.replay.verify import VerifyDifference

    if session.given is not None or found.first is not None:
        return found
    try:
        lines = anchored_file(session.settings).read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    place = str(getattr(session.store, "place", ""))
    for anchor in (one for one in read_anchors(lines) if one.database == place):
        stray = lacking(tx, anchor.decision, anchor.hash)
        if stray is not None:
            return replace(
                found, first=VerifyDifference(decision=stray.decision, sentence=stray.sentence)
            )
    return found


def _evidence(session: CliSession, number: int, *, as_json: bool) -> int:
    from controller.entrypoints.cli.verify_evidence import recomputed

    evaluation, differences, left_out = recomputed(session, number)
    gates = len(evaluation.evidence) - len(left_out)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "decision": number,
                "run": evaluation.run,
                "predictions": evaluation.predictions,
                "gates": gates,
                "differences": differences,
                "left_out": left_out,
            }
        )
        return 1 if differences else 0
    for sentence in left_out:
        tell_person(f"Note: {sentence}")
    if differences:
        for sentence in differences:
            tell_person(sentence)
    else:
        click.echo(
            f"The evidence of {gates} gates was computed again from the stored predictions of "
            f"{evaluation.run}, bit for bit as recorded."
        )
    return 1 if differences else 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr where a person looks; nothing elsewhere."""
    if not on_terminal(stderr=True):
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bars:
        task = bars.add_task("Deciding again", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _document(found: Verification) -> dict[str, Any]:
    document: dict[str, Any] = to_plain(found)
    return {"schema_version": SCHEMA_VERSION, "whole": found.whole, **document}


def _report(found: Verification, number: int | None) -> None:
    reworded = [finding for finding in found.findings if finding.wording]
    others = [finding for finding in found.findings if not finding.wording]
    for finding in others[:_SHOWN]:
        tell_person(f"Finding: {finding.sentence}")
    if len(others) > _SHOWN:
        tell_person(f"Finding: {len(others) - _SHOWN} more like this; --json lists them.")
    if len(reworded) == 1:
        tell_person(f"Note: {reworded[0].sentence}")
    elif reworded:
        tell_person(
            f"Note: {len(reworded):,} decisions were taken by an earlier engine version; "
            "this version decides the same in other words. --json lists them."
        )
    for remark in found.remarks[:_SHOWN]:
        tell_person(f"Note: {remark}")
    if len(found.remarks) > _SHOWN:
        tell_person(f"Note: {len(found.remarks) - _SHOWN} more like this; --json lists them.")
    if found.first is not None:
        click.echo(found.first.sentence)
    elif number is not None:
        same = "as recorded" if not found.findings else "a whole record, by another engine version"
        click.echo(f"Decision {number}: derived again, {same}. Hash {found.head[:12]}.")
    else:
        noun = "decision" if found.checked == 1 else "decisions"
        other = f", {len(found.findings)} by another engine version" if found.findings else ""
        click.echo(
            f"{found.checked:,} {noun} derived again, all as recorded{other}. "
            f"The chain is whole, its head is {found.head[:12]}, and the registry is what they made."
        )
        if found.covered_since is not None:
            click.echo(
                "Signals, answers, approvals and comments are as they say: covered from decision "
                f"{found.covered_since:,} on."
            )
