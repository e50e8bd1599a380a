"""What the API takes and gives, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from controller.domain.names import LONGEST_MODEL_NAME, MODEL_NAME

T = TypeVar("T")
_MODEL = "flight-delay"
NAME_PATTERN = f"^{MODEL_NAME}$"


class Page(BaseModel, Generic[T]):
    """A part of a list, newest first. `next` is the cursor of the part after it; null: that was all."""

    items: list[T]
    next: int | None = Field(None, examples=[118])


class SignalIn(BaseModel):
    """Something that happened to a model. An `Idempotency-Key` is its actor's, model's and kind's."""

    model_config = ConfigDict(extra="forbid")
    model: str = Field(pattern=NAME_PATTERN, max_length=LONGEST_MODEL_NAME, examples=[_MODEL])
    kind: str = Field(
        "manual", examples=["manual"], description="manual, metric, drift, decay, skew or webhook."
    )
    payload: dict[str, Any] = Field(
        {},
        examples=[{"reason": "labels were fixed"}],
        description="The fields of its kind; what nobody shall interpret goes below `data`.",
    )
    trigger: str | None = Field(
        None, max_length=200, description="The policy's trigger that it is meant for."
    )
    occurred_at: datetime | None = Field(None, description="When it happened; default: now.")
    key: str | None = Field(
        None, max_length=200, description="In a batch: each one's idempotency key."
    )


class HintedOut(BaseModel):
    """Objects that a bucket told of, and the models (or serving logs) whose sources are looked at now."""

    objects: int = Field(examples=[1])
    models: list[str] = Field(examples=[[_MODEL]])


class LookedOut(BaseModel):
    """Whether a webhook of the team's registry brings the next look forward."""

    looks: bool = Field(
        description="False: the model is not published there, or was looked at since.",
        examples=[True],
    )


class AcceptedOut(BaseModel):
    """The inbox's answer."""

    signal: int = Field(examples=[42])
    fresh: bool = Field(description="False: the same key was there before; it counts once.")
    status: str = Field("open", examples=["open"])
    reason: str = Field("", examples=["flight-delay.r5 was started"])
    decision: int | None = Field(None, examples=[17])


class SignalOut(BaseModel):
    """A signal with its answer."""

    id: int
    key: str
    model: str
    kind: str
    occurred_at: datetime
    received_at: datetime
    payload: dict[str, Any]
    trigger: str | None
    actor: str
    status: str
    reason: str
    decision: int | None


class DecisionOut(BaseModel):
    """A decision as a row of a list."""

    id: int = Field(examples=[17])
    model: str = Field(examples=[_MODEL])
    verdict: str = Field(examples=["promote"])
    reason: str = Field(examples=["v17 replaces v16 as champion: 7 of 7 gates passed"])
    champion_before: int | None
    champion_after: int | None
    challenger: int | None
    rules: dict[str, Any]
    decided_at: datetime
    actor: str
    caused_by: list[str] = Field(
        description="Who posted the figure that made the system roll back.",
        examples=[["person:ana"]],
    )
    code: str
    hash: str
    prev_hash: str


class ExplanationOut(DecisionOut):
    """A decision with its tree of compared values, its signals, actions, and the rule lines that decided."""

    tree: dict[str, Any]
    signals: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    led_by: list[dict[str, Any]]
    rule_lines: dict[str, str]


class RunOut(BaseModel):
    """A run: its order, its state and its result."""

    id: str
    model: str
    number: int
    kind: str
    state: str
    attempt: int
    ordered_at: datetime
    decision: int
    worker: str | None
    started_at: datetime | None
    ended_at: datetime | None
    progress: float | None
    reason: str
    spec: dict[str, Any]
    result: dict[str, Any]


class LogLine(BaseModel):
    """A line of a run's journal."""

    id: int
    at: datetime
    kind: str
    text: str
    name: str
    step: int | None
    value: float | None


class VersionOut(BaseModel):
    """A version of a model."""

    model: str
    version: int
    state: str
    run: str
    digest: str
    recipe: str
    created_at: datetime
    size: int
    metrics: dict[str, float]
    decision: int | None
    verified: bool
    promoted_at: datetime | None


class PolicyOut(BaseModel):
    """The policy in force for a model."""

    model: str
    path: str
    blob: str
    revision: str | None
    review: str | None
    reviewers: list[str]
    activated_at: datetime
    refused: str = Field(
        description="Why a newer revision is not in force; empty if there is none."
    )
    text: str


class WordIn(BaseModel):
    """A person's word about a version."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(max_length=2000, examples=["late labels look bad"])
    version: int | None = Field(None, ge=1, le=2**31 - 1, examples=[17])
    evidence: str | None = Field(
        None, max_length=64, description="approve: the SHA-256 of the evidence that was seen."
    )
    expect_version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="Only if this one is the champion now (compare-and-set).",
    )
    force: bool = Field(
        False, description="rollback: at once, without proof that the earlier one still answers."
    )


class ReasonIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(max_length=2000, examples=["wrong data"])


class PlanIn(BaseModel):
    """What to compare with the policy in force: a text, or a revision of the rules' repository."""

    model_config = ConfigDict(extra="forbid")
    text: str | None = Field(
        None, max_length=200_000, examples=["version: 1\nmodel: flight-delay\n"]
    )
    revision: str | None = Field(
        None, max_length=200, examples=["looser-gates"], description="A branch, tag or commit."
    )


class DelegationIn(BaseModel):
    """Somebody who approves in one's place."""

    model_config = ConfigDict(extra="forbid")
    to: str = Field(min_length=1, max_length=200, examples=["ben"])
    until: datetime = Field(examples=["2026-12-01T08:00:00Z"])
    reason: str = Field(max_length=2000, examples=["on leave"])


class DelegationOut(BaseModel):
    """A delegation as it is kept."""

    id: int
    actor: str = Field(examples=["person:ana"])
    to: str = Field(examples=["person:ben"])
    reason: str
    since: datetime
    until: datetime
    revoked_at: datetime | None


class CommentIn(BaseModel):
    """A comment in Markdown."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=10_000, examples=["The slice **JFK** has few rows."])


class CommentOut(BaseModel):
    """A comment as it was typed, and as safe HTML."""

    id: int
    subject: str
    actor: str
    at: datetime
    text: str
    html: str


class RolloutOut(BaseModel):
    """A challenger that answers a share of the champion's requests."""

    version: int
    stage: int = Field(description="From 0, the steps of the policy's rollout.")
    traffic: float = Field(description="A fraction; 0 in shadow.", examples=[0.1])
    since: datetime
    generation: int


class ResolvedOut(BaseModel):
    """What a name stands for."""

    model: str
    name: str = Field(examples=["champion"])
    generation: int = Field(description="Rises whenever the name points elsewhere.")
    version: int
    state: str
    digest: str = Field(description="SHA-256 of the artifact.")
    size: int
    run: str
    recipe: str
    verified: bool
    created_at: datetime
    promoted_at: datetime | None
    sunset: datetime | None
    warning: str = Field(description="What a client says aloud; empty where all is well.")
    rollout: RolloutOut | None = Field(
        description="Of the champion, while a challenger is rolled out."
    )
    lease_until: datetime | None


class AliasIn(BaseModel):
    """Where an alias shall point."""

    model_config = ConfigDict(extra="forbid")
    version: int | None = Field(ge=1, le=2**31 - 1, examples=[17], description="null: nowhere.")
    reason: str = Field(max_length=2000, examples=["try it on one shop"])
    expect_version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Only if it points there now (compare-and-set)."
    )


class PayloadIn(BaseModel):
    """A person's word: which, why, and about what."""

    model_config = ConfigDict(extra="forbid")
    action: Literal[
        "alias", "deprecate", "archive", "restore", "hold", "release", "retain", "drill", "dismiss"
    ]
    reason: str = Field(max_length=2000, examples=["replaced by v18"])
    payload: dict[str, Any] = Field({}, examples=[{"version": 17}])


class CurateIn(BaseModel):
    """A person's word about one version."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(max_length=2000, examples=["replaced by v18"])
    sunset: datetime | None = Field(None, description="deprecate: from when it may be gone.")
    firm: bool = Field(False, description="deprecate: nobody's lease goes beyond that date.")


class NotesIn(BaseModel):
    """Tags to set (null takes one away), and a description."""

    model_config = ConfigDict(extra="forbid")
    tags: dict[str, str | None] = Field({}, examples=[{"team": "fraud"}])
    description: str | None = None


class NotesOut(BaseModel):
    """All tags, and the description."""

    tags: dict[str, str]
    description: str
