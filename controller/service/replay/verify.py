"""Verify: derives decisions again from what was stored, and follows the chain that binds them.

Each record is read once, oldest first, and let go: a log of millions needs no more memory than one record and the
states of the versions. It takes no worker, no data and no network: the snapshot and the rules' text are in the log.

What differs is told apart. *Tampering* is a record whose hash does not match, that does not follow the one before,
that is missing, that names a rules text which is not there or is another, or whose own code decides otherwise.
A *finding* is a decision of an earlier version of the deciding code which this version would take otherwise: the
record is whole, the code has moved on. Where only its sentences differ, the finding says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from controller.domain import codec
from controller.domain.canonical import GENESIS, canonical_json
from controller.domain.chain import break_at
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import IncumbentError, NotFound
from controller.domain.rules import Policy
from controller.domain.snapshot import SNAPSHOT_FORMAT, Covers, Snapshot
from controller.policy.decide import CODE, decide
from controller.ports import Transaction
from controller.service.deciding.covered import Covered, Uncovered
from controller.service.replay.anchor import cut_off
from controller.service.replay.decisions import Replay, Stray

Parse = Callable[[str, str], Policy]
"""From a policy's text and path to its rules; raises PolicyInvalid."""

_WORDS = frozenset({"reason", "sentence"})
"""Where a decision says in words what its other fields hold."""

BlobId = Callable[[bytes], str]
"""The id that a rules text has by its content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyDifference:
    """What is wrong with one decision, in one sentence. ``finding``: newer code decides otherwise, no tampering.

    ``place`` is where the derived decision differs, with both values; empty where it could not be derived.
    """

    decision: int
    sentence: str
    finding: bool = False
    wording: bool = False
    """Only sentences differ: newer code decides the same and words it otherwise."""
    place: str = ""
    recorded: Any = None
    derived: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """``checked`` decisions were derived again. ``first`` is the first that differs, None if none does."""

    checked: int
    first: VerifyDifference | None = None
    findings: tuple[VerifyDifference, ...] = ()
    head: str = GENESIS
    covered_since: int | None = None
    """The first decision whose record covers signals, answers and comments too; None if none does."""
    remarks: tuple[str, ...] = ()
    """Worth knowing, and no sign that the log was tampered with."""

    @property
    def whole(self) -> bool:
        """Whether nothing was tampered with."""
        return self.first is None


class Verifier:
    """Verifies decisions in one transaction."""

    def __init__(self, tx: Transaction, parse: Parse, blob_id: BlobId) -> None:
        self._tx = tx
        self._parse = parse
        self._blob_id = blob_id
        self._policies: dict[str, Policy] = {}
        self._covers: Covers | None = None
        """Of the record that was derived last."""

    def one(self, number: int) -> Verification:
        """Derive one decision again, and check its place between its neighbours in the chain."""
        record = self._tx.decisions.get(number)
        if record is None:
            last, _ = self._tx.decisions.head()
            raise NotFound(f"There is no decision {number}.", hint=f"The last one is {last}.")
        before = self._tx.decisions.get(number - 1)
        after = self._tx.decisions.get(number + 1)
        previous = GENESIS if number == 1 else before.hash if before else ""
        problem = _broken(record, number, previous)
        if problem is None and after is not None and after.prev_hash != record.hash:
            problem = VerifyDifference(
                decision=number,
                sentence=f"Decision {number} was replaced: decision {number + 1} follows another one.",
            )
        problem = problem or self.derive(record)
        return _sum_up(1, problem, record.hash)

    def all(self, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Follow the whole chain, derive every decision again, and hold the registry against what they made of it.

        Stops at the first record that was tampered with.
        """
        last, head = self._tx.decisions.head()
        checked, before, replay, covered = 0, GENESIS, Replay(), Covered()
        findings: list[VerifyDifference] = []
        for record in self._records():
            checked += 1
            problem = _broken(record, checked, before) or self.derive(record)
            body = json.loads(record.decision) if problem is None or problem.finding else {}
            if problem is None or problem.finding:
                problem = _stray(covered.feed(self._tx, record.id, self._covers, body)) or problem
            if problem is not None and not problem.finding:
                return Verification(
                    checked=checked, first=problem, findings=tuple(findings), head=before
                )
            if problem is not None:
                findings.append(problem)
            before = record.hash
            replay.feed(record.id, body, record.actor)
            if progress is not None:
                progress(checked, last)
        first = None
        if (checked, before) != (last, head):
            first = VerifyDifference(
                decision=last,
                sentence=f"The log ends at decision {checked}, but its head names decision {last}.",
            )
        else:
            first = _stray(cut_off(self._tx)) or _stray(covered.rest(self._tx))
            first = first or _stray(replay.compare(self._tx))
        return Verification(
            checked=checked,
            first=first,
            findings=tuple(findings),
            head=before,
            covered_since=covered.since,
            remarks=(*covered.remarks, *_not_checked(self._tx, covered)),
        )

    def _records(self) -> Iterator[DecisionRecord]:
        yield from self._tx.decisions.walk()

    def derive(self, record: DecisionRecord) -> VerifyDifference | None:
        """Decide once more from the stored snapshot and rules; None if the same bytes come out."""
        try:
            stored = json.loads(record.decision)
            derived = self._decide_again(record)
        except _Unlike as unlike:
            return VerifyDifference(decision=record.id, sentence=f"Decision {record.id} {unlike}")
        except (IncumbentError, ValueError) as error:
            said = error.message if isinstance(error, IncumbentError) else str(error)
            return VerifyDifference(
                decision=record.id,
                sentence=f"Decision {record.id} cannot be derived again: {said.rstrip('.')}.",
            )
        code = stored.get("code")
        text = canonical_json(replace(derived, code=str(code)))
        if text == record.decision:
            return None
        newer = code != CODE
        taken = f"Decision {record.id} was taken by engine version {code}; engine version {CODE}"
        again = json.loads(text)
        if newer and _unworded(stored) == _unworded(again):
            return VerifyDifference(
                decision=record.id,
                sentence=f"{taken} decides the same in other words.",
                finding=True,
                wording=True,
            )
        place, recorded, found = first_difference(stored, again)
        words = (
            f"{taken} would decide otherwise"
            if newer
            else f"Decision {record.id} differs from what its snapshot and rules give"
        )
        return VerifyDifference(
            decision=record.id,
            sentence=f"{words}: {place} is {_short(recorded)}, derived {_short(found)}.",
            finding=newer,
            place=place,
            recorded=recorded,
            derived=found,
        )

    def _decide_again(self, record: DecisionRecord) -> Decision:
        snapshot = codec.load_value(Snapshot, record.snapshot)
        self._covers = snapshot.covers
        if snapshot.format > SNAPSHOT_FORMAT:
            raise _Unlike(
                f"has a snapshot of format {snapshot.format}, and this version reads up to {SNAPSHOT_FORMAT}."
            )
        if snapshot.rules != record.rules:
            raise _Unlike("names other rules than its snapshot.")
        return decide(snapshot, self._policy(record), record.decided_at)

    def _policy(self, record: DecisionRecord) -> Policy:
        blob = record.rules.blob
        if blob not in self._policies:
            text = self._tx.rules.text(blob)
            if text is None:
                raise _Unlike(f"was taken by rules {blob[:12]}, whose text is not in the database.")
            if self._blob_id(text.encode()) != blob:
                raise _Unlike(f"was taken by rules {blob[:12]}, whose stored text was changed.")
            self._policies[blob] = self._parse(text, record.rules.path)
        return self._policies[blob]


def _stray(found: Stray | Uncovered | None) -> VerifyDifference | None:
    return (
        None
        if found is None
        else VerifyDifference(decision=found.decision, sentence=found.sentence)
    )


def _unworded(value: Any) -> Any:
    """A decision without its sentences: what was decided, and by which values."""
    if isinstance(value, dict):
        return {key: _unworded(kept) for key, kept in value.items() if key not in _WORDS}
    return [_unworded(kept) for kept in value] if isinstance(value, list) else value


def _not_checked(tx: Transaction, covered: Covered) -> Iterator[str]:
    """What the log does not vouch for yet, or could not be looked at here."""
    if covered.unchecked:
        yield (
            f"The marks of {covered.unchecked:,} signals could not be checked: their signing key is not known here."
        )
    waiting = len(tx.comments.uncovered())
    if waiting:
        yield f"{waiting:,} comments wait for the next decision, whose record will cover them."


def _broken(record: DecisionRecord, number: int, before: str) -> VerifyDifference | None:
    found = break_at(record, number, before)
    if found is None:
        return None
    return VerifyDifference(decision=found.decision, sentence=found.sentence)


def first_difference(stored: Any, derived: Any, place: str = "") -> tuple[str, Any, Any]:
    """The first place where two JSON values differ, as ``actions[0].version``, with both values there."""
    if isinstance(stored, dict) and isinstance(derived, dict):
        for key in sorted(stored.keys() | derived.keys()):
            if stored.get(key) != derived.get(key) or (key in stored) != (key in derived):
                deeper = f"{place}.{key}" if place else str(key)
                return first_difference(stored.get(key), derived.get(key), deeper)
    if isinstance(stored, list) and isinstance(derived, list) and len(stored) == len(derived):
        for index, (left, right) in enumerate(zip(stored, derived, strict=True)):
            if left != right:
                return first_difference(left, right, f"{place}[{index}]")
    return place or "its text", stored, derived


class _Unlike(Exception):
    """Half a sentence about a record that cannot be derived again."""


def _sum_up(checked: int, problem: VerifyDifference | None, head: str) -> Verification:
    if problem is not None and problem.finding:
        return Verification(checked=checked, findings=(problem,), head=head)
    return Verification(checked=checked, first=problem, head=head)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
