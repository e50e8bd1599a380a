"""How far a decision has come: proposed, approved, applied, observed, settled. Read from what was written since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from controller.domain.decisions import DecisionRecord, Verdict
from controller.domain.durations import format_duration
from controller.domain.rules import Policy
from controller.domain.signals import SignalKind
from controller.domain.versions import Reign, VersionFact, VersionState
from controller.policy.approvals import agreed, said_by_people, standing
from controller.policy.phrase import count
from controller.policy.triggers import WATCHED_SIGNALS
from controller.ports import Query, Transaction
from controller.service.deciding.askers import askers

_SEEN = (*WATCHED_SIGNALS, SignalKind.METRIC)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgressStage:
    """One stage. ``state`` is done, now, next, stopped or skipped; ``note`` says who or why in a few words."""

    name: str
    state: str
    note: str = ""
    at: datetime | None = None


def decision_progress(
    tx: Transaction, record: DecisionRecord, policy: Policy | None, now: datetime
) -> list[ProgressStage]:
    """The stages of a decision about a challenger; empty for one that judged nobody."""
    body = json.loads(record.decision)
    verdict, challenger = Verdict(body["verdict"]), body["challenger"]
    if verdict is Verdict.ROLLBACK:
        return _rolled_back(tx, record, body["champion_after"])
    judged = {Verdict.PROMOTE, Verdict.ADVANCE, Verdict.HOLD, Verdict.REJECT}
    if verdict not in judged or challenger is None:
        return []
    facts = tx.facts.of(record.model, challenger)
    seated = next((f for f in facts if f.after is VersionState.CHAMPION), None)
    sent_away = next((f for f in facts if f.after is VersionState.REJECTED), None)
    first = facts[0] if facts else None
    proposed = ProgressStage(
        name="proposed",
        state="done",
        at=first.at if first else record.decided_at,
        note=f"v{challenger} was trained",
    )
    approved = _approved(tx, record.model, challenger, policy, seated or sent_away)
    if seated is None:
        if sent_away is None:
            later = "when it becomes champion"
            return [
                proposed,
                approved,
                ProgressStage(name="applied", state="next", note=later),
                ProgressStage(name="observed", state="next"),
                ProgressStage(name="settled", state="next"),
            ]
        gone = ProgressStage(
            name="applied", state="stopped", at=sent_away.at, note=f"v{challenger} was rejected"
        )
        rest = [ProgressStage(name=name, state="skipped") for name in ("observed", "settled")]
        return [proposed, approved, gone, *rest]
    applied = ProgressStage(
        name="applied", state="done", at=seated.at, note=f"v{challenger} became champion"
    )
    return [proposed, approved, applied, *_after(tx, record.model, challenger, policy, now)]


def _approved(
    tx: Transaction,
    model: str,
    challenger: int,
    policy: Policy | None,
    ended: VersionFact | None,
) -> ProgressStage:
    evaluation = tx.registry.evaluations(model, (challenger,)).get(challenger)
    seen = evaluation.digest if evaluation else None
    words = [
        w for w in tx.models.approvals(model) if w.version == challenger and w.evidence == seen
    ]
    asked = askers(tx, model, challenger) if words else frozenset()
    given = standing(words, asked)
    people = sorted({f"{w.actor} for {w.behalf}" if w.behalf else w.actor for w in given})
    needed = policy.approval.count if policy and policy.approval.when != "never" else 0
    said = said_by_people(words)
    at = said[-1].at if said else None
    if people and (ended is not None or agreed(words, asked) >= needed):
        return ProgressStage(name="approved", state="done", at=at, note=", ".join(people))
    if ended is not None:
        by_hand = ended.actor if ended.actor != "system" else ""
        note = f"by hand: {by_hand}" if by_hand else "nobody was asked"
        return ProgressStage(name="approved", state="done" if by_hand else "skipped", note=note)
    if needed:
        note = f"{agreed(words, asked)} of {count(needed, 'approval')}"
        return ProgressStage(name="approved", state="now", at=at, note=note)
    return ProgressStage(name="approved", state="now", note="waits for proof or a person")


def _after(
    tx: Transaction, model: str, version: int, policy: Policy | None, now: datetime
) -> list[ProgressStage]:
    """What was seen of it as champion, and whether anything can still take it back."""
    reign = next((r for r in tx.registry.history(model, 1000) if r.version == version), None)
    if reign is None:
        return [
            ProgressStage(name="observed", state="next"),
            ProgressStage(name="settled", state="next"),
        ]
    kinds = tuple(kind.value for kind in _SEEN)
    looks = tx.signals.find(
        Query(model=model, kinds=kinds, since=reign.since, until=reign.until, limit=100)
    )
    observed = ProgressStage(
        name="observed",
        state="done" if looks else "now",
        at=looks[0].received_at if looks else None,
        note=f"{count(len(looks), 'measurement')} since" if looks else "nothing was measured yet",
    )
    return [observed, _settled(reign, policy, now)]


def _settled(reign: Reign, policy: Policy | None, now: datetime) -> ProgressStage:
    if reign.ended_by == "rollback":
        return ProgressStage(
            name="settled", state="stopped", at=reign.until, note="it was rolled back"
        )
    if reign.until is not None:
        return ProgressStage(
            name="settled", state="done", at=reign.until, note="a better one followed"
        )
    watched = [condition.window for condition in policy.rollback.when] if policy else []
    if not watched:
        note = "nothing would take it back by itself"
        return ProgressStage(name="settled", state="done", at=reign.since, note=note)
    ends = reign.since + max(watched)
    if now >= ends:
        note = f"{format_duration(max(watched))} passed without a reason to roll back"
        return ProgressStage(name="settled", state="done", at=ends, note=note)
    return ProgressStage(
        name="settled", state="next", at=ends, note="while it is watched for a rollback"
    )


def _rolled_back(tx: Transaction, record: DecisionRecord, back: int | None) -> list[ProgressStage]:
    state = tx.models.state(record.model)
    hold = state.hold
    stages = [
        ProgressStage(name="proposed", state="done", at=record.decided_at, note=record.actor),
        ProgressStage(
            name="approved",
            state="skipped" if record.actor == "system" else "done",
            note="the policy's own condition" if record.actor == "system" else record.actor,
        ),
        ProgressStage(
            name="applied", state="done", at=record.decided_at, note=f"v{back} sits again"
        ),
    ]
    if hold is not None:
        rests = ProgressStage(name="observed", state="now", note="automatic promotion is on hold")
        later = ProgressStage(name="settled", state="next", note="when a person lifts the hold")
        return [*stages, rests, later]
    lifted = ProgressStage(name="settled", state="done", note="the hold is lifted")
    return [*stages, ProgressStage(name="observed", state="done"), lifted]
