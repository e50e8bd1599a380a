"""Explain: everything that belongs to one decision, put together from what was stored with it.

Nothing is judged again here. The tree, the values and the sentences are those that the decision was written with, so
that what the command line, the page and a notification say can't disagree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.decisions import DecisionRecord
from controller.domain.endings import ENDINGS, ending_key
from controller.domain.errors import NotFound, UserError
from controller.domain.runs import Run
from controller.ports import Query, Transaction
from controller.service.deciding.causes import caused_by


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A decision with its surroundings, as plain JSON values.

    ``signals`` are those that it answered, with the answer; ``led_by`` the decisions before it that ordered the work
    it judges, oldest first; ``quotes`` maps a line of the rules to its text.
    """

    decision: Mapping[str, Any]
    tree: Mapping[str, Any]
    signals: tuple[Mapping[str, Any], ...]
    actions: tuple[Mapping[str, Any], ...]
    led_by: tuple[Mapping[str, Any], ...]
    quotes: Mapping[int, str]


def decision_summary(record: DecisionRecord) -> dict[str, Any]:
    """A decision as a row of a list: what was decided about whom, why, by which rules, and its place in the chain."""
    body = json.loads(record.decision)
    return {
        "id": record.id,
        "model": record.model,
        "verdict": body["verdict"],
        "reason": body["reason"],
        "champion_before": body["champion_before"],
        "champion_after": body["champion_after"],
        "challenger": body["challenger"],
        "rules": to_plain(record.rules),
        "decided_at": to_plain(record.decided_at),
        "actor": record.actor,
        "caused_by": list(caused_by(record, body)),
        "code": body["code"],
        "hash": record.hash,
        "prev_hash": record.prev_hash,
    }


def find_decision(tx: Transaction, name: str) -> DecisionRecord:
    """The decision that ``name`` asks about: its number, ``signal:ID``, a run's id, or a model (its newest one).

    Raises NotFound, or UserError where a signal or a run has no decision yet.
    """
    if name.isdecimal():
        return _numbered(tx, int(name))
    if name.startswith("signal:"):
        return _of_signal(tx, name.removeprefix("signal:"))
    run = tx.runs.get(name)
    if run is not None:
        return _of_run(tx, run)
    newest = tx.decisions.find(Query(model=name, limit=1))
    if newest:
        return newest[0]
    raise NotFound(
        f"There is no decision, run or model called {name!r}.",
        hint="Name a decision's number, signal:ID, a run's id or a model.",
    )


def explain_decision(tx: Transaction, record: DecisionRecord) -> Explanation:
    """Put together what belongs to a decision."""
    body, snapshot = json.loads(record.decision), json.loads(record.snapshot)
    answers = {answer["signal"]: answer for answer in body["answers"]}
    signals = tuple(
        {**signal, "answer": answers[signal["id"]]}
        for signal in snapshot["signals"]
        if signal["id"] in answers
    )
    text = tx.rules.text(record.rules.blob) or ""
    lines = text.splitlines()
    quotes = {n: lines[n - 1].strip() for n in sorted(_lines(body["tree"])) if n <= len(lines)}
    return Explanation(
        decision=decision_summary(record),
        tree=body["tree"],
        signals=signals,
        actions=tuple(body["actions"]),
        led_by=_led_by(tx, signals),
        quotes=quotes,
    )


def as_document(found: Explanation) -> dict[str, Any]:
    """The explanation as one JSON object."""
    return {
        **found.decision,
        "tree": found.tree,
        "signals": list(found.signals),
        "actions": list(found.actions),
        "led_by": list(found.led_by),
        "rule_lines": {str(line): text for line, text in found.quotes.items()},
    }


def describe_signal(signal: Mapping[str, Any]) -> str:
    """A signal in a few words: ``new_data: 27,004 rows in 2013-01.parquet``."""
    kind, payload = str(signal["kind"]), signal["payload"]
    words = _WORDS.get(kind, _plain)(payload)
    return f"{kind}: {words}" if words else kind


def _of_data(payload: Mapping[str, Any]) -> str:
    rows, files = payload.get("rows"), payload.get("files")
    said = f"{rows:,} rows" if isinstance(rows, int) else "rows not counted"
    uri = str(payload.get("uri") or "").rsplit("/", 1)[-1]
    if uri:
        return f"{said} in {uri}"
    return f"{said} in {files} files" if isinstance(files, int) and files > 1 else said


def _of_run_end(payload: Mapping[str, Any]) -> str:
    reason = payload.get("reason")
    said = f"{payload.get('kind')} {payload.get('run')} {payload.get('state')}"
    return f"{said}: {reason}" if reason else said


def _of_person(payload: Mapping[str, Any]) -> str:
    words = [f"v{payload[key]}" for key in ("version", "to") if payload.get(key) is not None]
    words += [str(payload[key]) for key in ("run", "reason") if payload.get(key)]
    return ", ".join(words)


def _plain(payload: Mapping[str, Any]) -> str:
    simple = ((k, v) for k, v in payload.items() if isinstance(v, (str, int, float)))
    return ", ".join(f"{key} {value}" for key, value in simple)


def _of_move(payload: Mapping[str, Any]) -> str:
    return str(payload.get("reason") or "")


_WORDS = {
    "foreign_move": _of_move,
    "new_data": _of_data,
    "run_finished": _of_run_end,
    "run_failed": _of_run_end,
    **dict.fromkeys(
        ("manual", "promote", "reject", "rollback", "hold", "release", "cancel", "approval"),
        _of_person,
    ),
}


def _led_by(tx: Transaction, signals: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The decisions that ordered the reported runs, and those that ordered the training behind an evaluation."""
    found: dict[int, Mapping[str, Any]] = {}
    for signal in signals:
        run = tx.runs.get(str(signal["payload"].get("run") or ""))
        while run is not None and run.decision not in found:
            record = tx.decisions.get(run.decision)
            if record is None:
                break
            found[run.decision] = {
                "decision": run.decision,
                "run": run.id,
                "kind": run.spec.kind.value,
                "reason": decision_summary(record)["reason"],
            }
            run = _trained(tx, run)
    return tuple(found[number] for number in sorted(found))


def _trained(tx: Transaction, run: Run) -> Run | None:
    """The training run of the version that an evaluation judges."""
    if run.spec.version is None:
        return None
    versions = tx.registry.versions(run.model, numbers=(run.spec.version,))
    return tx.runs.get(versions[0].run) if versions else None


def _lines(node: Mapping[str, Any]) -> set[int]:
    own = {node["line"]} if node.get("line") else set()
    return own.union(*(_lines(child) for child in node["children"]))


def _numbered(tx: Transaction, number: int) -> DecisionRecord:
    record = tx.decisions.get(number)
    if record is None:
        last, _ = tx.decisions.head()
        hint = f"The last one is {last}." if last else "None has been taken yet."
        raise NotFound(f"There is no decision {number}.", hint=hint)
    return record


def _of_signal(tx: Transaction, name: str) -> DecisionRecord:
    signal = tx.signals.get(int(name)) if name.isdecimal() else None
    if signal is None:
        raise NotFound(
            f"There is no signal {name}.", hint="`incumbent signals` lists them by number."
        )
    if signal.decision is None:
        raise UserError(
            f"Signal {name} has no decision yet: it is {signal.status.value}.",
            hint=signal.reason or "The controller answers it in its next tick.",
        )
    return _numbered(tx, signal.decision)


def _of_run(tx: Transaction, run: Run) -> DecisionRecord:
    """The decision that a run's end led to; the one that ordered it while it has not ended."""
    ends = tx.signals.with_key(run.model, ending_key(run)) if run.state.ended else ()
    answered = next((end.decision for end in ends if end.kind in ENDINGS), None)
    return _numbered(tx, answered or run.decision)
