"""Is a revision of the rules proven reviewed? Named checks on gathered facts; all must pass.

Missing evidence never passes: what the provider did not tell is refused like what it denied. Trailers such as
``Reviewed-by:`` are no evidence here: anybody who can write a commit can write them. A signature on a commit says who
wrote it, never that somebody else read it.
"""

from __future__ import annotations

from controller.domain.decisions import Outcome, Result
from controller.policy.review_counting import Counted, counted_in, why_not
from controller.policy.review_facts import (
    ChangedPolicy,
    CommitFact,
    PullFact,
    ReviewFact,
    ReviewRules,
    RevisionFacts,
)
from controller.policy.review_signing import commits_signed


def judge_revision(facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    """All checks on one revision; its result is PASS only if each of them passes."""
    checks = (
        descends_from_active(facts),
        on_protected_ref(facts, rules),
        *((commits_signed(facts),) if rules.require_signatures else ()),
        merged_and_reviewed(facts, rules),
        as_reviewed(facts, rules),
        checks_and_tests_pass(facts),
        evidence_is_whole(facts, rules),
    )
    failed = [check for check in checks if check.result is not Result.PASS]
    sentence = failed[0].sentence if failed else f"{_short(facts.revision)} is proven reviewed."
    return Outcome(
        name="review",
        result=Result.FAIL if failed else Result.PASS,
        sentence=sentence,
        values={
            "revision": facts.revision,
            "active": facts.active,
            "failed": [c.name for c in failed],
        },
        children=checks,
    )


def counted_reviews(facts: RevisionFacts, rules: ReviewRules) -> tuple[Counted, ...]:
    """Every review that counts in this revision, by pull request and person."""
    found: list[Counted] = []
    for pull in _needed_pulls(facts):
        found += counted_in(pull, facts, rules)
    return tuple(found)


# --- condition 1 ----------------------------------------------------------------------------------------------


def on_protected_ref(facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    """The revision is on the protected branch, and the branch is protected as far as the provider says."""
    name = "on_protected_ref"
    values = {"ref": facts.ref, "branch": rules.branch, "protected": facts.protected}
    if not facts.on_ref:
        sentence = f"{_short(facts.revision)} is not on {rules.branch}."
        return Outcome(name=name, result=Result.FAIL, sentence=sentence, values=values)
    if rules.require_protection and facts.protected is not True:
        said = "is not protected" if facts.protected is False else "is not known to be protected"
        sentence = f"the branch {rules.branch} {said}; protect it, or set review.require_protection to false."
        return Outcome(name=name, result=Result.FAIL, sentence=sentence, values=values)
    return Outcome(
        name=name, result=Result.PASS, sentence=f"It is on {rules.branch}.", values=values
    )


def descends_from_active(facts: RevisionFacts) -> Outcome:
    """The revision descends from the one in force; a forced push is refused."""
    name, values = "descends_from_active", {"active": facts.active, "revision": facts.revision}
    if facts.active is None:
        sentence = "No revision was in force before."
        return Outcome(name=name, result=Result.PASS, sentence=sentence, values=values)
    if not facts.descends:
        sentence = (
            f"{_short(facts.revision)} does not descend from {_short(facts.active)}, which is in force: "
            f"the history of {facts.ref} was rewritten."
        )
        return Outcome(name=name, result=Result.FAIL, sentence=sentence, values=values)
    sentence = f"It descends from {_short(facts.active)}."
    return Outcome(name=name, result=Result.PASS, sentence=sentence, values=values)


# --- condition 2 ----------------------------------------------------------------------------------------------


def merged_and_reviewed(facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    """Every commit that touches the rules came by a merged pull request with enough counted reviews."""
    homeless = tuple(
        _homeless(commit) for commit in facts.commits if facts.pull_of(commit.sha) is None
    )
    pulls = tuple(_pull_outcome(pull, facts, rules) for pull in _needed_pulls(facts))
    return _all_of("merged_and_reviewed", (*homeless, *pulls), "No commit touches the rules.")


def _homeless(commit: CommitFact) -> Outcome:
    kind = "the merge commit" if commit.merge else "the commit"
    files = ", ".join(commit.touches[:3])
    sentence = f"{kind} {_short(commit.sha)} changes {files} and belongs to no pull request."
    return Outcome(name=f"commit {_short(commit.sha)}", result=Result.FAIL, sentence=sentence)


def _pull_outcome(pull: PullFact, facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    counted = counted_in(pull, facts, rules)
    people = sorted({item.person for item in counted})
    values = {"pull": pull.name, "url": pull.url, "approved_by": people, "needed": rules.approvals}
    reason = _pull_problem(pull, rules)
    if reason is None and len(people) < rules.approvals:
        reason = (
            f"has {len(people)} of {rules.approvals} needed approvals{why_not(pull, facts, rules)}"
        )
    if reason is not None:
        sentence = f"{pull.name} {reason}."
        return Outcome(name=pull.name, result=Result.FAIL, sentence=sentence, values=values)
    sentence = f"{pull.name} was approved by {', '.join(people)}."
    return Outcome(name=pull.name, result=Result.PASS, sentence=sentence, values=values)


def _pull_problem(pull: PullFact, rules: ReviewRules) -> str | None:
    if not pull.merged:
        return "is not merged"
    if pull.base != rules.branch:
        return f"was merged into {pull.base}, not into {rules.branch}"
    if not pull.complete:
        return "has more commits or reviews than the provider lists, so its authors cannot be known"
    return None


# --- condition 3 ----------------------------------------------------------------------------------------------


def as_reviewed(facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    """Each changed policy is, byte for byte, what enough reviewers saw in the pull request that last changed it."""
    outcomes = tuple(_policy_outcome(changed, facts, rules) for changed in facts.changed)
    return _all_of("as_reviewed", outcomes, "No policy changed.")


def _policy_outcome(changed: ChangedPolicy, facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    pull = facts.pull_of(changed.last_commit)
    if pull is None:
        last = _short(changed.last_commit)
        sentence = f"{changed.path} was last changed by {last}, which belongs to no pull request."
        return Outcome(name=changed.path, result=Result.FAIL, sentence=sentence)
    counted = counted_in(pull, facts, rules)
    same = [c for c in counted if _saw(c.review, changed)]
    values = {
        "blob": changed.blob,
        "pull": pull.name,
        "reviewed": {c.person: c.review.blobs.get(changed.path) for c in counted},
        "commits": {c.person: c.review.commit for c in counted},
    }
    if len({c.person for c in same}) < rules.approvals:
        sentence = (
            f"{changed.path} is not what was approved in {pull.name}: it was changed after the approval, "
            "or while it was merged."
        )
        return Outcome(name=changed.path, result=Result.FAIL, sentence=sentence, values=values)
    people = ", ".join(sorted({c.person for c in same}))
    sentence = f"{changed.path} is what {people} approved."
    return Outcome(name=changed.path, result=Result.PASS, sentence=sentence, values=values)


def _saw(review: ReviewFact, changed: ChangedPolicy) -> bool:
    """A file of which nothing was gathered was not seen, even where the new revision has none."""
    return changed.path in review.blobs and review.blobs[changed.path] == changed.blob


# --- conditions 4 and 5 ---------------------------------------------------------------------------------------


def checks_and_tests_pass(facts: RevisionFacts) -> Outcome:
    """`check` and `test` pass on the revision."""
    name, values = (
        "checks_and_tests_pass",
        {"files": facts.checked, "problems": list(facts.problems)},
    )
    if facts.problems:
        more = f" (and {len(facts.problems) - 1} more)" if len(facts.problems) > 1 else ""
        sentence = f"{facts.problems[0].rstrip('.')}{more}."
        return Outcome(name=name, result=Result.FAIL, sentence=sentence, values=values)
    sentence = f"{facts.checked} files pass check and test."
    return Outcome(name=name, result=Result.PASS, sentence=sentence, values=values)


def evidence_is_whole(facts: RevisionFacts, rules: ReviewRules) -> Outcome:
    """Who, when and which commit are known for every review that counts, so that they can be stored and shown."""
    counted = counted_reviews(facts, rules)
    vague = [c for c in counted if not (c.person and c.review.account and c.review.commit)]
    values = {"reviews": len(counted), "protection": dict(facts.protection)}
    if vague:
        sentence = f"{vague[0].person or vague[0].review.account}'s approval in {vague[0].pull} names no commit."
        return Outcome(
            name="evidence_is_whole", result=Result.FAIL, sentence=sentence, values=values
        )
    sentence = f"{len(counted)} approvals are recorded with person, time and commit."
    return Outcome(name="evidence_is_whole", result=Result.PASS, sentence=sentence, values=values)


def _needed_pulls(facts: RevisionFacts) -> list[PullFact]:
    found: dict[str, PullFact] = {}
    for commit in facts.commits:
        pull = facts.pull_of(commit.sha)
        if pull is not None:
            found.setdefault(pull.name, pull)
    return list(found.values())


def _all_of(name: str, children: tuple[Outcome, ...], nothing: str) -> Outcome:
    failed = next((child for child in children if child.result is not Result.PASS), None)
    sentence = failed.sentence if failed else " ".join(c.sentence for c in children) or nothing
    result = Result.FAIL if failed else Result.PASS
    return Outcome(name=name, result=result, sentence=sentence, children=children)


def _short(sha: str) -> str:
    return sha[:10]
