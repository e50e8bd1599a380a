"""Any branch, tag or commit of the repository that the rules come from, to look at before it is reviewed.

A name is looked up as a branch, a tag or a commit's number and as nothing else: git's other ways to name a commit can
search its whole history. What is fetched comes from the repository of the settings, never from where a name leads.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from controller.adapters.git.command import Git
from controller.adapters.git.forges.client import credentials
from controller.adapters.git.mirror import Mirror
from controller.adapters.git.rules import is_policy
from controller.adapters.git.settings import ReviewSettings
from controller.adapters.git.texts import RepositoryRules
from controller.adapters.rules_folder import LARGEST_RULES_FILE, rule_text
from controller.domain.errors import NotFound, Unavailable, UserError
from controller.ports import RevisionTexts, RuleText

LONGEST_REVISION = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+#-]*")
_NUMBER = re.compile(r"[0-9a-f]{7,64}")
_USER = re.compile(r"//[^/@\s]*@")


class FolderRevisions:
    """A :class:`~controller.ports.RevisionSource` over the working tree that holds the folder of rules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def at(self, name: str, known: Collection[str] = ()) -> RevisionTexts:
        """From the objects that are there; nothing is fetched or checked out."""
        wanted = checked_name(name)
        there = RepositoryRules(self._folder)
        for candidate in _candidates(wanted):
            found = there.commit(candidate)
            if found is not None:
                return RevisionTexts(
                    name=wanted, revision=found, texts=tuple(there.at(found, known))
                )
        raise NotFound(
            f"The repository of {self._folder} has no branch, tag or commit {wanted}.",
            hint="Fetch it on the server first, or name another.",
        )


class RemoteRevisions:
    """The same over the followed repository, in a mirror of its own: looking disturbs nobody's proofs."""

    def __init__(self, settings: ReviewSettings) -> None:
        self._settings = settings
        folder = settings.cache.with_name(f"{settings.cache.name.removesuffix('.git')}-looked.git")
        git = Git(folder=folder, timeout=settings.timeout, secrets=credentials(settings))
        self._folder = folder
        self._mirror = Mirror(git, settings.remote)
        self._lock = threading.Lock()
        self._fetched: float | None = None

    def at(self, name: str, known: Collection[str] = ()) -> RevisionTexts:
        """Fetched from the repository of the settings, at most once in their pause."""
        wanted = checked_name(name)
        with self._lock:
            self._fetch()
            found = self._resolve(wanted)
        if found is None:
            raise NotFound(
                f"The repository of the rules has no branch, tag or commit {wanted}.",
                hint="Push it first, or name another.",
            )
        return RevisionTexts(name=wanted, revision=found, texts=tuple(self._texts(found, known)))

    def _fetch(self) -> None:
        now = time.monotonic()
        if self._fetched is not None and now - self._fetched < self._settings.pause:
            return
        try:
            self._mirror.fetch_all()
        except Unavailable as error:  # an address may hold a password, and this is shown to people
            raise Unavailable(_USER.sub("//", error.message), hint="Try again later.") from None
        self._fetched = now

    def _resolve(self, name: str) -> str | None:
        found = (self._mirror.resolve(candidate) for candidate in _candidates(name))
        return next((commit for commit in found if commit is not None), None)

    def _texts(self, revision: str, known: Collection[str]) -> Iterator[RuleText]:
        for file in self._mirror.files(revision, self._settings.folder):
            if not is_policy(file.path):
                continue
            if file.mode == "120000" or file.size > LARGEST_RULES_FILE:
                reason = (
                    f"{file.path}: it is no regular file of up to {LARGEST_RULES_FILE:,} bytes."
                )
                yield RuleText(path=file.path, text="", blob=file.blob, refused=reason)
            elif file.blob in known:
                yield RuleText(path=file.path, text="", blob=file.blob)
            else:
                yield rule_text(file.path, self._mirror.blob(file.blob))


def checked_name(name: str) -> str:
    """The name without blanks around it; UserError if it is none of a branch, a tag or a commit."""
    text = name.strip()
    if not _NAME.fullmatch(text) or ".." in text or len(text) > LONGEST_REVISION:
        raise UserError(
            f"{text[:80]!r} is no name of a branch, tag or commit.",
            hint="Write a branch such as looser-gates, or a commit's number.",
        )
    return text


def _candidates(name: str) -> Iterator[str]:
    """In the order in which a person means them. A working tree also knows the branches of its remotes."""
    yield f"refs/heads/{name}"
    yield f"refs/tags/{name}"
    yield f"refs/remotes/{name}"
    yield f"refs/remotes/origin/{name}"
    if _NUMBER.fullmatch(name):
        yield name
