"""What the server must be told to follow a repository and to prove its reviews."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from controller.domain.errors import ConfigurationError
from controller.policy.review_facts import Reviewer, ReviewRules

Provider = Literal["github", "gitlab", "gitea", "ssh"]

APIS = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
"""Where a provider's API is, unless the settings say otherwise. Gitea and Forgejo are always at home."""

_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewSettings:
    """``remote`` is a path or URL for git, ``ref`` a branch or ``tags/NAME``, ``branch`` the protected branch.

    ``project`` is ``owner/name`` at the provider and ``token_env`` names the variable that holds its token (or
    ``NAME_FILE`` a file with it). ``allowed_signers`` is for the provider ``ssh``: the file that
    ``ssh-keygen -Y verify`` reads, whose principals are e-mail addresses of reviewers. ``baseline`` is a revision
    that the server trusts as if it were proven, to begin with; without one all history must be proven.
    ``cache`` is the folder of the local mirror, ``timeout`` in seconds of each git command and request. ``pause`` is
    the shortest time in seconds between two looks: providers count requests.
    """

    remote: str
    provider: Provider
    reviewers: tuple[Reviewer, ...]
    cache: Path
    ref: str = "main"
    branch: str = "main"
    folder: str = "rules"
    project: str = ""
    api: str = ""
    token_env: str = ""
    approvals: int = 1
    require_protection: bool = True
    baseline: str | None = None
    allowed_signers: Path | None = None
    timeout: float = 60.0
    pause: float = 30.0

    def __post_init__(self) -> None:
        for name, value in (("ref", self.ref), ("branch", self.branch), ("folder", self.folder)):
            if not _REF.fullmatch(value) or ".." in value:
                raise ConfigurationError(
                    f"review.{name} is {value!r}, which git cannot name safely."
                )
        if self.remote.startswith("-") or not self.remote:
            raise ConfigurationError(f"review.remote is {self.remote!r}, which is no path or URL.")
        if not self.reviewers:
            raise ConfigurationError("review.reviewers is empty: nobody could ever approve a rule.")
        if self.approvals < 1:
            raise ConfigurationError("review.approvals must be at least 1.")
        if self.provider == "ssh" and self.allowed_signers is None:
            raise ConfigurationError("review.allowed_signers is needed with the provider ssh.")
        if self.provider != "ssh" and not self.project:
            raise ConfigurationError(f"review.project (owner/name) is needed with {self.provider}.")
        if self.provider == "gitea" and not self.api:
            raise ConfigurationError(
                "review.api is needed with gitea, e.g. https://git.example/api/v1."
            )

    @property
    def rules(self) -> ReviewRules:
        """What the checks need of these settings."""
        return ReviewRules(
            reviewers=self.reviewers,
            approvals=self.approvals,
            branch=self.branch,
            require_protection=self.require_protection and self.provider != "ssh",
            require_signatures=self.provider == "ssh",
        )

    @property
    def source(self) -> str:
        """Which rules these settings follow, as one text; the key of the evidence in the database."""
        return f"{self.remote}#{self.ref}:{self.folder}"
