"""A decision: a verdict, the reasons as a tree of compared values, and the actions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from controller.domain.evidence import Evaluation
from controller.domain.publication import Settlement
from controller.domain.runs import RunSpec
from controller.domain.signals import SignalAnswer
from controller.domain.versions import VersionState


class Verdict(StrEnum):
    """What was decided."""

    PROMOTE = "promote"
    REJECT = "reject"
    HOLD = "hold"
    ROLLBACK = "rollback"
    ADVANCE = "advance"
    TRAIN = "train"
    DEPRECATE = "deprecate"
    ARCHIVE = "archive"
    NONE = "none"


class Result(StrEnum):
    """The outcome of one node: the first four for gates, the next three for triggers, the rest for steps."""

    PASS = "pass"  # noqa: S105 - the word of a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FIRING = "firing"
    PENDING = "pending"
    INACTIVE = "inactive"
    DONE = "done"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    IDLE = "idle"

    @property
    def passes(self) -> bool:
        """Whether a gate is met. Nothing but a pass counts."""
        return self is Result.PASS


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One node of the tree: what was asked, what came out, the sentence, and the values that were compared."""

    name: str
    result: Result
    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    children: tuple[Outcome, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StartRun:
    """Order a piece of work."""

    run: str
    number: int
    spec: RunSpec
    kind: Literal["start_run"] = "start_run"


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelRun:
    """Stop a piece of work."""

    run: str
    reason: str
    kind: Literal["cancel_run"] = "cancel_run"


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterVersion:
    """Enter a trained model as a candidate."""

    version: int
    run: str
    digest: str
    recipe: str
    size: int = 0
    data_through: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    lineage: str | None = None
    kind: Literal["register_version"] = "register_version"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordEvaluation:
    """Keep an evaluation with its version."""

    evaluation: Evaluation
    kind: Literal["record_evaluation"] = "record_evaluation"


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveVersion:
    """Move a version in its life cycle."""

    version: int
    before: VersionState
    after: VersionState
    reason: str
    kind: Literal["move_version"] = "move_version"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetChampion:
    """Seat ``version``: a compare-and-set on the generation (and so on the champion) that the snapshot saw.

    The version that leaves the seat is moved by a :class:`MoveVersion` beside it, before this action.
    """

    version: int
    generation: int
    previous: int | None
    reason: str
    cause: Literal["promotion", "rollback"] = "promotion"
    kind: Literal["set_champion"] = "set_champion"


@dataclass(frozen=True, kw_only=True, slots=True)
class AdvanceRollout:
    """Let a challenger enter a stage of its rollout. ``traffic`` is the fraction that it answers, 0 in shadow."""

    version: int
    stage: int
    traffic: float
    generation: int
    reason: str
    kind: Literal["advance_rollout"] = "advance_rollout"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkVerified:
    """Remember that a version was loaded and answered in a fresh process."""

    version: int
    kind: Literal["mark_verified"] = "mark_verified"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceHold:
    """Rest automatic promotion until a person lifts the hold."""

    reason: str
    actor: str
    kind: Literal["place_hold"] = "place_hold"


@dataclass(frozen=True, kw_only=True, slots=True)
class LiftHold:
    """End a hold."""

    reason: str
    actor: str
    kind: Literal["lift_hold"] = "lift_hold"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordTest:
    """Book one test of the error budget: its level and whether it promoted."""

    version: int
    level: float
    rejected: bool
    kind: Literal["record_test"] = "record_test"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordApproval:
    """Book one person's word on a held challenger, with the digest of the evidence that was seen.

    ``word`` is ``approve``, ``reject`` or ``withdraw`` (an approval is taken back). The system's own are ``request``
    (people are asked, on the terms that ``reason`` names), ``cancel_request`` (they need not answer any more) and
    ``escalate`` (more people may decide now). ``behalf`` names whose delegation the person used.
    """

    version: int
    actor: str
    agrees: bool
    evidence: str
    reason: str
    word: Literal["approve", "reject", "withdraw", "request", "cancel_request", "escalate"] = (
        "approve"
    )
    behalf: str = ""
    kind: Literal["record_approval"] = "record_approval"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRecipe:
    """Retire the recipe whose retraining brings nothing, give the next one its turn, and rest until then."""

    index: int
    stretches: int
    until: datetime | None
    since_version: int
    reason: str
    kind: Literal["turn_recipe"] = "turn_recipe"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    """Take a batch of data out of every later snapshot."""

    sequence: int
    reason: str
    kind: Literal["quarantine"] = "quarantine"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordFigure:
    """Add one figure of a version in service to its record."""

    version: int
    metric: str
    value: float
    rows: int
    std: float | None
    at: datetime
    signal: int
    kind: Literal["record_figure"] = "record_figure"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAlias:
    """Point an alias at ``version`` (None: take it away): a compare-and-set on the generation that was seen."""

    alias: str
    version: int | None
    generation: int
    previous: int | None
    reason: str
    kind: Literal["set_alias"] = "set_alias"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetSunset:
    """From when on a deprecated version may be gone; None: it is not deprecated any more.

    ``firm``: nobody can use it beyond that date, however often they ask.
    """

    version: int
    at: datetime | None
    firm: bool
    reason: str
    kind: Literal["set_sunset"] = "set_sunset"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepVersion:
    """A person's hold on one version: it is not archived while it lasts."""

    version: int
    reason: str
    actor: str
    kind: Literal["keep_version"] = "keep_version"


@dataclass(frozen=True, kw_only=True, slots=True)
class LetGo:
    """End the hold on one version."""

    version: int
    reason: str
    actor: str
    kind: Literal["let_go"] = "let_go"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveArtifact:
    """Take an archived version's artifact away, for good."""

    version: int
    digest: str
    reason: str
    kind: Literal["remove_artifact"] = "remove_artifact"


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleMove:
    """How a foreign move of the champion in a team's registry ends; the publisher carries it out there.

    ``found`` is where the alias pointed (None: nowhere), ``version`` is our number of that (None: none of ours).
    """

    signal: int
    how: Settlement
    place: str
    alias: str
    found: int | None
    version: int | None
    reason: str
    kind: Literal["settle_move"] = "settle_move"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notify:
    """Tell people. ``event`` is a key of the policy's ``notify`` section."""

    event: str
    channels: tuple[str, ...]
    sentence: str
    kind: Literal["notify"] = "notify"


Action = (
    StartRun
    | CancelRun
    | RegisterVersion
    | RecordEvaluation
    | MoveVersion
    | SetChampion
    | AdvanceRollout
    | MarkVerified
    | PlaceHold
    | LiftHold
    | RecordTest
    | RecordApproval
    | TurnRecipe
    | Quarantine
    | RecordFigure
    | SetAlias
    | SetSunset
    | KeepVersion
    | LetGo
    | RemoveArtifact
    | SettleMove
    | Notify
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The answer of :func:`controller.policy.decide.decide`. ``code`` is the version of the deciding code.

    ``answers`` holds only answers that differ from what the signal was told before.
    """

    model: str
    verdict: Verdict
    reason: str
    tree: Outcome
    decided_at: datetime
    code: str
    champion_before: int | None = None
    champion_after: int | None = None
    challenger: int | None = None
    actions: tuple[Action, ...] = ()
    answers: tuple[SignalAnswer, ...] = ()
    wake_at: datetime | None = None
    """When time alone could change the answer (a cooldown ends, an approval expires); None if it can't."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to write: an action, or an answer that a signal does not have yet."""
        return bool(self.actions or self.answers)


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesRef:
    """Which text decided. ``review`` is the digest of the stored review evidence, None if unreviewed."""

    path: str
    blob: str
    revision: str | None = None
    review: str | None = None
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord:
    """A decision in the log. ``hash`` covers everything else here and ``prev_hash``, the record before it."""

    id: int
    model: str
    decided_at: datetime
    rules: RulesRef
    snapshot: str
    decision: str
    prev_hash: str
    hash: str
    actor: str = "system"
