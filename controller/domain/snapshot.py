"""Everything that one decision may look at, read once. What is not in here can't influence a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.domain.decisions import RulesRef
from controller.domain.evidence import Evaluation
from controller.domain.publication import Settlement
from controller.domain.records import Record
from controller.domain.rollout import RolloutView
from controller.domain.runs import RunView
from controller.domain.signals import Signal
from controller.domain.versions import Reign, VersionState, VersionView

SNAPSHOT_FORMAT = 3
"""Version of the snapshot's shape; a reader that meets a higher one refuses instead of guessing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataView:
    """What is known of the model's data: batches up to ``through``, rows in all of them."""

    through: int = 0
    batches: int = 0
    rows: int = 0
    digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldView:
    """Automatic promotion rests."""

    reason: str
    actor: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetView:
    """The error budget's book: how many tests there were, and which of them (0-based) rejected "no better".

    ``levels`` maps a version's number (as text, as JSON keys are) to the level that it was judged at, so that
    looking at a waiting challenger again costs no second test.
    """

    tests: int = 0
    rejections: tuple[int, ...] = ()
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalView:
    """One person's word on a held challenger."""

    version: int
    actor: str
    agrees: bool
    evidence: str
    at: datetime
    reason: str = ""
    word: str = "approve"
    """``approve``, ``reject``, ``withdraw``, or the system's ``request``, ``cancel_request``, ``escalate``; older words
    are one of the first two."""
    behalf: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One challenger that was held against its champion: what retraining brought.

    ``gain`` is the relative improvement of the policy's first comparison with the champion (positive: better) and
    ``error`` its standard error; ``seconds`` is the processor time that the training took.
    """

    version: int
    recipe: str
    gain: float
    error: float
    at: datetime
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldoutUse:
    """How often the holdout that judges ``version`` judged earlier ones, and how many of these took the seat."""

    version: int
    evaluations: int
    passes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RestView:
    """Retraining that does not help is stretched: how often in a row, and until when nothing is started."""

    stretches: int = 0
    until: datetime | None = None
    since_version: int = 0
    """Trials up to this version have been counted before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UseView:
    """Who uses a version that has left the seat: up to twenty names of ``count``, and until when at the latest."""

    version: int
    consumers: tuple[str, ...]
    count: int
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasView:
    """A name and the version that it points at."""

    name: str
    generation: int
    version: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepView:
    """A person's hold on one version."""

    version: int
    reason: str
    actor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveView:
    """A foreign move of the champion that was decided about before, and how."""

    at: datetime
    how: Settlement
    decision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Covers:
    """Digests of rows beside the log that a decision's record vouches for: a number, as JSON writes it, and SHA-256.

    ``signals`` are those that the decision ended, ``comments`` those that no earlier decision covers, about anything.
    Nothing is decided by them.
    """

    signals: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAside:
    """A signal that is kept out of this decision, and why.

    ``ends``: it cannot be decided at all, and this decision answers it as failed. Else it waits for a later one.
    """

    signal: int
    why: str
    ends: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """One model at one moment.

    ``signals`` are those not ended, oldest first, without those that are set aside for a later decision; one that ends
    without being decided stands here without its payload. ``runs`` holds all that have not ended, those ordered in the
    last day, and the newest of each kind. ``versions`` holds those of ``history`` and those that a signal names, all
    on which judgement has not been passed, and all that left the seat where the policy deprecates; whole evaluations
    are with those that may be judged again. ``history`` are the reigns, newest first.
    """

    model: str
    generation: int
    next_version: int
    next_run: int
    rules: RulesRef
    signals: tuple[Signal, ...] = ()
    versions: tuple[VersionView, ...] = ()
    runs: tuple[RunView, ...] = ()
    history: tuple[Reign, ...] = ()
    data: DataView = DataView()
    served: DataView = DataView()
    hold: HoldView | None = None
    budget: BudgetView = BudgetView()
    approvals: tuple[ApprovalView, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    """What finished evaluation runs report, for the signals in here that announce them."""
    last_fired: Mapping[str, datetime] = field(default_factory=dict)
    """When each trigger last ordered a training."""
    recipe_index: int = 0
    trials: tuple[Trial, ...] = ()
    """The newest challengers that were held against a champion, oldest first; read only if the policy asks."""
    rest: RestView = field(default_factory=RestView)
    rollout: RolloutView | None = None
    """The newest rollout of the model; one whose version is no challenger any more is over."""
    holdouts: tuple[HoldoutUse, ...] = ()
    """What the holdouts of challengers in play were used for before; read only if the policy budgets them."""
    aliases: tuple[AliasView, ...] = ()
    uses: tuple[UseView, ...] = ()
    """Consumers of versions that left the seat, those with time left."""
    keeps: tuple[KeepView, ...] = ()
    records: tuple[Record, ...] = ()
    """What the figures of the champion, of the one before and of the one in rollout add up to, of the metrics that
    ``rollback.when`` asks for; read only where a figure has just come."""
    moves: tuple[MoveView, ...] = ()
    """Foreign moves of the champion that were settled lately; read only where another has just been told."""
    covers: Covers | None = None
    """Entered when the decision is recorded; None in records from before there was any."""
    set_aside: tuple[SetAside, ...] = ()
    """Signals that this decision does not look into."""
    resting: str = ""
    """Why the model rests in error; only what a person wants urgently is decided then, one signal at a time."""
    format: int = SNAPSHOT_FORMAT

    @property
    def champion(self) -> VersionView | None:
        """The version in the seat."""
        return next((v for v in self.versions if v.state is VersionState.CHAMPION), None)

    def version(self, number: int) -> VersionView | None:
        """The version with that number, if the snapshot holds it."""
        return next((v for v in self.versions if v.number == number), None)

    def evaluation(self, run: str) -> Evaluation | None:
        """The report of an evaluation run that has just finished."""
        return next((e for e in self.evaluations if e.run == run), None)

    def run(self, identity: str) -> RunView | None:
        """The run with that id, if the snapshot holds it."""
        return next((r for r in self.runs if r.id == identity), None)
