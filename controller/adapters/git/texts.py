"""Rules as a working tree or a commit has them, to compare the two. Objects are only read: nothing is checked out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from controller.adapters.git.command import Git
from controller.adapters.rules_folder import (
    LARGEST_RULES_FILE,
    RULES_SUFFIXES,
    TEST_SUFFIXES,
    RulesFolder,
    rule_text,
)
from controller.domain.errors import NotFound, UserError
from controller.ports import RuleText

_BLOBS = ("100644", "100755")


class RepositoryRules:
    """The policies of one folder, by revision of the repository that it belongs to.

    Whoever owns the files may be somebody else (a container's user): reading objects runs nothing of theirs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        near = folder if folder.is_dir() else folder.absolute().parent
        if not near.is_dir():
            raise NotFound(f"There is no folder {folder}.", hint="Name the rules with --rules.")
        self._git = Git(folder=near, secrets={"safe.directory": "*"})

    def here(self) -> list[RuleText]:
        """The working tree."""
        return RulesFolder(self._folder).read()

    def knows(self, revision: str) -> bool:
        """Whether the revision exists, in a repository."""
        return self.commit(revision) is not None

    def at(self, revision: str, known: Collection[str] = ()) -> list[RuleText]:
        """The policies of a commit, of ``known`` blobs without text; NotFound if there is no such commit."""
        commit = self.commit(revision)
        if commit is None:
            raise NotFound(
                f"There is no revision {revision} here.",
                hint="Fetch it first (a shallow clone lacks it: use fetch-depth 0, GIT_DEPTH 0).",
            )
        prefix = self._prefix()
        listed = self._git.ask("ls-tree", "-r", "-z", "--full-tree", commit, "--", prefix or ".")
        return [
            self._read(entry, prefix, known)
            for entry in listed.split("\0")
            if entry and self._is_policy(entry, prefix)
        ]

    def _prefix(self) -> str:
        """The folder's path from the top of its repository."""
        inside = self._git.ask("rev-parse", "--show-prefix")
        if self._folder.is_dir():
            return inside
        return f"{inside}{self._folder.name}/"

    @staticmethod
    def _is_policy(entry: str, prefix: str) -> bool:
        inner = entry.partition("\t")[2].removeprefix(prefix)
        hidden = any(part.startswith(".") for part in inner.split("/"))
        return inner.endswith(RULES_SUFFIXES) and not inner.endswith(TEST_SUFFIXES) and not hidden

    def _read(self, entry: str, prefix: str, known: Collection[str]) -> RuleText:
        about, _, path = entry.partition("\t")
        mode, _, blob = about.split()
        name = f"{self._folder.resolve().name}/{path.removeprefix(prefix)}"
        if mode not in _BLOBS:
            reason = f"{name}: it is not a regular file."
            return RuleText(path=name, text="", blob=blob, refused=reason)
        if blob in known:
            return RuleText(path=name, text="", blob=blob)
        size = int(self._git.ask("cat-file", "-s", blob))
        if size > LARGEST_RULES_FILE:
            reason = f"{name}: it has {size:,} bytes, a policy has at most {LARGEST_RULES_FILE:,}."
            return RuleText(path=name, text="", blob=blob, refused=reason)
        return rule_text(name, self._git.ask_bytes("cat-file", "blob", blob))

    def commit(self, revision: str) -> str | None:
        """The commit that ``revision`` means; None if there is none, or no repository."""
        if revision.startswith("-"):
            raise UserError(f"{revision!r} is no revision.", hint="Name a commit, branch or tag.")
        answer = self._git.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return answer.text if answer.code == 0 else None
