"""What stands where: a model at a glance, and what waits for a person, for the command line, the API and the page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.domain.runs import RunState
from controller.domain.snapshot import ApprovalView
from controller.domain.versions import VersionState
from controller.policy.approvals import (
    agreed,
    approval_request,
    asked_for,
    deciders,
    said_by_people,
    standing,
)
from controller.ports import Query, Transaction
from controller.service.deciding.askers import askers
from controller.service.explain.decision import decision_summary

Parse = Callable[[str, str], Policy]
_RUNNING = (RunState.QUEUED.value, RunState.RUNNING.value)
_WAITING = (VersionState.CANDIDATE, VersionState.CHALLENGER)


def model_names(tx: Transaction) -> list[str]:
    """Every model that anything is known of."""
    return tx.rules.models()


def model_at_a_glance(tx: Transaction, name: str) -> dict[str, Any]:
    """Champion, challengers, running work, waiting signals, the last decisions and what is wrong."""
    state, rules = tx.models.state(name), tx.rules.active(name)
    found = tx.registry.versions(name, states={VersionState.CHAMPION, *_WAITING})
    judged = tx.registry.evaluations(name, [version.number for version in found])
    pending = tx.signals.pending(name)
    return {
        "model": name,
        "champion": state.champion,
        "generation": state.generation,
        "metrics": {
            **next((v.metrics for v in found if v.number == state.champion), {}),
            **(judged[seat].metrics if (seat := state.champion or 0) in judged else {}),
        },
        "versions_waiting": [
            {"version": v.number, "state": v.state.value}
            for v in found
            if v.number != state.champion
        ],
        "hold": to_plain(state.hold),
        "runs": [
            {
                "run": run.id,
                "kind": run.spec.kind.value,
                "state": run.state.value,
                "progress": run.progress,
                "attempt": run.attempt,
                "worker": run.worker,
            }
            for run in tx.runs.find(Query(model=name, states=_RUNNING))
        ],
        "signals_waiting": [
            {"signal": s.id, "kind": s.kind.value, "status": s.status.value, "reason": s.reason}
            for s in pending
        ],
        "wake_at": to_plain(state.wake_at),
        "last_decisions": [
            decision_summary(record) for record in tx.decisions.find(Query(model=name, limit=3))
        ],
        "rules": to_plain(rules.ref) if rules else None,
        "problems": _problems(
            state.error,
            rules.refused if rules else "no policy is in force",
            *_registry_problems(tx, name),
        ),
        "data": to_plain(tx.data.view(name)),
    }


def _registry_problems(tx: Transaction, name: str) -> list[str]:
    """What is wrong between our registry and the team's own."""
    found = tx.publications.get(name)
    return [found.drift, found.error] if found else []


def _problems(*found: str | None) -> list[str]:
    return [problem for problem in found if problem]


def inbox(tx: Transaction, parse: Parse, limit: int = 100) -> list[dict[str, Any]]:
    """Challengers that wait, the longest waiting first: the decision that held them, until when, and what then."""
    return [
        row for one in tx.models.waiting(limit) if (row := _held(tx, parse, one.model, one.version))
    ]


def _held(tx: Transaction, parse: Parse, model: str, number: int) -> dict[str, Any]:
    facts = tx.facts.of(model, number)
    last = facts[-1]
    evaluation = tx.registry.evaluations(model, (number,)).get(number)
    present = evaluation.digest if evaluation else None
    said = [word for word in tx.models.approvals(model) if word.version == number]
    words = [w for w in said if w.evidence == present or w.word == "escalate"]
    row: dict[str, Any] = {
        "model": model,
        "version": number,
        "since": last.at,
        "decision": last.decision,
        "reason": last.reason,
        "evidence": present,
        "asked": None,
        "expires": None,
        "then": "It waits until somebody decides or a newer challenger takes its place.",
        **_given(tx, model, number, said, present),
        "escalates": None,
        "needed": 0,
        "groups": (),
        "owner": None,
    }
    rules = tx.rules.active(model)
    if rules is None:
        return row
    try:
        policy = parse(rules.text, rules.ref.path)
    except IncumbentError:
        return row
    row["owner"] = policy.owner
    approval = policy.approval
    if approval.when == "never":
        return row
    row["needed"], row["groups"] = approval.count, deciders(approval, said)
    request = approval_request(approval, words)
    if request is None:
        row["then"] = "Nobody's time runs: no approval is asked for now."
        return row
    row["asked"], row["expires"] = request.at, request.expires
    row["then"] = "Then it is rejected, and the champion stays."
    if request.escalates is not None and approval.escalate is not None:
        row["escalates"], row["escalates_to"] = request.escalates, approval.escalate.to
    return row


def _given(
    tx: Transaction, model: str, number: int, said: Sequence[ApprovalView], present: str | None
) -> dict[str, Any]:
    """Who approved: those that count, how many people these are, and the others with the reason why not."""
    asked = askers(tx, model, number) if said_by_people(said) else frozenset()
    about = [word for word in said if word.evidence == present]
    return {
        "given": [_who(word) for word in standing(about, asked)],
        "counted": agreed(about, asked),
        "not_counted": [
            {"who": _who(word), "why": why}
            for word in standing(said)
            if (why := _why_not(word, present, asked))
        ],
    }


def _who(word: ApprovalView) -> str:
    return f"{word.actor} for {word.behalf}" if word.behalf else word.actor


def _why_not(word: ApprovalView, present: str | None, asked: Collection[str]) -> str:
    """Why an approval does not count; empty if it does."""
    if word.evidence != present:
        return "it was given for other evidence than there is now"
    found = asked_for(word.actor, word.behalf, asked)
    return f"{found} asked for the training" if found else ""
