"""A person's word from the page or the API: checked against who may, then a signal like every other.

Nothing here changes a model. The signal takes the one path, and the engine's answer is what the person sees.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from controller.domain.canonical import canonical_json
from controller.domain.errors import Conflict, Forbidden, NotFound, UserError
from controller.domain.names import check_model_name
from controller.domain.payloads import EXACT, InvalidPayload
from controller.domain.payloads.fields import found
from controller.domain.rules import Policy
from controller.domain.runs import Run, RunKind
from controller.domain.signals import NewSignal, Signal, SignalKind
from controller.policy.approvals import asked_for, deciders, standing
from controller.ports import Transaction
from controller.service.commands.access import Person
from controller.service.deciding.askers import askers
from controller.service.deciding.backpressure import accept, key_is_taken

Parse = Callable[[str, str], Policy]
LONGEST_REASON = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What a person wants. ``key`` makes it idempotent: pressed twice, it is one signal."""

    action: str
    model: str
    reason: str = ""
    version: int | None = None
    run: str | None = None
    evidence: str | None = None
    expect_version: int | None = None
    force: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    behalf: str = ""
    """By whose delegation it is said; :func:`submit` finds it."""


def submit(
    tx: Transaction, person: Person, word: Command, parse: Parse, now: datetime
) -> tuple[int, bool]:
    """Append the word as a signal; its number, and whether it is new.

    A repeat is answered as the repeat it is, whatever its effect has changed since: nothing is expected of it anew.
    Raises Forbidden if the person may not, NotFound or Conflict if there is nothing to do it to.
    """
    person.must(word.action, owner_of(tx, word.model, parse))
    known = _repeated(tx, person, word)
    if known is not None:
        return known.id, False
    if word.action == "approve":
        word = replace(word, behalf=in_place_of(tx, person, word, parse))
    spoken = _SPOKEN[word.action]
    signal = NewSignal(
        key=f"{person.actor}:{word.key or uuid.uuid4()}",
        model=word.model,
        kind=spoken.kind,
        occurred_at=now,
        payload=spoken.payload(tx, person, word),
        actor=person.actor,
    )
    accepted = accept(tx, [signal], now)[0]
    return accepted.id, accepted.fresh


def _repeated(tx: Transaction, person: Person, word: Command) -> Signal | None:
    """The signal that this key stands for already; Conflict if it was used for something else."""
    if word.key is None:
        return None
    spoken = _SPOKEN[word.action]
    alike = tx.signals.with_key(word.model, f"{person.actor}:{word.key}")
    known = next((s for s in alike if (s.actor, s.kind) == (person.actor, spoken.kind)), None)
    if known is None:
        return None
    kept = {name: v for name, v in known.payload.items() if name not in spoken.found}
    if word.expect_version is None:
        kept.pop("expect_version", None)
    if known.trigger or canonical_json(kept) != canonical_json(spoken.stated(word)):
        raise key_is_taken(known.id)
    return known


def owner_of(tx: Transaction, model: str, parse: Parse) -> str | None:
    """Who owns the model by the policy in force; NotFound if nothing is known of it.

    UserError for a name that no model may have, so that none is looked up or shown.
    """
    check_model_name(model)
    rules = tx.rules.active(model)
    if rules is not None:
        return parse(rules.text, rules.ref.path).owner
    if tx.models.state(model).next_run == 1 and not tx.registry.versions(model, limit=1):
        raise NotFound(f"There is no model called {model}.", hint="The page Models lists them.")
    return None


def in_place_of(tx: Transaction, person: Person, word: Command, parse: Parse) -> str:
    """By whose delegation this person would approve; empty where their own groups do, or nobody's do.

    Never that of somebody who asked for the training: a delegation is no way around that.
    """
    rules = tx.rules.active(word.model)
    if rules is None or word.version is None or not person.stands_for:
        return ""
    said = [w for w in tx.models.approvals(word.model) if w.version == word.version]
    wanted = {*deciders(parse(rules.text, rules.ref.path).approval, said)}
    if not wanted or wanted & {*person.groups}:
        return ""
    asked = askers(tx, word.model, word.version)
    stands = ((a, wanted & {*groups}) for a, groups in person.stands_for.items())
    found = (a for a, groups in stands if groups and not asked_for(a, "", asked))
    return next(found, "")


def _reason(word: Command) -> str:
    said = word.reason.strip()
    if not said:
        raise UserError("A change needs a reason.", hint="Say why, for the log.")
    if len(said) > LONGEST_REASON:
        raise UserError(f"A reason has up to {LONGEST_REASON:,} characters.")
    return said


def _number(word: Command) -> int:
    if word.version is None:
        raise UserError("Name a version.")
    return word.version


def _approve(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    number, why = _number(word), _reason(word)
    evaluation = tx.registry.evaluations(word.model, (number,)).get(number)
    if evaluation is None:
        raise NotFound(f"There is no evidence about {word.model} v{number} to approve.")
    if word.evidence is None:
        raise UserError("An approval names the digest of the evidence that was seen.")
    if asked_for(person.actor, "", askers(tx, word.model, number)):
        raise Forbidden(
            f"You asked for v{number} yourself; somebody else has to approve it.",
            hint="An approver is never the one who asked.",
        )
    present = evaluation.digest
    if word.evidence != present:
        raise Conflict(
            f"The evidence about v{number} is {present[:12]} now, you saw {word.evidence[:12]}.",
            hint="Look at it again.",
        )
    payload = {
        "version": number,
        "agrees": True,
        "evidence": present,
        "groups": list(person.stands_for.get(word.behalf) or person.groups),
        "reason": why,
    }
    return payload | ({"behalf": word.behalf} if word.behalf else {})


def _withdraw(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    number, why = _number(word), _reason(word)
    said = [w for w in tx.models.approvals(word.model) if w.version == number]
    mine = next((w for w in standing(said) if w.actor == person.actor), None)
    if mine is None:
        raise Conflict(f"You have not approved {word.model} v{number}, or took it back before.")
    return {
        "version": number,
        "withdraw": True,
        "evidence": mine.evidence,
        "groups": list(person.stands_for.get(mine.behalf) or person.groups),
        "reason": why,
    }


def _reject(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del tx, person
    return {"version": _number(word), "reason": _reason(word)}


def _promote(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del person
    seen = word.expect_version
    if seen is None:
        seen = tx.models.state(word.model).champion
    return {"version": _number(word), "reason": _reason(word), "expect_version": seen}


def _rollback(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del person
    champion = tx.models.state(word.model).champion
    if champion is None:
        raise Conflict(f"{word.model} has no champion to roll back.")
    payload: dict[str, Any] = {
        "reason": _reason(word),
        "expect_version": champion if word.expect_version is None else word.expect_version,
    }
    if word.force:
        payload["force"] = True
    if word.version is not None:
        payload["to"] = word.version
    return payload


def _plain(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del tx, person
    return {**word.payload, "reason": _reason(word)}


def _cancel(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del person
    run = _run(tx, word)
    if run.state.ended:
        raise Conflict(f"{run.id} cannot be cancelled: it is {run.state.value}.")
    return {"run": run.id, "reason": _reason(word)}


def _retry(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del person
    run = _run(tx, word)
    if run.spec.kind is not RunKind.TRAIN:
        raise UserError(f"{run.id} is no training; it is ordered with the training before it.")
    if not run.state.ended:
        raise Conflict(f"{run.id} has not ended: it is {run.state.value}.")
    return {"reason": _reason(word), "retry_of": run.id}


def _run(tx: Transaction, word: Command) -> Run:
    run = tx.runs.get(word.run or "")
    if run is None or run.model != word.model:
        raise NotFound(f"{word.model} has no run called {word.run}.")
    return run


def _release_batch(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del person
    return release_payload(tx, word.model, _batch(word), _reason(word))


def _batch(word: Command) -> int:
    number = word.payload.get("batch")
    if type(number) is not int:
        raise UserError("Name a batch.")
    return number


def release_payload(tx: Transaction, model: str, number: int, reason: str) -> dict[str, Any]:
    """What a release says; NotFound if no such batch is in quarantine."""
    for batch in tx.data.quarantined(model):
        if batch.sequence == number:
            said = {"sequence": number, "uri": batch.uri, "rows": batch.rows, "files": 1}
            return {**said, "reason": reason}
    raise NotFound(
        f"{model} has no batch {number} in quarantine.",
        hint=f"`incumbent drift {model}` lists what is.",
    )


def _dismiss(tx: Transaction, person: Person, word: Command) -> dict[str, Any]:
    del person
    number = word.payload.get("signal")
    if type(number) is not int or not 0 < number <= EXACT:
        raise InvalidPayload(
            "payload.signal",
            f"is {found(number)}, and the number of a signal was expected",
            hint="`incumbent signals` lists them.",
        )
    signal = tx.signals.get(number)
    if signal is None or signal.model != word.model:
        raise NotFound(f"{word.model} has no signal {number}.")
    if signal.status.ended:
        raise Conflict(f"Signal {number} has its answer already: it is {signal.status.value}.")
    return {"signal": number, "reason": _reason(word)}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spoken:
    """How a command becomes a signal.

    ``states`` names the fields of the payload that the person's own words stand in, where they are called otherwise or
    do not stand in the command's payload; ``found`` those that are added from what is there.
    """

    kind: SignalKind
    payload: Callable[[Transaction, Person, Command], dict[str, Any]] = _plain
    states: Mapping[str, str] = field(default_factory=dict)
    found: frozenset[str] = frozenset()

    def stated(self, word: Command) -> dict[str, Any]:
        """What the person said, as it stands in the payload."""
        own = {self.states.get(name, name): value for name, value in word.payload.items()}
        for attribute, name in self.states.items():
            value = getattr(word, attribute, None)
            if value is not None and value is not False:
                own[name] = value
        return own | {"reason": word.reason.strip()}


_VERSION = {"version": "version"}
_SPOKEN: Mapping[str, _Spoken] = {
    "approve": _Spoken(
        kind=SignalKind.APPROVAL,
        payload=_approve,
        states=_VERSION | {"evidence": "evidence"},
        found=frozenset({"agrees", "groups", "behalf"}),
    ),
    "withdraw": _Spoken(
        kind=SignalKind.APPROVAL,
        payload=_withdraw,
        states=_VERSION,
        found=frozenset({"withdraw", "evidence", "groups"}),
    ),
    "reject": _Spoken(kind=SignalKind.REJECT, payload=_reject, states=_VERSION),
    "promote": _Spoken(
        kind=SignalKind.PROMOTE,
        payload=_promote,
        states=_VERSION | {"expect_version": "expect_version"},
    ),
    "rollback": _Spoken(
        kind=SignalKind.ROLLBACK,
        payload=_rollback,
        states={"version": "to", "expect_version": "expect_version", "force": "force"},
    ),
    "hold": _Spoken(kind=SignalKind.HOLD),
    "release": _Spoken(kind=SignalKind.RELEASE),
    "release_batch": _Spoken(
        kind=SignalKind.RELEASE_BATCH,
        payload=_release_batch,
        states={"batch": "sequence"},
        found=frozenset({"uri", "rows", "files"}),
    ),
    "train": _Spoken(kind=SignalKind.MANUAL),
    "cancel": _Spoken(kind=SignalKind.CANCEL, payload=_cancel, states={"run": "run"}),
    "retry": _Spoken(kind=SignalKind.MANUAL, payload=_retry, states={"run": "retry_of"}),
    "alias": _Spoken(kind=SignalKind.ALIAS),
    "deprecate": _Spoken(kind=SignalKind.DEPRECATE),
    "archive": _Spoken(kind=SignalKind.ARCHIVE),
    "restore": _Spoken(kind=SignalKind.RESTORE),
    "retain": _Spoken(kind=SignalKind.RETAIN),
    "dismiss": _Spoken(kind=SignalKind.DISMISS, payload=_dismiss),
    "drill": _Spoken(kind=SignalKind.DRILL),
}
COMMANDS = frozenset(_SPOKEN)
"""What can be said."""
