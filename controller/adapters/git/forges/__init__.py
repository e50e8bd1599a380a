"""Where pull requests and reviews are kept: one module a provider, all answering the same few questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.adapters.git.settings import ReviewSettings
from controller.domain.errors import ConfigurationError
from controller.policy.review_facts import PullFact


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """Whether the branch is protected (None: the provider does not say), and what was seen of the settings."""

    protected: bool | None
    seen: Mapping[str, Any] = field(default_factory=dict)


class Forge(Protocol):
    """A provider. Every method raises Unavailable when it does not answer; nothing is ever guessed."""

    def pulls_of(self, sha: str) -> list[PullFact]:
        """The pull requests that brought a commit of the protected branch, with commits and reviews."""
        ...

    def blob_at(self, path: str, commit: str) -> str | None:
        """The id of the file's blob at a commit; None if the file is not there."""
        ...

    def protection(self, branch: str) -> Protection:
        """How the branch is protected."""
        ...


def open_forge(settings: ReviewSettings) -> Forge:
    """The provider that the settings name (not for ``ssh``, which has none)."""
    if settings.provider == "github":
        from controller.adapters.git.forges.github import GitHub

        return GitHub(settings)
    if settings.provider == "gitlab":
        from controller.adapters.git.forges.gitlab import GitLab

        return GitLab(settings)
    if settings.provider == "gitea":
        from controller.adapters.git.forges.gitea import Gitea

        return Gitea(settings)
    raise ConfigurationError(f"review.provider {settings.provider!r} has no pull requests.")
