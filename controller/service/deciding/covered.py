"""What a decision's record covers beside itself: the signals that it ended, their answers, and comments.

The digests go into the record when it is written (:func:`covers_of`), so that the chain vouches for rows that carry
no hash of their own. Held against them later (:class:`Covered`), a row that was edited or deleted is named. Answers
need no digest: the record holds them word for word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.domain.canonical import digest
from controller.domain.decisions import Decision
from controller.domain.signals import SignalStatus
from controller.domain.snapshot import Covers
from controller.ports import Comment, Query, SignalProof, Transaction

_BATCH = 500
_ENDED = tuple(status.value for status in SignalStatus if status.ended)


def covers_of(tx: Transaction, decision: Decision, comments: list[Comment]) -> Covers:
    """What the record of this decision vouches for."""
    ended = [answer.signal for answer in decision.answers if answer.status.ended]
    proofs = tx.signals.proofs(ended) if ended else []
    return Covers(
        signals={str(proof.id): proof.digest for proof in proofs},
        comments={str(comment.id): _digest(comment) for comment in comments},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Uncovered:
    """A row that is not as a decision's record says, by the number of the decision."""

    decision: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _Answer:
    decision: int
    status: str
    reason: str
    digest: str | None


@dataclass(slots=True)
class Covered:
    """Feed it every decision, oldest first, then ask for the rest. Holds some hundred rows and one bit a signal."""

    since: int | None = None
    """The first decision whose record covers rows beside the log."""
    remarks: list[str] = field(default_factory=list)
    unchecked: int = 0
    """Signals whose mark is by a key that this process does not hold."""
    _answers: dict[int, _Answer] = field(default_factory=dict)
    _deferred: dict[int, _Answer] = field(default_factory=dict)
    _comments: dict[int, tuple[int, str]] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)

    def feed(
        self, tx: Transaction, number: int, covers: Covers | None, body: Mapping[str, Any]
    ) -> Uncovered | None:
        """One decision; the first row that is not as an earlier or this one says, None if there is none so far."""
        if covers is None:
            return None
        if self.since is None:
            self.since = number
        for answer in body["answers"]:
            signal = answer["signal"]
            said = _Answer(
                number, answer["status"], answer["reason"], covers.signals.get(str(signal))
            )
            if SignalStatus(said.status).ended:
                self._answers[signal] = said
                self._deferred.pop(signal, None)
                self._ended.add(signal)
            else:
                self._deferred[signal] = said
        self._comments |= {int(key): (number, said) for key, said in covers.comments.items()}
        full = len(self._answers) >= _BATCH or len(self._comments) >= _BATCH
        return next(self._differences(tx), None) if full else None

    def rest(self, tx: Transaction) -> Uncovered | None:
        """What is left to look at after the last decision."""
        found = next(self._differences(tx), None)
        if found is not None or self.since is None:
            return found
        self._answers, self._deferred = self._deferred, {}
        return next(self._differences(tx), None) or next(self._forged(tx, self.since), None)

    def _differences(self, tx: Transaction) -> Iterator[Uncovered]:
        answers, self._answers = self._answers, {}
        comments, self._comments = self._comments, {}
        proofs = {proof.id: proof for proof in tx.signals.proofs([*answers])} if answers else {}
        for signal, said in answers.items():
            yield from self._signal(signal, said, proofs.get(signal))
        known = {one.id: _digest(one) for one in tx.comments.numbered(comments)} if comments else {}
        for number, (decision, wanted) in comments.items():
            if number not in known:
                yield _stray(decision, f"comment {number}", "is gone")
            elif known[number] != wanted:
                yield _stray(decision, f"comment {number}", "was changed")

    def _signal(self, signal: int, said: _Answer, proof: SignalProof | None) -> Iterator[Uncovered]:
        name = f"signal {signal}"
        if proof is None:
            yield _stray(said.decision, name, "is gone")
            return
        if said.digest is not None and proof.digest != said.digest:
            yield _stray(said.decision, name, "was changed")
        answer = (proof.status.value, _stored(proof.reason), proof.decision)
        if answer != (said.status, _stored(said.reason), said.decision):
            yield _stray(said.decision, f"the answer to {name}", "was changed")
        self.unchecked += proof.unchecked
        refused = proof.problem and said.status == SignalStatus.FAILED
        if refused:
            self.remarks.append(f"Decision {said.decision} refused {name}: {proof.problem}.")
        if proof.problem and not refused and said.digest is not None:
            yield Uncovered(
                decision=said.decision,
                sentence=f"Decision {said.decision} believed {name}, and {proof.problem}.",
            )

    def _forged(self, tx: Transaction, since: int) -> Iterator[Uncovered]:
        """Answers that no decision gave."""
        before: int | None = None
        while page := tx.signals.find(Query(states=_ENDED, before=before, limit=_BATCH)):
            for signal in page:
                if signal.id not in self._ended and (signal.decision or since) >= since:
                    yield _stray(
                        signal.decision or since, f"an answer to signal {signal.id}", "was made up"
                    )
            before = page[-1].id


def _stray(decision: int, what: str, how: str) -> Uncovered:
    return Uncovered(
        decision=decision, sentence=f"Decision {decision} covers {what}, which {how} since."
    )


def _digest(comment: Comment) -> str:
    return digest(comment)


def _stored(text: str) -> str:
    """As a database keeps a text: it holds no NUL."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
