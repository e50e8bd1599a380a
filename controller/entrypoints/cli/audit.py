"""`incumbent audit`, `incumbent lineage` and `incumbent anchor`: what was, and proof that it was so."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import (
    ConfigurationError,
    IncumbentError,
    NegativeAnswer,
    Unavailable,
    UserError,
)
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
)
from controller.entrypoints.cli.session import (
    CliSession,
    known_model,
    parse_version,
    parse_when,
    pass_session,
)
from controller.home import mode_like

if TYPE_CHECKING:
    from controller.service.replay.anchor import Anchor
    from controller.settings import Settings

_NOTES = "refs/notes/incumbent"


@click.command()
@click.argument("model")
@click.option("--at", help="Only the champion at this time: 2013-06-01, 36h.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv", "markdown"]), default="text",
    help="How it is printed.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def audit(session: CliSession, model: str, at: str | None, form: str, as_json: bool) -> None:
    """Say which version of MODEL was champion when, by which rule, on whose review and approval, and who undid it."""
    from controller.service.explain.audit import as_csv, audit_as_markdown
    from controller.service.explain.audit import reigns_of_model as seats_of

    with session.read() as tx:
        known_model(tx, model)
        seats = seats_of(tx, model, parse_when(at, session.now()))
    if as_json or form == "json":
        rows = [to_plain(seat) for seat in seats]
        print_json({"schema_version": SCHEMA_VERSION, "model": model, "reigns": rows})
    elif form == "csv":
        click.echo(as_csv(seats), nl=False)
    elif form == "markdown":
        click.echo(audit_as_markdown(seats))
    else:
        print_table(
            _COLUMNS, [_cells(to_plain(s)) for s in seats], f"{model} never had a champion."
        )
        for move in (move for seat in seats for move in seat.moved):
            click.echo(f"moved elsewhere, {move}")


_COLUMNS = (
    Column("CHAMPION", "name", style="bold"),
    Column("SINCE (UTC)", "from"),
    Column("UNTIL (UTC)", "to"),
    Column("DECISION", "decision", right=True),
    Column("BY", "actor"),
    Column("RULES", "by_rules"),
    Column("REVIEWED", "reviewed"),
    Column("APPROVED", "approved"),
    Column("UNDONE", "undone"),
    Column("REASON", "reason", fold=True),
)


def _cells(seat: dict[str, Any]) -> dict[str, Any]:
    undone = f"decision {seat['ended_decision']}, {seat['ended_actor']}"
    return {
        **seat,
        "name": f"v{seat['version']}",
        "from": seat["since"][:16].replace("T", " "),
        "to": (seat["until"] or "now")[:16].replace("T", " "),
        "by_rules": f"{seat['rules']} {(seat['revision'] or seat['blob'])[:12]}",
        "reviewed": ", ".join(seat["reviewers"]) or "-",
        "approved": "; ".join(seat["approvals"]) or "-",
        "undone": undone if seat["ended_by"] == "rollback" else "",
    }


@click.command()
@click.argument("name")
@json_option
@pass_session
def lineage(session: CliSession, name: str, as_json: bool) -> None:
    """Say where MODEL@VERSION comes from: signals, run, data, evaluation, and each of its moves."""
    from controller.service.explain.audit import lineage_of

    model, _, selector = name.partition("@")
    with session.read() as tx:
        known_model(tx, model)
        found = tx.aliases.resolve(model, selector or "champion")
        number = found.version.number if found else parse_version(selector or "0")
        document = lineage_of(tx, model, number)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **document})
        return
    for line in _story(document):
        click.echo(line)


def _story(found: dict[str, Any]) -> Iterator[str]:
    run = found["run"] or {}
    yield f"{found['model']} v{found['version']} ({found['state']}), artifact {found['digest']}"
    made = f"recipe {run.get('recipe')}, seed {run.get('seed')}"
    yield f"trained by {run.get('id')} (decision {run.get('decision')}), {made}"
    for signal in found["signals"]:
        yield f"because of signal {signal['id']} ({signal['kind']}) by {signal['actor']}"
    for batch in found["data"]["batches"]:
        yield f"on {batch['uri']} {batch['digest'][:12]} ({batch['rows']} rows)"
    judged = found["evaluation"]
    if judged:
        against = f"v{judged['against']}" if judged["against"] else "the baseline"
        yield f"judged in {judged['run']} against {against}"
    for move in found["moves"]:
        at, before = move["at"][:16].replace("T", " "), move["before"]
        step = f"{before} -> {move['after']}" if before else move["after"]
        yield f"{at} {step} by {move['actor']}, decision {move['decision']}"


@click.command()
@click.option(
    "--file", "path", type=click.Path(path_type=Path), help="Append to this file, or check it."
)
@click.option(
    "--git",
    "repository",
    type=click.Path(path_type=Path),
    help="Write a note on HEAD of this repository, or check it.",
)
@click.option("--check", is_flag=True, help="Hold the log against every anchor there.")
@json_option
@pass_session
def anchor(
    session: CliSession, path: Path | None, repository: Path | None, check: bool, as_json: bool
) -> int:
    """Keep the head of the chain outside of the database, signed with INCUMBENT_ANCHOR_KEY."""
    from controller.service.replay.anchor import check_anchor, make_anchor, read_anchors

    if (path is None) == (repository is None):
        raise UserError("Say where: --file FILE, or --git REPOSITORY.")
    secret = session.settings.anchor_key
    if secret is None:
        raise ConfigurationError(
            "There is no key to sign anchors with.",
            hint="Put one into INCUMBENT_ANCHOR_KEY or INCUMBENT_ANCHOR_KEY_FILE, outside of the database.",
        )
    key = secret.get_secret_value().encode()
    if check:
        found = read_anchors(_read(path, repository).splitlines())
        if not found:
            raise NegativeAnswer("There is no anchor to check by.")
        with session.read() as tx:
            wrong = [said for one in found if (said := check_anchor(tx, one, key))]
        if as_json:
            print_json({"schema_version": SCHEMA_VERSION, "anchors": len(found), "wrong": wrong})
        else:
            for sentence in wrong or [
                f"{len(found)} anchors hold, the newest is of decision {found[-1].decision}."
            ]:
                click.echo(sentence)
        return 1 if wrong else 0
    with session.read() as tx:
        made = make_anchor(tx, _place(session), key, session.now())
    _write(path, repository, made.line())
    _remember(session, made)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **to_plain(made)})
    else:
        click.echo(f"Decision {made.decision} is anchored with hash {made.hash[:12]}.")
    return 0


def _remember(session: CliSession, made: Anchor) -> None:
    """That there is an anchor is kept in the database and in home, so that `verify` says when the log falls short.

    A login that may not write leaves it to the file.
    """
    with contextlib.suppress(IncumbentError), session.store.begin() as tx:
        tx.decisions.remember_anchor(made.decision, made.hash)
    if session.given is None:
        file = anchored_file(session.settings)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode_like(file.parent))
        with file.open("a", encoding="utf-8") as lines:
            lines.write(made.line() + "\n")


def anchored_file(settings: Settings) -> Path:
    """Every anchor that was made from here, in home."""
    return settings.home / "anchored"


def _place(session: CliSession) -> str:
    return str(getattr(session.store, "place", "memory"))


def _read(path: Path | None, repository: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise UserError(f"{path} cannot be read: {why}.") from None
    return _git(repository, "log", "--format=%N", f"--notes={_NOTES}")


def _write(path: Path | None, repository: Path | None, line: str) -> None:
    if path is not None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.") from None
    else:
        _git(repository, "notes", f"--ref={_NOTES}", "append", "-m", line, "HEAD")


def _git(repository: Path | None, *words: str) -> str:
    command = ["git", "-C", str(repository), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"git does not answer: {error}.") from None
    if done.returncode:
        raise UserError(
            f"git says: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no'}"
        )
    return done.stdout
