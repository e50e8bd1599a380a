"""Reviewed rules: where they come from, which are in force, what their triggers have due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.domain.decisions import RulesRef


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
class RevisionTexts:
    """The policies of one commit, which need not be reviewed; ``name`` is how it was asked for."""

    name: str
    revision: str
    texts: tuple[RuleText, ...]


class RevisionSource(Protocol):
    """The repository that the rules come from, to look at any branch, tag or commit of it."""

    def at(self, name: str, known: Collection[str] = ()) -> RevisionTexts:
        """The policies there; of blobs that are ``known`` without their text, which costs a read each.

        NotFound if there is no revision of that name, UserError if it cannot be one, Unavailable if nobody answers.
        """
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleQuery:
    """A part of the rules in force, by model: whose name holds ``name``, only ``refused`` ones, ``after`` a model."""

    name: str = ""
    refused: bool = False
    after: str = ""
    limit: int = 100


class RuleStore(Protocol):
    """Rule texts by blob id, and which one is in force for each model."""

    def activate(self, rules: ActiveRules) -> None:
        """Put rules in force and wake the model."""
        ...

    def active(self, model: str) -> ActiveRules | None: ...

    def all_active(self) -> list[ActiveRules]: ...

    def find(self, query: RuleQuery) -> list[ActiveRules]:
        """A part of them, in the database's order of models."""
        ...

    def blobs(self) -> Mapping[str, str]:
        """The blob of the rules in force of each model: what is asked where thousands of texts need not be read."""
        ...

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


class ReviewRepository(Protocol):
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


class Schedules(Protocol):
    """What is due lives here, so that a restart catches up once and no fire is lost or doubled."""

    def next_due(self, model: str, trigger: str) -> tuple[datetime, str] | None:
        """The next due time and the definition (cron line, zone) that it was computed from."""
        ...

    def set_next(self, model: str, trigger: str, due: datetime, definition: str) -> None: ...

    def forget(self, model: str, keep: Sequence[str]) -> None:
        """Drop the schedules of triggers that the policy no longer has."""
        ...
