"""`incumbent review`: approve rules with a signature, and see what is proven about those that act."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NegativeAnswer, NotFound, UserError
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
    style,
    tell_person,
    time_cell,
    yes_option,
)
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.service.explain.provenance import signers_of

if TYPE_CHECKING:
    from controller.ports import ReviewRecord, Transaction

_MARKS = {"pass": "ok", "fail": "!!"}


@click.group()
def review() -> None:
    """Approve rules with a signature, and see what is proven about those that act."""


@review.command("approve")
@click.argument("revision")
@click.option(
    "--key", type=click.Path(path_type=Path), help="SSH key. Default: the usual ones in ~/.ssh."
)
@click.option(
    "--repo", type=click.Path(path_type=Path), default=Path(), help="Your clone. Default: here."
)
@click.option("--folder", default="rules", show_default=True, help="Folder of the policies.")
@click.option("--remote", default="origin", show_default=True, help="Where to push the approval.")
@click.option("--push/--no-push", default=True, help="Push the approval, or leave it in the clone.")
@yes_option
@json_option
@pass_session
def approve_rules(
    session: CliSession,
    revision: str,
    *,
    key: Path | None,
    repo: Path,
    folder: str,
    remote: str,
    push: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Sign REVISION and every policy of it with your SSH key, for servers that follow bare git.

    You say that you have read these policies as they are at REVISION; the server counts your word if its list of
    reviewers and of allowed signers has you, and you signed no commit of it.
    """
    from controller.adapters.git.approve import approve_revision, push_approval, read_statement
    from controller.entrypoints.cli.person_commands import confirmed

    used, now = key or _usual_key(), session.now()
    said = read_statement(repo.absolute(), revision, folder, now)
    policies = "\n".join(f"  {blob[:12]}  {path}" for path, blob in sorted(said.blobs.items()))
    plan = f"You approve {said.revision[:12]} with {used}, and these policies as they are there:\n{policies}"
    if not confirmed(plan, yes=yes):
        raise NegativeAnswer("Nothing was signed.")
    approved = approve_revision(repo.absolute(), said.revision, folder, used, now)
    if push:
        push_approval(repo.absolute(), remote, approved)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "revision": said.revision,
                "ref": approved.ref,
                "pushed": push,
                "policies": dict(said.blobs),
            }
        )
        return
    where = (
        f"pushed to {remote}"
        if push
        else f"in {repo}; push it with: git push {remote} {approved.ref}"
    )
    tell_person(f"Approved, {where}.")


@review.command("status")
@json_option
@pass_session
def review_status(session: CliSession, as_json: bool) -> None:
    """Show what is in force by proof, and why newer rules are not."""
    with session.read() as tx:
        document = _status(tx)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **document})
        return
    columns = [Column("MODEL", "model"), Column("POLICY", "path"), Column("REVISION", "short")]
    columns += [
        Column("SIGNED BY", "signed", fold=True),
        Column("REVIEWED BY", "who", fold=True),
        Column("NEWER REVISION", "refused", fold=True),
    ]
    cells = [
        {
            **row,
            "short": (row["revision"] or "")[:12],
            "signed": row["signers"] or "-",
            "who": row["reviewers"] or ("-" if row["review"] else "unreviewed"),
        }
        for row in document["policies"]
    ]
    print_table(columns, cells, "No policy is in force.")
    for row in document["refused"]:
        tell_person(f"{row['revision'][:12]} is refused: {row['reason']}")


def _status(tx: Transaction) -> dict[str, Any]:
    active = tx.rules.all_active()
    signers = {review: _signers(tx, review) for review in {r.ref.review for r in active} if review}
    policies = [
        {
            "model": rules.model,
            "path": rules.ref.path,
            "blob": rules.ref.blob,
            "revision": rules.ref.revision,
            "review": rules.ref.review,
            "reviewers": list(rules.ref.reviewers),
            "signers": signers.get(rules.ref.review or "", []),
            "refused": rules.refused,
        }
        for rules in active
    ]
    return {"policies": policies, "refused": [_row(record) for record in _refused(tx)]}


def _signers(tx: Transaction, review: str) -> list[str]:
    """Every name of every key that signed the commits of one review."""
    record = tx.reviews.get(review)
    held = signers_of(json.loads(record.evidence)["facts"]) if record else ()
    return sorted({name for signer in held for name in signer.names})


def _refused(tx: Transaction) -> Iterator[ReviewRecord]:
    """What was refused since the last proof of each repository, newest first."""
    ended: set[str] = set()
    for record in tx.reviews.latest(limit=100):
        if record.proven:
            ended.add(record.source)
        elif record.source not in ended:
            ended.add(record.source)
            yield record


def _row(record: ReviewRecord) -> dict[str, Any]:
    return {
        "digest": record.digest,
        "source": record.source,
        "revision": record.revision,
        "proven": record.proven,
        "recorded_at": to_plain(record.recorded_at),
        "reason": record.reason,
    }


@review.command("show")
@click.argument("name", required=False)
@json_option
@pass_session
def show_review(session: CliSession, name: str | None, as_json: bool) -> None:
    """Show the evidence NAME: the beginning of its digest or of a revision. Without NAME, the newest."""
    with session.read() as tx:
        record = _find(tx, name)
    evidence = json.loads(record.evidence)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **_row(record), "evidence": evidence})
        return
    for line in _screen(record, evidence):
        click.echo(line)


def _find(tx: Transaction, name: str | None) -> ReviewRecord:
    if name is not None and len(name) < 6:
        raise UserError(f"{name!r} is too short.", hint="Give at least six characters.")
    if name is not None and (found := tx.reviews.get(name)) is not None:
        return found
    for record in tx.reviews.latest(limit=10_000):
        if name is None or record.digest.startswith(name) or record.revision.startswith(name):
            return record
    what = (
        "No review has been recorded"
        if name is None
        else f"No evidence of a review is called {name}"
    )
    raise NotFound(f"{what}.", hint="`incumbent review status` says what is in force.")


def _screen(record: ReviewRecord, evidence: Mapping[str, Any]) -> Iterator[str]:
    verdict = style("proven", fg="green") if record.proven else style("refused", fg="red")
    yield f"{record.revision[:12]} {verdict}: {record.reason}"
    yield f"  {record.source} ({evidence['source']['provider']}), {time_cell(record.recorded_at)} UTC"
    yield ""
    for check in evidence["outcome"]["children"]:
        yield from _node(check, 1)
    signers = signers_of(evidence["facts"])
    if signers:
        yield ""
        yield "Signed commits"
    for signer in signers:
        names = ", ".join(signer.names) or "an unknown key"
        shas = ", ".join(sha[:12] for sha in signer.commits[:5])
        more = f" and {len(signer.commits) - 5} more" if len(signer.commits) > 5 else ""
        yield f"  {names} ({signer.key}) signed {shas}{more}"
    if evidence["counted"]:
        yield ""
        yield "Counted reviews"
    for item in evidence["counted"]:
        commit = item["commit"][:12]
        yield f"  {item['person']} ({item['account']}) approved {commit} in {item['pull']} at {item['at'][:16]} UTC"
    yield ""
    yield "Policies"
    for path, item in sorted(evidence["policies"].items()):
        who = ", ".join(item["reviewers"]) or "nobody"
        yield f"  {item['blob'][:12]}  {path}  read by {who}"
    yield ""
    yield f"Evidence {record.digest}"


def _node(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    mark = _MARKS.get(node["result"], node["result"])
    yield f"{'  ' * depth}{mark}  {node['name']}: {node['sentence']}"
    if len(node["children"]) > 1 or any(c["result"] != node["result"] for c in node["children"]):
        for child in node["children"]:
            yield from _node(child, depth + 1)


def _usual_key() -> Path:
    for name in ("id_ed25519", "id_ecdsa", "id_rsa"):
        path = Path.home() / ".ssh" / name
        if path.exists():
            return path
    raise UserError(
        "There is no SSH key in ~/.ssh.", hint="Name one with --key, or make one with ssh-keygen."
    )
