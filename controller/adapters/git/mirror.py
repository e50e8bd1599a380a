"""A bare mirror of the followed repository: commits, trees and blobs, read without ever checking anything out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.adapters.git.command import Git
from controller.domain.errors import Unavailable
from controller.home import mode_like
from controller.policy.review_facts import CommitFact, CommitIdentity

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
TIP, BRANCH = "refs/incumbent/tip", "refs/incumbent/branch"
APPROVALS = "refs/incumbent/approvals"
LARGEST_APPROVAL = 1 << 20

_REMOTE = re.compile(r"[a-z+]+://|[^/]+@?[^/]+:")
_TRAILER = re.compile(r"^co-authored-by:\s*(.*?)\s*<([^<>]*)>\s*$", re.IGNORECASE | re.MULTILINE)
_FORMAT = "%H%x00%P%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x00"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a tree. ``mode`` as git writes it: 100644, 100755, 120000 (symbolic link)."""

    path: str
    mode: str
    blob: str
    size: int


class Mirror:
    """The mirror in ``git.folder``, made when it is first fetched into."""

    def __init__(self, git: Git, remote: str) -> None:
        self._git = git
        # Git runs in the mirror's folder; a relative path is meant from here.
        self._remote = remote if _REMOTE.match(remote) else str(Path(remote).absolute())

    def fetch(self, ref: str, branch: str) -> None:
        """Bring the followed ref, the protected branch and signed approvals; Unavailable with git's reason."""
        name = f"refs/{ref}" if ref.startswith("tags/") else f"refs/heads/{ref}"
        wanted = [
            f"+{name}:{TIP}",
            f"+refs/heads/{branch}:{BRANCH}",
            f"+{APPROVALS}/*:{APPROVALS}/*",
        ]
        self._fetch(wanted, f" at {ref}")

    def fetch_all(self) -> None:
        """Bring every branch and tag, for looking only; Unavailable with git's reason."""
        self._fetch(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], "")

    def _fetch(self, wanted: Sequence[str], what: str) -> None:
        self._make()
        answer = self._git.run(
            "fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head",
            "--no-recurse-submodules", "--", self._remote, *wanted,
        )  # fmt: skip
        if "shallow" in answer.err.lower():
            raise Unavailable(
                f"the repository {self._remote} is a shallow clone, so its history cannot be followed.",
                hint="Run `git fetch --unshallow` in it.",
            )
        if answer.code != 0:
            raise Unavailable(
                f"the repository {self._remote} cannot be followed{what}: {_reason(answer.err)}.",
                hint="The rules in force stay in force.",
            )

    def _make(self) -> None:
        folder = self._git.folder
        if not (folder / "HEAD").exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            mode = mode_like(
                folder.parent
            )  # git writes as privately as the home is, whatever our umask
            folder.mkdir(exist_ok=True)
            self._git.ask("init", "--quiet", "--bare", "--template=", f"--shared=0{mode:o}", ".")

    def resolve(self, name: str) -> str | None:
        """The commit that ``name`` means; None if there is none."""
        answer = self._git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        return answer.text if answer.code == 0 and SHA.fullmatch(answer.text) else None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether ``new`` descends from ``old`` (or is it)."""
        return self._git.run("merge-base", "--is-ancestor", old, new).code == 0

    def keep(self, revision: str) -> None:
        """Name a revision, so that its objects stay whatever the remote does."""
        self._git.ask("update-ref", f"refs/incumbent/kept/{revision}", revision)

    def commits(self, after: str | None, through: str, folder: str) -> list[CommitFact]:
        """The commits in between that touch the rules, newest first; the whole history if ``after`` is None."""
        span = [through] if after is None else [f"{after}..{through}"]
        listed = self._git.ask("rev-list", "--topo-order", "--parents", *span, "--")
        line = set(self._git.ask("rev-list", "--first-parent", *span, "--").split())
        found = []
        for row in listed.splitlines():
            sha, *parents = row.split()
            touches = self._touches(sha, parents, folder, on_line=sha in line)
            if touches:
                found.append((sha, touches, len(parents) > 1))
        facts = {fact.sha: fact for fact in self.describe([sha for sha, _, _ in found])}
        return [
            CommitFact(
                sha=sha,
                author=facts[sha].author,
                committer=facts[sha].committer,
                co_authors=facts[sha].co_authors,
                touches=touches,
                merge=merge,
            )
            for sha, touches, merge in found
        ]

    def _touches(
        self, sha: str, parents: list[str], folder: str, *, on_line: bool
    ) -> tuple[str, ...]:
        """A merge on the branch brings what differs from the branch before it; one beside it, what no parent has."""
        if not parents:
            return tuple(file.path for file in self.files(sha, folder))
        compared = parents[:1] if on_line else parents
        changed = [set(self.changed(parent, sha, folder)) for parent in compared]
        return tuple(sorted(set.intersection(*changed)))

    def changed(self, old: str | None, new: str, folder: str) -> list[str]:
        """The rules files that differ between two revisions."""
        if old is None:
            return [file.path for file in self.files(new, folder)]
        out = self._git.ask_bytes(
            "diff-tree",
            "-r",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--name-only",
            old,
            new,
            "--",
            folder,
        )
        return [path for path in out.decode(errors="surrogateescape").split("\0") if path]

    def line(self, after: str | None, through: str) -> list[str]:
        """The commits of the branch itself in between, newest first."""
        span = [through] if after is None else [f"{after}..{through}"]
        return self._git.ask("rev-list", "--first-parent", *span, "--").split()

    def span(self, after: str | None, through: str) -> list[str]:
        """Every commit in between, on every side of a merge, newest first."""
        span = [through] if after is None else [f"{after}..{through}"]
        return self._git.ask("rev-list", "--topo-order", *span, "--").split()

    def raw_commits(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Each commit's id and its whole object, as it was signed."""
        out = self._git.ask_bytes(
            "cat-file", "--batch", stdin="".join(f"{s}\n" for s in shas).encode()
        )
        start = 0
        for sha in shas:
            begin = out.index(b"\n", start) + 1
            size = int(out[start:begin].split()[2])
            yield sha, out[begin : begin + size]
            start = begin + size + 1

    def describe(self, shas: Sequence[str]) -> Iterator[CommitFact]:
        """Author, committer and co-authors of each commit."""
        for sha in shas:
            out = self._git.ask(
                "show", "--no-patch", "--no-show-signature", f"--format={_FORMAT}", sha
            )
            _, _, author, author_mail, committer, committer_mail, body, *_ = out.split("\0")
            yield CommitFact(
                sha=sha,
                author=CommitIdentity(name=author, email=author_mail),
                committer=CommitIdentity(name=committer, email=committer_mail),
                co_authors=co_authors(body),
            )

    def files(self, revision: str, folder: str) -> list[TreeFile]:
        """Every file below ``folder``, by path; submodules are none of them."""
        out = self._git.ask_bytes("ls-tree", "-r", "-l", "-z", revision, "--", f"{folder}/")
        found = []
        for row in out.split(b"\0"):
            if not row:
                continue
            meta, _, path = row.partition(b"\t")
            mode, kind, blob, size = meta.decode().split()
            if kind == "blob":
                found.append(TreeFile(path.decode(errors="surrogateescape"), mode, blob, int(size)))
        return found

    def blob(self, blob: str) -> bytes:
        """The content of a blob."""
        return self._git.ask_bytes("cat-file", "blob", blob)

    def approvals(self, revisions: Collection[str]) -> Iterator[bytes]:
        """Every signed approval that claims to be of one of ``revisions``, unverified."""
        form = "%(objecttype) %(objectname) %(objectsize) %(refname)"
        for row in self._git.ask("for-each-ref", f"--format={form}", APPROVALS).splitlines():
            kind, blob, size, name = row.split(" ", 3)
            claimed = name.removeprefix(f"{APPROVALS}/").partition("/")[0]
            if kind == "blob" and int(size) <= LARGEST_APPROVAL and claimed in revisions:
                yield self.blob(blob)


def co_authors(message: str) -> tuple[CommitIdentity, ...]:
    """The people named by ``Co-authored-by:`` trailers."""
    return tuple(CommitIdentity(name=name, email=mail) for name, mail in _TRAILER.findall(message))


def _reason(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    fatal = [line.partition(": ")[2] for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or ["git gave no reason"])[0].rstrip(".")
