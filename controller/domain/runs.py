"""A run: one piece of work for a worker, ordered by a decision, claimed by its fencing token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from controller.domain.rules import DataSection, Gate, Search

RUN_FORMAT = 1
"""Version of what an order says. A worker that meets a higher one leaves the run to a newer worker."""


class RunKind(StrEnum):
    """What a worker is asked to do."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    PROFILE = "profile"
    VERIFY = "verify"
    DECAY = "decay"
    SKEW = "skew"


class RunState(StrEnum):
    """Where a run is. ``failed`` is the user's code saying no, ``dead`` is our giving up after lost workers."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the run can no longer change."""
        return self not in {RunState.QUEUED, RunState.RUNNING}

    @property
    def succeeded(self) -> bool:
        """Whether the run brought what it was ordered for."""
        return self is RunState.DONE


_S = RunState
RUN_MOVES: Mapping[RunState, tuple[RunState, ...]] = {
    _S.QUEUED: (_S.RUNNING, _S.CANCELLED, _S.DEAD),
    _S.RUNNING: (_S.DONE, _S.FAILED, _S.QUEUED, _S.DEAD, _S.CANCELLED),
    **dict.fromkeys((_S.DONE, _S.FAILED, _S.DEAD, _S.CANCELLED), ()),
}
"""Every legal move of a run; the guards of the databases are made from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Why a run was ordered: a trigger of the policy (or ``manual``) and the signals that fired it."""

    trigger: str
    signals: tuple[int, ...]
    sentence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSpec:
    """The order itself, complete: a worker needs nothing else from the policy.

    ``data_through`` names the data snapshot: all batches of the model with a sequence number up to it.
    ``version`` is the challenger of an evaluation, ``champion`` and ``anchor`` what it is held against.
    ``timeout`` and ``memory`` (bytes) limit the user's process.
    """

    kind: RunKind
    model: str
    data: DataSection
    data_through: int
    seed: int
    recipe: str
    entrypoint: str | None = None
    command: tuple[str, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    search: Search | None = None
    window: timedelta | None = None
    timeout: timedelta = timedelta(hours=1)
    memory: int | None = None
    retries: int = 1
    queue: str = "default"
    causes: tuple[Cause, ...] = ()
    version: int | None = None
    champion: int | None = None
    anchor: int | None = None
    gates: tuple[Gate, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """What a decision needs to know of a run. ``ordered_at`` and ``ended_at`` are times of the decision clock."""

    id: str
    number: int
    kind: RunKind
    state: RunState
    recipe: str
    ordered_at: datetime
    ended_at: datetime | None = None
    attempt: int = 0
    triggers: tuple[str, ...] = ()
    version: int | None = None
    champion: int | None = None
    data_through: int = 0
    reason: str = ""
    served_through: int = 0
    """The last batch of the serving log that the run looks at."""
    look_again: datetime | None = None
    """When labels come due that the run could not see yet."""
    asked_by: tuple[int, ...] = ()
    """Of a verification: the signals that asked for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run as the database holds it. ``fence`` rises with each claim and each reclaim, ``attempt`` with each claim;
    ``handed_back`` counts the attempts that ended because a worker had to go, which use up no retry.
    """

    id: str
    model: str
    number: int
    spec: RunSpec
    state: RunState
    fence: int
    attempt: int
    ordered_at: datetime
    decision: int
    worker: str | None = None
    lease_until: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_requested: bool = False
    progress: float | None = None
    reason: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    handed_back: int = 0
    format: int = RUN_FORMAT
    """The version of the order, as it was when it was written."""

    @property
    def tries(self) -> int:
        """The attempts that count against the spec's retries."""
        return self.attempt - self.handed_back


def run_id(model: str, number: int) -> str:
    """The name of a model's run; derived, so that a decision can be computed again byte for byte."""
    return f"{model}.r{number}"
