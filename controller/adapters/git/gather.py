"""Gathers what is to be known of a revision from the mirror and the provider; it judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from controller.adapters.git.commit_signatures import commit_signature
from controller.adapters.git.forges import Forge, Protection
from controller.adapters.git.mirror import Mirror, TreeFile
from controller.adapters.git.settings import ReviewSettings
from controller.adapters.git.ssh import Verified, verify_signature_of
from controller.policy.review_facts import (
    ChangedPolicy,
    CommitFact,
    CommitSignature,
    PullFact,
    ReviewFact,
    ReviewState,
    RevisionFacts,
)

RulesCheck = Callable[[Mapping[str, bytes]], Sequence[str]]
"""From all files of the rules folder to the problems of `check` and `test`, as sentences."""

LARGEST_RULES_BLOB = 1 << 20
GATHERED_SUFFIXES = (".yaml", ".yml")


class Gatherer:
    """Facts of revisions. Answers of the provider are kept for one look (``forget`` ends it)."""

    def __init__(
        self, settings: ReviewSettings, mirror: Mirror, forge: Forge | None, check: RulesCheck
    ) -> None:
        self._settings = settings
        self._mirror = mirror
        self._forge = forge
        self._check = check
        self._pulls: dict[str, PullFact] = {}
        self._asked: set[str] = set()
        self._protection: Protection | None = None
        self._signatures: dict[str, CommitSignature] = {}

    def forget(self) -> None:
        """Ask the provider anew from now on: reviews change."""
        self._pulls.clear()
        self._asked.clear()
        self._signatures.clear()
        self._protection = None

    def facts(self, revision: str, active: str | None, branch: str) -> RevisionFacts:
        """Everything about ``revision`` that the checks want; ``branch`` is the protected branch's newest commit."""
        descends = active is None or self._mirror.is_ancestor(active, revision)
        facts = RevisionFacts(
            revision=revision,
            active=active,
            ref=self._settings.ref,
            on_ref=self._mirror.is_ancestor(revision, branch),
            descends=descends,
            protected=None,
        )
        if not descends or not facts.on_ref:
            return facts
        changed = self._changed(revision, active)
        commits = self._mirror.commits(active, revision, self._settings.folder)
        if self._forge is None:
            facts = replace(facts, signatures=self._signatures_of(facts))
            pulls = self._signed(commits, facts, changed)
        else:
            pulls = self._pulls_of(self._forge, commits, [c.path for c in changed])
        files = self._mirror.files(revision, self._settings.folder)
        protection = self._protected()
        return replace(
            facts,
            commits=tuple(commits),
            pulls=pulls,
            changed=changed,
            protected=protection.protected,
            protection=protection.seen,
            problems=tuple(self._problems(files)),
            checked=len(files),
        )

    def _changed(self, revision: str, active: str | None) -> tuple[ChangedPolicy, ...]:
        folder = self._settings.folder
        blobs = {file.path: file.blob for file in self._mirror.files(revision, folder)}
        paths = self._mirror.changed(active, revision, folder)
        last = self._last_commits(paths, revision, active)
        return tuple(
            ChangedPolicy(path=path, blob=blobs.get(path), last_commit=last.get(path, revision))
            for path in paths
        )

    def _last_commits(
        self, paths: Sequence[str], revision: str, active: str | None
    ) -> dict[str, str]:
        """The newest commit of the branch itself that changed each path."""
        line = self._mirror.line(active, revision)
        left, found = set(paths), {}
        for i, sha in enumerate(line):
            if not left:
                break
            before = line[i + 1] if i + 1 < len(line) else active
            for path in self._mirror.changed(before, sha, self._settings.folder):
                if path in left:
                    left.discard(path)
                    found[path] = sha
        return found

    # --- pull requests ----------------------------------------------------------------------------------

    def _pulls_of(
        self, forge: Forge, commits: Sequence[CommitFact], paths: Sequence[str]
    ) -> tuple[PullFact, ...]:
        for commit in commits:
            held = any(pull.holds(commit.sha) for pull in self._pulls.values())
            if commit.sha not in self._asked and not held:
                self._asked.add(commit.sha)
                for pull in forge.pulls_of(commit.sha):
                    self._add(pull)
        for name, pull in self._pulls.items():
            reviews = tuple(_with_blobs(forge, review, paths) for review in pull.reviews)
            self._pulls[name] = replace(pull, reviews=reviews)
        return tuple(self._pulls.values())

    def _add(self, pull: PullFact) -> None:
        known = self._pulls.get(pull.name)
        if known is not None:
            pull = replace(pull, landed=tuple(dict.fromkeys([*known.landed, *pull.landed])))
        self._pulls[pull.name] = pull

    def _signatures_of(self, facts: RevisionFacts) -> tuple[CommitSignature, ...]:
        """Of every commit in between, whether or not it touches the rules."""
        signers, span = (
            self._settings.allowed_signers,
            self._mirror.span(facts.active, facts.revision),
        )
        if signers is None:
            return ()
        asked = [sha for sha in span if sha not in self._signatures]
        for sha, raw in self._mirror.raw_commits(asked):
            self._signatures[sha] = commit_signature(sha, raw, signers)
        return tuple(self._signatures[sha] for sha in span)

    def _signed(
        self, commits: Sequence[CommitFact], facts: RevisionFacts, changed: Sequence[ChangedPolicy]
    ) -> tuple[PullFact, ...]:
        """Bare git has no pull requests: the signatures stand for the span of commits up to the revision."""
        signers = self._settings.allowed_signers
        if not commits or signers is None:
            return ()
        span = frozenset(s.sha for s in facts.signatures)
        found = [verify_signature_of(blob, signers) for blob in self._mirror.approvals(span)]
        reviews = [self._review(v, changed) for v in found if v and self._in_span(v, span)]
        return (
            PullFact(
                name=f"signatures up to {facts.revision[:10]}",
                url="",
                author=None,
                merged=True,
                base=self._settings.branch,
                commits=tuple(commits),
                reviews=tuple(reviews),
                landed=(facts.revision,),
            ),
        )

    def _in_span(self, verified: Verified, span: frozenset[str]) -> bool:
        """Whether a revision after the active one was approved: an old approval says nothing about a way back."""
        said = verified.statement
        return said.folder == self._settings.folder and said.revision in span

    def _review(self, verified: Verified, changed: Sequence[ChangedPolicy]) -> ReviewFact:
        """The files that the signer saw after their last change; a file that is not named was not there."""
        said = verified.statement
        seen = [c.path for c in changed if self._mirror.is_ancestor(c.last_commit, said.revision)]
        return ReviewFact(
            account=verified.principal,
            state=ReviewState.APPROVED,
            commit=said.revision,
            at=said.at,
            blobs={path: said.blobs.get(path) for path in seen},
            key=verified.key,
            names=verified.names,
        )

    def _protected(self) -> Protection:
        if self._forge is None:
            return Protection(protected=None)
        if self._protection is None:
            self._protection = self._forge.protection(self._settings.branch)
        return self._protection

    # --- check and test ---------------------------------------------------------------------------------

    def _problems(self, files: Sequence[TreeFile]) -> list[str]:
        problems = [p for p in (file_problem(file) for file in files) if p]
        if problems:
            return problems
        texts = {
            f.path: self._mirror.blob(f.blob) for f in files if f.path.endswith(GATHERED_SUFFIXES)
        }
        return list(self._check(texts))


def file_problem(file: TreeFile) -> str | None:
    """Why a file of the rules folder must not even be read; None if it may."""
    if file.mode == "120000":
        return f"{file.path} is a symbolic link; the rules folder holds regular files only."
    if file.path.endswith(GATHERED_SUFFIXES) and file.size > LARGEST_RULES_BLOB:
        return f"{file.path} has {file.size:,} bytes, a policy has at most {LARGEST_RULES_BLOB:,}."
    return None


def _with_blobs(forge: Forge, review: ReviewFact, paths: Sequence[str]) -> ReviewFact:
    """An approval with the changed files as its commit has them; what is known is not asked for again."""
    if review.state is not ReviewState.APPROVED or not review.commit:
        return review
    blobs = {path: forge.blob_at(path, review.commit) for path in paths if path not in review.blobs}
    return replace(review, blobs={**review.blobs, **blobs})
