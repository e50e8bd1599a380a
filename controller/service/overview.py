"""What stands where: a model at a glance, and what waits for a person, for the command line, the API and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.domain.canonical import digest, to_plain
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.domain.runs import RunState
from controller.domain.versions import VersionState
from controller.policy.approvals import deciders, escalated, standing
from controller.ports import Query, Transaction
from controller.service.explain import decision_summary

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
    said = [word for word in tx.models.approvals(model) if word.version == number]
    row: dict[str, Any] = {
        "model": model,
        "version": number,
        "since": last.at,
        "decision": last.decision,
        "reason": last.reason,
        "evidence": digest(evaluation) if evaluation else None,
        "expires": None,
        "then": "It waits until somebody decides or a newer challenger takes its place.",
        "given": [f"{a.actor} for {a.behalf}" if a.behalf else a.actor for a in standing(said)],
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
    if policy.approval.when != "never":
        row["expires"] = last.at + policy.approval.expires
        row["then"] = "Then it is rejected, and the champion stays."
        row["needed"], row["groups"] = policy.approval.count, deciders(policy.approval, said)
        if policy.approval.escalate_after is not None and not escalated(said):
            row["escalates"] = last.at + policy.approval.escalate_after
            row["escalates_to"] = policy.approval.escalate_to
    return row
