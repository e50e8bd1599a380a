"""The ports: what the controller needs of the world, as protocols with at most eight methods each.

Everything that must be true together is written through one :class:`Transaction`; a :class:`Store` opens them.
Each port has a memory adapter and at least one real one, and one conformance suite that all of them pass.

Two clocks: ``now``/``at`` arguments are times of the *decision clock*, which a simulation may set. Leases and
heartbeats are measured by the store's own clock (the database's on PostgreSQL), whatever the decision clock says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from controller.domain.decisions import (
    DecisionRecord,
    MoveVersion,
    RecordApproval,
    RecordEvaluation,
    RecordTest,
    RegisterVersion,
    RulesRef,
    SetChampion,
    StartRun,
)
from controller.domain.evidence import Evaluation
from controller.domain.runs import Run, RunState
from controller.domain.signals import NewSignal, Signal, SignalAnswer
from controller.domain.snapshot import ApprovalView, BudgetView, DataView, HoldView, RestView
from controller.domain.versions import Reign, Version, VersionFact, VersionState


class Clock(Protocol):
    """The decision clock."""

    def now(self) -> datetime:
        """The present, timezone-aware, in UTC."""
        ...


# --- inside one transaction ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The inbox's answer: the signal's id, and whether it was new (False: the same key was there before)."""

    id: int
    fresh: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A filter for lists; None means any. Newest first, ``before`` is an exclusive id to page on (of runs: a
    run's number, which needs ``model``). ``since`` is inclusive, ``until`` is not.

    ``kinds`` are signal kinds, run kinds, or verdicts; ``states`` are signal statuses, run or version states.
    """

    model: str | None = None
    kinds: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 100


class SignalInbox(Protocol):
    """Every signal once, in order of acceptance."""

    def append(self, signals: Sequence[NewSignal], at: datetime) -> list[Accepted]:
        """Accept each signal whose key is not known yet. The order of answers is that of ``signals``."""
        ...

    def pending(self, model: str, limit: int = 1000) -> tuple[Signal, ...]:
        """The model's signals that have not ended, oldest first."""
        ...

    def answer(self, answers: Sequence[SignalAnswer], decision: int) -> None:
        """Write what a decision says to its signals. An ended signal is never answered again (Conflict)."""
        ...

    def get(self, signal: int) -> Signal | None: ...

    def by_key(self, key: str) -> Signal | None: ...

    def find(self, query: Query) -> list[Signal]: ...

    def count_waiting(self) -> int:
        """How many signals in all have not ended (the inbox's depth)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDecision:
    """A decision before it has an id and a hash. ``snapshot`` and ``decision`` are canonical JSON texts."""

    model: str
    decided_at: datetime
    rules: RulesRef
    snapshot: str
    decision: str
    actor: str = "system"


class DecisionLog(Protocol):
    """Append-only, hash-chained. ``record`` numbers decisions 1, 2, 3 … without gaps."""

    def record(self, decision: NewDecision) -> DecisionRecord: ...

    def get(self, decision: int) -> DecisionRecord | None: ...

    def find(self, query: Query) -> list[DecisionRecord]: ...

    def head(self) -> tuple[int, str]:
        """Id and hash of the newest record; (0, GENESIS) when there is none."""
        ...

    def walk(self, start: int = 1, model: str | None = None) -> Iterator[DecisionRecord]:
        """All records from ``start`` on, oldest first, without loading them at once."""
        ...


class Registry(Protocol):
    """Versions, their states as the fold of facts, and the seat. Moves and seats are checked by the database."""

    def register(
        self, model: str, action: RegisterVersion, *, decision: int, at: datetime
    ) -> Version:
        """Enter a version as candidate. Its number must be the model's next one (else Conflict)."""
        ...

    def move(
        self, model: str, action: MoveVersion, *, decision: int, at: datetime, actor: str
    ) -> None:
        """Move a version; IllegalTransition if the life cycle has no such move, Conflict if it is not ``before``."""
        ...

    def seat(self, model: str, action: SetChampion, *, decision: int, at: datetime) -> int:
        """Compare-and-set the champion; returns the new generation, raises StaleGeneration if another sits there.

        The seat names the version and the version's own state says so: ``seat`` sets the state ``champion`` itself.
        """
        ...

    def attach(self, model: str, action: RecordEvaluation, *, decision: int) -> None:
        """Keep an evaluation with its version (the newest one counts)."""
        ...

    def mark_verified(self, model: str, version: int, *, decision: int, at: datetime) -> None: ...

    def versions(
        self,
        model: str,
        *,
        states: Collection[VersionState] | None = None,
        numbers: Collection[int] | None = None,
        limit: int | None = None,
    ) -> list[Version]:
        """All versions, newest first; only those in ``states`` and with one of ``numbers`` where these are given."""
        ...

    def evaluations(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Evaluation]:
        """The newest evaluation of each version (of each one in ``numbers``) that has one."""
        ...

    def history(self, model: str, limit: int = 20) -> list[Reign]:
        """Who sat in the seat, newest first."""
        ...


class FactLog(Protocol):
    """What ever happened to versions. The registry writes it; nobody changes it."""

    def of(self, model: str, version: int | None = None) -> list[VersionFact]:
        """Every move of the model's versions (of one version), oldest first."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelState:
    """One model's control row. ``generation`` rises with every change of champion (0: the seat is empty)."""

    model: str
    generation: int = 0
    champion: int | None = None
    next_version: int = 1
    next_run: int = 1
    hold: HoldView | None = None
    budget: BudgetView = field(default_factory=BudgetView)
    wake_at: datetime | None = None
    last_fired: Mapping[str, datetime] = field(default_factory=dict)
    recipe_index: int = 0
    rest: RestView = field(default_factory=RestView)
    error: str | None = None
    """Why the engine can't decide for this model (a poisoned policy or signal); None if it can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A challenger that was judged and waits, and since when."""

    model: str
    version: int
    since: datetime


class ModelBook(Protocol):
    """One control row a model, and what is booked against it."""

    def state(self, model: str) -> ModelState:
        """The row; created empty when the model is new."""
        ...

    def all(self) -> list[ModelState]: ...

    def due(self, now: datetime, limit: int = 100) -> list[str]:
        """Models with an open signal, or whose ``wake_at`` is not after ``now``; longest waiting first."""
        ...

    def waiting(self, limit: int = 100) -> list[Waiting]:
        """The challengers of all models that wait for a person or for labels, longest waiting first."""
        ...

    def update(self, model: str, **changes: Any) -> None:
        """Set fields of the row: hold, wake_at, recipe_index, rest, error, last_fired."""
        ...

    def record_test(self, model: str, test: RecordTest, *, decision: int) -> None: ...

    def record_approval(
        self, model: str, approval: RecordApproval, *, decision: int, at: datetime
    ) -> None: ...

    def approvals(self, model: str) -> tuple[ApprovalView, ...]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """What a heartbeat hears: is the token still good, and does somebody want the run to stop?"""

    valid: bool
    cancel: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """How a run ended. ``reason`` is one sentence for people; ``result`` is what goes into the signal."""

    state: RunState
    reason: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


class RunStore(Protocol):
    """Runs with their fencing tokens. Every write of a worker names the token it won; row count 0 means fenced."""

    def order(self, model: str, action: StartRun, *, decision: int, at: datetime) -> Run:
        """Enter a queued run with fence 0 and attempt 0; its number must be the model's next one."""
        ...

    def get(self, run: str) -> Run | None: ...

    def find(self, query: Query) -> list[Run]: ...

    def claim(self, run: str, fence: int, *, worker: str, lease: timedelta) -> Run | None:
        """Queued with that fence → running with fence + 1 and attempt + 1; None if it was not to be had."""
        ...

    def heartbeat(
        self, run: str, fence: int, *, lease: timedelta, progress: float | None = None
    ) -> Pulse:
        """Extend the lease of a running run that still has this fence."""
        ...

    def finish(self, run: str, fence: int, end: RunEnd, *, at: datetime) -> bool:
        """End a running run and append its signal (``run_finished`` or ``run_failed``) in the same transaction.

        The signal's key is ``run:<id>:<state>``. False: fenced, nothing was written.
        """
        ...

    def request_cancel(self, run: str, reason: str, *, at: datetime) -> None:
        """Queued → cancelled at once (with its signal); running → the next heartbeat hears of it."""
        ...

    def reclaim(self, *, at: datetime) -> list[Run]:
        """Take back what is silent: running with a lease that ran out → queued with fence + 1, or → dead with its
        signal once attempts exceed the spec's retries. Returns the runs as they are now.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One row of the outbox: a doorbell (topic ``run``) or a notification (topic ``notify``)."""

    id: int
    topic: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    due_at: datetime
    last_error: str = ""


class Outbox(Protocol):
    """What must leave the database: written with the decision, sent again until it is acknowledged.

    ``due_at`` is measured by the store's own clock, as leases are.
    """

    def put(self, topic: str, key: str, payload: Mapping[str, Any]) -> None:
        """Enter a letter that is due at once; the same key is the same letter."""
        ...

    def due(self, topic: str, limit: int = 100) -> list[Letter]: ...

    def postpone(self, letter: int, delay: timedelta, error: str = "") -> None:
        """It was sent, or sending failed: look again after ``delay``."""
        ...

    def acknowledge(self, letter: int) -> None:
        """It has arrived for good."""
        ...

    def depth(self) -> Mapping[str, int]:
        """Letters waiting, by topic."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to act on ``name`` until it runs out; ``fence`` rises with each new holder."""

    name: str
    owner: str
    fence: int


class Leases(Protocol):
    """Exclusive rights that run out by themselves, with fencing."""

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        """Take a free or run-out lease, or renew one's own (same fence)."""
        ...

    def check(self, lease: Lease) -> None:
        """Raise :class:`~controller.domain.errors.Fenced` unless the lease is held and has time left."""
        ...

    def release(self, lease: Lease) -> None: ...

    def holder(self, name: str) -> str | None:
        """Who holds it now, None if nobody does."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One piece of data that a source saw, complete. ``uri`` + ``digest`` (or version) identify it.

    ``rows`` is None where counting was not possible; ``schema`` maps column to type name.
    """

    uri: str
    digest: str
    size: int
    rows: int | None
    schema: Mapping[str, str] = field(default_factory=dict)
    seen_at: datetime | None = None
    sequence: int = 0
    quarantined: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class DataCatalog(Protocol):
    """Which batches each model's source has brought, numbered in order of arrival."""

    def add(self, model: str, batches: Sequence[Batch], at: datetime) -> list[Batch]:
        """Number and keep the batches that are new; a known (uri, digest) is left out of the answer."""
        ...

    def batches(self, model: str, through: int | None = None) -> list[Batch]:
        """The data snapshot: of each uri the newest batch up to ``through`` that is not quarantined, oldest first."""
        ...

    def view(self, model: str) -> DataView: ...

    def cursor(self, model: str) -> str | None: ...

    def set_cursor(self, model: str, cursor: str) -> None: ...

    def quarantine(self, model: str, sequence: int, reason: str) -> None:
        """Take a batch out of every later snapshot; an empty reason lets it in again."""
        ...


class Schedules(Protocol):
    """What is due lives here, so that a restart catches up once and no fire is lost or doubled."""

    def next_due(self, model: str, trigger: str) -> tuple[datetime, str] | None:
        """The next due time and the definition (cron line, zone) that it was computed from."""
        ...

    def set_next(self, model: str, trigger: str, due: datetime, definition: str) -> None: ...

    def forget(self, model: str, keep: Sequence[str]) -> None:
        """Drop the schedules of triggers that the policy no longer has."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveRules:
    """The rules in force for a model, with their text."""

    model: str
    ref: RulesRef
    text: str
    activated_at: datetime
    refused: str = ""
    """Why a newer revision is not in force; empty if there is none."""


class RuleStore(Protocol):
    """Rule texts by blob id, and which one is in force for each model."""

    def activate(self, rules: ActiveRules) -> None:
        """Put rules in force and wake the model."""
        ...

    def active(self, model: str) -> ActiveRules | None: ...

    def all_active(self) -> list[ActiveRules]: ...

    def text(self, blob: str) -> str | None: ...

    def models(self) -> list[str]:
        """The name of every model that rules were ever in force for or that has a control row, sorted."""
        ...

    def refuse(self, model: str, reason: str) -> None:
        """Remember why a newer revision is not in force."""
        ...

    def retire(self, model: str, reason: str, at: datetime) -> None:
        """The model's policy is gone: nothing acts for it any more."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceState:
    """How a model's source fares. ``error`` is a sentence when the last look failed, ``problems`` are of the last
    look that succeeded; ``failures`` counts failed looks in a row.
    """

    model: str
    source: str
    checked_at: datetime
    good_at: datetime | None = None
    error: str = ""
    failures: int = 0
    problems: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether the last look succeeded and found nothing wrong."""
        return not self.error and not self.problems


class SourceHealth(Protocol):
    """How each model's source fares, for ``doctor`` and ``status``."""

    def note(self, state: SourceState) -> None:
        """Keep the newest state of the model's source."""
        ...

    def forget(self, keep: Sequence[str]) -> None:
        """Drop the states of all models but these."""
        ...

    def all(self) -> list[SourceState]:
        """Every state, by model."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewRecord:
    """The evidence about one revision of the rules: ``evidence`` is canonical JSON, ``digest`` its SHA-256.

    ``source`` names the repository, ref and folder; ``reason`` is the sentence of the judgement.
    """

    digest: str
    source: str
    revision: str
    proven: bool
    recorded_at: datetime
    reason: str
    evidence: str


class ReviewBook(Protocol):
    """Evidence of reviews, by digest. What was written is never changed: old decisions cite it."""

    def put(self, record: ReviewRecord) -> None:
        """Keep a record; the same digest is the same record."""
        ...

    def get(self, digest: str) -> ReviewRecord | None: ...

    def newest_proven(self, source: str) -> ReviewRecord | None:
        """The record of the revision that was proven last: its rules are in force."""
        ...

    def latest(self, source: str | None = None, limit: int = 20) -> list[ReviewRecord]:
        """Records of a source (of all sources), newest first."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalEntry:
    """What a run says while it lasts. ``kind`` is ``log``, ``metric`` or ``phase``; ``at`` is the worker's clock.

    ``value`` is None where a metric was no number; ``text`` then says what it was.
    """

    at: datetime
    kind: str
    text: str = ""
    name: str = ""
    step: int | None = None
    value: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalLine:
    """An entry as it is kept; ``id`` rises, and a later attempt of the run has a higher ``fence``."""

    id: int
    fence: int
    entry: JournalEntry


class RunJournal(Protocol):
    """What can be watched of a run: metrics by step, phases, lines of output. Nothing is decided by it."""

    def append(self, run: str, fence: int, entries: Sequence[JournalEntry]) -> bool:
        """Keep the entries if the run is running with this fence; False: fenced, nothing was kept."""
        ...

    def read(
        self, run: str, *, after: int = 0, kinds: Sequence[str] = (), limit: int = 1000
    ) -> list[JournalLine]:
        """Lines with an id above ``after``, oldest first; no kinds means all."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRow:
    """A worker that has announced itself. ``seen_at`` is the store's clock at its last sign of life."""

    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    concurrency: int
    started_at: datetime
    seen_at: datetime | None = None


class WorkerBook(Protocol):
    """Which workers live. A row that has not been renewed for a while is of one that does not."""

    def beat(self, worker: WorkerRow) -> None:
        """A sign of life: ``seen_at`` becomes the store's present."""
        ...

    def leave(self, name: str) -> None:
        """It ended in order."""
        ...

    def all(self) -> list[WorkerRow]:
        """By name."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """The right of a program or a person to call the API. Only the SHA-256 of what was shown once is kept.

    ``role`` is what its bearer may do at most, with the models of ``owners`` only (none given: with all).
    """

    name: str
    digest: str
    actor: str
    role: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    owners: tuple[str, ...] = ()
    revoked_at: datetime | None = None
    id: int = 0


class TokenBook(Protocol):
    """Who may call. A revoked token stays, so that what it did has a name."""

    def issue(self, token: Token) -> Token:
        """Keep a new token; the answer has its id."""
        ...

    def by_digest(self, digest: str) -> Token | None: ...

    def all(self) -> list[Token]:
        """Every token ever issued, the newest first."""
        ...

    def revoke(self, token: int, at: datetime) -> bool:
        """End a token at once; False if there is no such one or it was revoked before."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """What a person says about ``subject``: ``decision:5``, ``run:flight-delay.r3`` or ``version:flight-delay/3``.

    ``text`` is Markdown as it was typed; whoever shows it sanitises it. The same ``key`` is the same comment.
    """

    subject: str
    actor: str
    at: datetime
    text: str
    key: str
    id: int = 0


class CommentBook(Protocol):
    """What people say beside decisions, runs and versions. Nothing is decided by it, nothing is taken out."""

    def add(self, comment: Comment) -> Comment: ...

    def of(self, subject: str, limit: int = 500) -> list[Comment]:
        """The subject's comments, oldest first."""
        ...


class Transaction(Protocol):
    """All books at once. Leaving the block normally commits, an exception rolls back."""

    @property
    def signals(self) -> SignalInbox: ...
    @property
    def decisions(self) -> DecisionLog: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def facts(self) -> FactLog: ...
    @property
    def models(self) -> ModelBook: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def data(self) -> DataCatalog: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def rules(self) -> RuleStore: ...
    @property
    def sources(self) -> SourceHealth: ...
    @property
    def reviews(self) -> ReviewBook: ...
    @property
    def journal(self) -> RunJournal: ...
    @property
    def workers(self) -> WorkerBook: ...
    @property
    def tokens(self) -> TokenBook: ...
    @property
    def comments(self) -> CommentBook: ...


class Store(Protocol):
    """The database."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A read-write transaction. SQLite: BEGIN IMMEDIATE. PostgreSQL: READ COMMITTED with compare-and-set."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads and blocks no writer."""
        ...

    def close(self) -> None: ...


# --- the outside ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleText:
    """One policy file as its source holds it. ``refused`` says why it must not be put in force."""

    path: str
    text: str
    blob: str
    revision: str | None = None
    review: str | None = None
    reviewers: tuple[str, ...] = ()
    refused: str = ""


class RuleSource(Protocol):
    """Where reviewed rules come from: a folder, or a git repository whose reviews can be proven."""

    def read(self) -> list[RuleText]:
        """All policies at the newest revision, each with what is known of its review."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Poll:
    """What a look at a source brought; ``cursor`` is where to go on. ``problems`` are sentences for ``doctor``.

    ``again`` says when the next look is worth while (a file is still being written, more is waiting); None: as usual.
    ``gone`` are URIs that are no part of a table any more: later snapshots must not hold them. A batch whose details
    name ``new_rows`` brings so many rows that were not there before (a table that was rewritten brings none).
    """

    batches: tuple[Batch, ...]
    cursor: str
    problems: tuple[str, ...] = ()
    again: timedelta | None = None
    gone: tuple[str, ...] = ()


class DataSource(Protocol):
    """A place where data arrive."""

    def poll(self, cursor: str | None) -> Poll:
        """What is there that ``cursor`` has not seen; a half-written file is not data yet."""
        ...


class Dispatcher(Protocol):
    """Rings for a worker. A message is only a doorbell: it may be lost, doubled or late."""

    def ring(self, run: str, fence: int, *, queue: str, expires: timedelta) -> None:
        """Raises Unavailable when the broker does not take it."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A notification. ``key`` makes it recognisable when it is sent twice."""

    key: str
    channel: str
    event: str
    model: str
    sentence: str
    decision: int | None = None
    url: str | None = None


class Notifier(Protocol):
    """Brings a message to people."""

    def send(self, message: Message) -> None:
        """Raises Unavailable when it could not be delivered."""
        ...


class ArtifactStore(Protocol):
    """Bytes named by their SHA-256 (hex). What is there never changes; reading verifies."""

    def put_file(self, path: Path) -> str:
        """Store a file's content, fsynced and renamed into place; its digest. StorageFull when there is no room."""
        ...

    def put_bytes(self, content: bytes) -> str: ...

    def fetch(self, digest: str, target: Path) -> Path:
        """Copy (or link) to ``target`` after verifying; IntegrityError names the digest that does not match."""
        ...

    def read_bytes(self, digest: str) -> bytes: ...

    def has(self, digest: str) -> bool: ...

    def size(self, digest: str) -> int: ...

    def delete(self, digest: str) -> None: ...
