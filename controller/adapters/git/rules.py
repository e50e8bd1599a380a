"""Rules from a git repository: only a revision whose review is proven is handed out as rules in force.

Each look fetches, and judges the newest revision that touches the rules; where that one is not proven, older ones down
to the revision in force. What is proven is handed out; what is not is handed out as refused, with the reason, so
that it is shown beside the rules that stay in force.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from controller.adapters.git.command import Git
from controller.adapters.git.evidence import Cited, cited_policies, make_record
from controller.adapters.git.forges import Forge, open_forge
from controller.adapters.git.forges.client import credentials
from controller.adapters.git.gather import GATHERED_SUFFIXES, Gatherer, RulesCheck
from controller.adapters.git.mirror import BRANCH, TIP, Mirror
from controller.adapters.git.settings import ReviewSettings
from controller.domain.decisions import Outcome, Result
from controller.domain.errors import Unavailable
from controller.policy.review import judge_revision
from controller.policy.review_facts import RevisionFacts
from controller.ports import Clock, ReviewRecord, RuleText, Store

log = logging.getLogger(__name__)

MOST_TRIED = 20
"""How many revisions back from the newest one are tried in one look."""

RULE_TEST_SUFFIXES = (".test.yaml", ".test.yml")


@dataclass(frozen=True, slots=True)
class Judged:
    """A revision with what was found out about it."""

    facts: RevisionFacts
    outcome: Outcome

    @property
    def proven(self) -> bool:
        return self.outcome.result is Result.PASS


class GitRules:
    """A :class:`~controller.ports.RuleSource` over a followed repository; evidence goes to the store's book."""

    def __init__(
        self,
        settings: ReviewSettings,
        store: Store,
        clock: Clock,
        check: RulesCheck,
        forge: Forge | None = None,
    ) -> None:
        """``forge`` is the provider; without one it is opened as the settings say."""
        self._settings = settings
        self._store = store
        self._clock = clock
        git = Git(folder=settings.cache, timeout=settings.timeout, secrets=credentials(settings))
        self._mirror = Mirror(git, settings.remote)
        if forge is None and settings.provider != "ssh":
            forge = open_forge(settings)
        self._gatherer = Gatherer(settings, self._mirror, forge, check)
        self._last: list[RuleText] | Unavailable = []
        self._looked: float | None = None

    def read(self) -> list[RuleText]:
        """The rules in force by proof, then what is refused; Unavailable if repository or provider is away.

        Within the settings' pause the answer is that of the last look.
        """
        now = time.monotonic()
        if self._looked is None or now - self._looked >= self._settings.pause:
            self._looked = now
            try:
                self._last = self._look()
            except Unavailable as error:
                self._last = error
        if isinstance(self._last, Unavailable):
            raise self._last
        return list(self._last)

    def _look(self) -> list[RuleText]:
        tip, branch = self._fetch()
        proven = self._proven()
        if proven is not None and proven.revision == tip:
            return self._texts(proven)
        judged = self._judge(tip, branch, proven)
        return self._hand_out(judged, proven)

    def judge(self, revision: str | None = None) -> Judged:
        """Judge a revision (the newest one) now, and write nothing."""
        tip, branch = self._fetch()
        wanted = tip if revision is None else self._mirror.resolve(revision)
        if wanted is None:
            raise Unavailable(f"the repository {self._settings.remote} has no revision {revision}.")
        self._gatherer.forget()
        return self._judge_one(wanted, branch, self._active(self._proven()))

    # --- one look ---------------------------------------------------------------------------------------

    def _fetch(self) -> tuple[str, str]:
        self._mirror.fetch(self._settings.ref, self._settings.branch)
        tip, branch = self._mirror.resolve(TIP), self._mirror.resolve(BRANCH)
        if tip is None or branch is None:
            raise Unavailable(
                f"the repository {self._settings.remote} has no commit at {self._settings.ref}.",
                hint="The rules in force stay in force.",
            )
        return tip, branch

    def _proven(self) -> ReviewRecord | None:
        with self._store.read() as tx:
            return tx.reviews.newest_proven(self._settings.source)

    def _active(self, proven: ReviewRecord | None) -> str | None:
        return proven.revision if proven is not None else self._settings.baseline

    def _judge(self, tip: str, branch: str, proven: ReviewRecord | None) -> list[Judged]:
        """The newest revision, and older ones until one is proven."""
        self._gatherer.forget()
        active = self._active(proven)
        judged = [self._judge_one(tip, branch, active)]
        if judged[0].proven or not judged[0].facts.descends or not judged[0].facts.on_ref:
            return judged
        for older in self._mirror.line(active, tip)[1:MOST_TRIED]:
            judged.append(self._judge_one(older, branch, active))
            if judged[-1].proven:
                break
        return judged

    def _judge_one(self, revision: str, branch: str, active: str | None) -> Judged:
        if active is not None and self._mirror.resolve(active) is None:
            facts = RevisionFacts(
                revision=revision, active=active, ref=self._settings.ref, on_ref=True,
                descends=False, protected=None,
            )  # fmt: skip
        else:
            facts = self._gatherer.facts(revision, active, branch)
        return Judged(facts, judge_revision(facts, self._settings.rules))

    def _hand_out(self, judged: list[Judged], proven: ReviewRecord | None) -> list[RuleText]:
        newest, last = judged[0], judged[-1]
        if last.proven:
            proven = self._write(last, proven)
            log.info(
                "rules proven at %s", last.facts.revision[:10], extra={"action": "rules_proven"}
            )
        texts = [] if proven is None else self._texts(proven)
        if newest.proven:
            return texts
        self._write(newest, proven)
        return texts + self._refusals(newest, proven)

    def _write(self, judged: Judged, proven: ReviewRecord | None) -> ReviewRecord:
        """Keep the evidence; the same finding about the same revision is kept once."""
        known = {} if proven is None else cited_policies(proven)
        policies: dict[str, Cited | str] = {}
        for path, blob in self._policies(judged.facts.revision).items():
            before = known.get(path)
            policies[path] = before if before is not None and before.blob == blob else blob
        record = make_record(
            judged.facts, judged.outcome, self._settings, policies, self._clock.now()
        )
        with self._store.read() as tx:
            kept = tx.reviews.get(record.digest)
        if kept is not None:
            return kept
        with self._store.begin() as tx:
            tx.reviews.put(record)
        if record.proven:
            self._mirror.keep(record.revision)
        return record

    # --- texts ------------------------------------------------------------------------------------------

    def _policies(self, revision: str) -> dict[str, str]:
        files = self._mirror.files(revision, self._settings.folder)
        return {f.path: f.blob for f in files if is_policy(f.path)}

    def _texts(self, proven: ReviewRecord) -> list[RuleText]:
        return [
            RuleText(
                path=path,
                text=self._mirror.blob(cited.blob).decode(),
                blob=cited.blob,
                revision=cited.revision,
                review=cited.review,
                reviewers=cited.reviewers,
            )
            for path, cited in sorted(cited_policies(proven).items())
        ]

    def _refusals(self, judged: Judged, proven: ReviewRecord | None) -> list[RuleText]:
        """The policies that the refused revision would change, each with the reason and, if it is safe, its text."""
        revision = judged.facts.revision
        reason = f"{revision[:10]} is not in force: {judged.outcome.sentence}"
        known = {} if proven is None else cited_policies(proven)
        found = []
        for file in self._mirror.files(revision, self._settings.folder):
            before = known.get(file.path)
            if not is_policy(file.path) or (before is not None and before.blob == file.blob):
                continue
            small = file.size <= 1 << 20 and file.mode != "120000"
            text = self._mirror.blob(file.blob).decode(errors="replace") if small else ""
            found.append(
                RuleText(
                    path=file.path, text=text, blob=file.blob, revision=revision, refused=reason
                )
            )
        return found


def is_policy(path: str) -> bool:
    """Whether a file of the folder is a policy: YAML, no rule test, not hidden."""
    name = path.rpartition("/")[2]
    return (
        path.endswith(GATHERED_SUFFIXES)
        and not path.endswith(RULE_TEST_SUFFIXES)
        and not name.startswith(".")
    )
