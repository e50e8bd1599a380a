"""A team's own registry of models, where governed versions are published, and the book of what was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from controller.domain.publication import Publication, Sent


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteVersion:
    """A version as the other registry shows it. ``author`` entered it; who moved an alias is not recorded there."""

    number: int
    source: str = ""
    run: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    author: str = ""
    entered_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRemote:
    """A version to be entered. ``files`` are uploaded where the other side takes files; ``link`` leads to our page."""

    link: str
    description: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, bytes | Path] = field(default_factory=dict)


class TeamRegistry(Protocol):
    """The other side. Every method raises Unavailable when it does not answer (or answers with nonsense), and
    ConfigurationError when it refuses us; none waits longer than its time limit.
    """

    @property
    def place(self) -> str:
        """Where it is, without secrets."""
        ...

    def ensure_model(self, model: str, description: str) -> None:
        """Enter the model if it is not there."""
        ...

    def find(self, model: str, tag: str, value: str) -> list[RemoteVersion]:
        """The model's versions that bear a tag, newest first; none where there is no such model."""
        ...

    def get(self, model: str, number: int) -> RemoteVersion | None: ...

    def create(self, model: str, new: NewRemote) -> int:
        """Enter a version; its number."""
        ...

    def tag(self, model: str, number: int, key: str, value: str) -> None: ...

    def point(self, model: str, alias: str, number: int) -> None:
        """Let an alias point at a version. There is no compare-and-set over there: the last writer wins."""
        ...

    def pointed(self, model: str, alias: str) -> RemoteVersion | None:
        """Where an alias points; None where there is no such alias, or no such model."""
        ...


class PublicationRepository(Protocol):
    """What was published, and what was found there."""

    def get(self, model: str) -> Publication | None: ...

    def put(self, publication: Publication) -> None:
        """Keep the newest state of a model's publication."""
        ...

    def all(self) -> list[Publication]:
        """By model."""
        ...

    def hint(self, model: str, at: datetime, since: datetime) -> bool:
        """Bring the next look forward to ``at``, and change nothing else; whether it is.

        It is not where the model is not published, was looked at after ``since``, or is looked at before anyway.
        """
        ...

    def sent(self, model: str) -> Mapping[int, Sent]:
        """The versions that are over there, by our number."""
        ...

    def note(self, model: str, number: int, sent: Sent) -> None:
        """A version was written and read back."""
        ...

    def forget(self, model: str) -> None:
        """The other side has lost the model: nothing of it was sent any more."""
        ...
