"""Audit: which version was champion when, by which rule, on whose review and approval, and who undid it.

Everything is read from the decision log and the facts, and each line names the decision that it follows from, so that
`incumbent verify` can prove it. Nothing here can write.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound
from controller.domain.snapshot import ApprovalView
from controller.domain.versions import Reign, VersionFact, VersionState
from controller.policy.approvals import asked_for, said_by_people
from controller.ports import Transaction
from controller.service.deciding.askers import askers
from controller.service.deciding.causes import caused_by, posted_by
from controller.service.deciding.foreign_moves import SettledMove, settled_moves

_ALL = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """One reign, and everything that stands behind it."""

    model: str
    version: int
    generation: int
    since: datetime
    until: datetime | None
    decision: int
    reason: str
    actor: str
    cause: str
    rules: str
    revision: str | None
    blob: str
    review: str | None
    reviewers: tuple[str, ...]
    approvals: tuple[str, ...]
    digest: str
    run: str
    data_through: int
    hash: str
    ended_by: str = ""
    ended_decision: int | None = None
    ended_reason: str = ""
    ended_actor: str = ""
    moved: tuple[str, ...] = ()
    """Who moved the champion elsewhere during the reign, and how each move was settled by which decision."""


def reigns_of_model(tx: Transaction, model: str, at: datetime | None = None) -> list[Seat]:
    """Every reign, newest first; with ``at`` the one at that moment. NotFound if nobody sat there then."""
    facts, moves = tx.facts.of(model), list(settled_moves(tx, model))
    seats = [
        replace(_seat(tx, model, reign, facts), moved=_moved(moves, reign))
        for reign in tx.registry.history(model, _ALL)
    ]
    if at is None:
        return seats
    found = [s for s in seats if s.since <= at and (s.until is None or at < s.until)]
    if not found:
        first = f" It has had one since {seats[-1].since:%Y-%m-%d %H:%M} UTC." if seats else ""
        raise NotFound(f"{model} had no champion at {at:%Y-%m-%d %H:%M} UTC.{first}")
    return found


def _seat(tx: Transaction, model: str, reign: Reign, facts: list[VersionFact]) -> Seat:
    came = next(
        fact
        for fact in facts
        if fact.version == reign.version
        and fact.after is VersionState.CHAMPION
        and fact.at == reign.since
    )
    record = tx.decisions.get(came.decision)
    if record is None:  # pragma: no cover - a foreign key holds it
        raise NotFound(f"Decision {came.decision} is not in the log.")
    body = json.loads(record.decision)
    (version,) = tx.registry.versions(model, numbers=(reign.version,))
    ended = _ended(facts, reign)
    return Seat(
        model=model,
        version=reign.version,
        generation=reign.generation,
        since=reign.since,
        until=reign.until,
        decision=came.decision,
        reason=body["reason"],
        actor=record.actor + posted_by(caused_by(record, body)),
        cause=_cause(body),
        rules=record.rules.path,
        revision=record.rules.revision,
        blob=record.rules.blob,
        review=record.rules.review,
        reviewers=record.rules.reviewers,
        approvals=_approvals(tx, model, reign),
        digest=version.digest,
        run=version.run,
        data_through=version.data_through,
        hash=record.hash,
        ended_by=reign.ended_by,
        ended_decision=ended.decision if ended else None,
        ended_reason=ended.reason if ended else "",
        ended_actor=_ended_by(tx, ended) if ended else "",
    )


def _ended_by(tx: Transaction, ended: VersionFact) -> str:
    """Who ended the reign, and who posted the figure that was the cause."""
    record = tx.decisions.get(ended.decision)
    said = posted_by(caused_by(record, json.loads(record.decision))) if record else ""
    return ended.actor + said


def _ended(facts: Iterable[VersionFact], reign: Reign) -> VersionFact | None:
    return next(
        (
            fact
            for fact in facts
            if fact.version == reign.version
            and fact.before is VersionState.CHAMPION
            and fact.at == reign.until
        ),
        None,
    )


def _moved(moves: Iterable[SettledMove], reign: Reign) -> tuple[str, ...]:
    """Those of the reign; the one that was adopted ended it."""
    return tuple(
        f"decision {move.decision} ({move.at:%Y-%m-%d %H:%M} UTC) {move.how}: {move.seen}"
        for move in moves
        if reign.since < move.at and (reign.until is None or move.at <= reign.until)
    )


def _cause(body: Mapping[str, Any]) -> str:
    seated = next(a for a in body["actions"] if a["kind"] == "set_champion")
    return str(seated["cause"])


def _approvals(tx: Transaction, model: str, reign: Reign) -> tuple[str, ...]:
    words = [w for w in tx.models.approvals(model) if w.version == reign.version]
    said = [word for word in said_by_people(words) if word.at <= reign.since]
    asked = askers(tx, model, reign.version) if said else frozenset()
    return tuple(f"{word.actor} {_SAID[word.word]} {_about(word, asked)}" for word in said)


_SAID = {"approve": "approved", "reject": "rejected", "withdraw": "took back the approval of"}


def _about(word: ApprovalView, asked: frozenset[str]) -> str:
    instead = f" for {word.behalf}" if word.behalf else ""
    found = asked_for(word.actor, word.behalf, asked) if word.agrees else ""
    why = f" (does not count: {found} asked for the training)" if found else ""
    return f"evidence {word.evidence[:12]}{instead}{why}"


COLUMNS = (
    "version", "since", "until", "cause", "decision", "actor", "rules", "revision", "reviewers", "approvals",
    "ended_by", "ended_decision", "ended_actor", "reason", "ended_reason", "digest", "run", "data_through", "hash",
    "moved",
)  # fmt: skip


def as_csv(seats: Iterable[Seat]) -> str:
    """One line a reign, with a heading (RFC 4180). What a spreadsheet would compute begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for seat in seats:
        writer.writerow([_cell(value) for value in _values(seat)])
    return out.getvalue()


def audit_as_markdown(seats: Iterable[Seat]) -> str:
    """A document for people: one section a reign."""
    lines: list[str] = []
    for seat in seats:
        until = f"{seat.until:%Y-%m-%d %H:%M}" if seat.until else "now"
        lines += [
            f"## {seat.model} v{seat.version}: {seat.since:%Y-%m-%d %H:%M} to {until} UTC",
            "",
            f"- {seat.cause} by decision {seat.decision} ({seat.actor}): {seat.reason}",
            f"- rules: {seat.rules} at {seat.revision or 'no revision'}, blob {seat.blob}",
            f"- reviewed by {', '.join(seat.reviewers) or 'nobody'}; approvals: {'; '.join(seat.approvals) or 'none'}",
            f"- artifact {seat.digest} of {seat.run}, data through batch {seat.data_through}",
        ]
        if seat.ended_by:
            lines.append(
                f"- ended by {seat.ended_by}, decision {seat.ended_decision} ({seat.ended_actor}): {seat.ended_reason}"
            )
        lines += [f"- moved elsewhere, {move}" for move in seat.moved]
        lines += [f"- record {seat.hash}", ""]
    return "\n".join(lines)


def _values(seat: Seat) -> list[Any]:
    plain = to_plain(seat)
    return [plain[name] for name in COLUMNS]


def _cell(value: Any) -> str:
    text = "; ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def lineage_of(tx: Transaction, model: str, number: int) -> dict[str, Any]:
    """Where a version comes from and what became of it: its run, data, causes, evaluation, moves."""
    found = tx.registry.versions(model, numbers=(number,))
    if not found:
        raise NotFound(f"{model} has no version {number}.")
    version, run = found[0], tx.runs.get(found[0].run)
    evaluation = tx.registry.evaluations(model, (number,)).get(number)
    signals = [tx.signals.get(n) for c in run.spec.causes for n in c.signals] if run else []
    batches = tx.data.batches(model, version.data_through) if version.data_through else []
    return {
        "model": model,
        "version": number,
        "state": version.state.value,
        "digest": version.digest,
        "lineage": version.lineage,
        "run": _run(run),
        "signals": [
            {"id": s.id, "kind": s.kind.value, "actor": s.actor, "at": to_plain(s.occurred_at)}
            for s in signals
            if s is not None
        ],
        "data": {
            "through": version.data_through,
            "batches": [{"uri": b.uri, "digest": b.digest, "rows": b.rows} for b in batches],
        },
        "evaluation": None
        if evaluation is None
        else {
            "run": evaluation.run,
            "against": evaluation.champion,
            "holdout": to_plain(evaluation.holdout),
        },
        "moves": [to_plain(fact) for fact in tx.facts.of(model, number)],
    }


def _run(run: Any) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "id": run.id,
        "decision": run.decision,
        "recipe": run.spec.recipe,
        "entrypoint": run.spec.entrypoint,
        "params": to_plain(run.spec.params),
        "seed": run.spec.seed,
        "worker": run.worker,
        "ordered_at": to_plain(run.ordered_at),
        "ended_at": to_plain(run.ended_at),
    }
