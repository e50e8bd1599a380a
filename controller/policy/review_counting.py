"""Whose reviews of a pull request count: each listed person's latest word, by those who wrote nothing of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.policy.review_facts import (
    CommitFact,
    PullFact,
    Reviewer,
    ReviewFact,
    ReviewRules,
    ReviewState,
    RevisionFacts,
)
from controller.policy.review_signing import has_signed

_SAYS_SOMETHING = frozenset(
    {ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED, ReviewState.DISMISSED}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A review that counts: the person of the server's list, and the review itself."""

    person: str
    pull: str
    review: ReviewFact


def counted_in(pull: PullFact, facts: RevisionFacts, rules: ReviewRules) -> tuple[Counted, ...]:
    """Each person's latest word, where it is an approval, by people who wrote (or signed) nothing of it."""
    found: list[Counted] = []
    keys: set[str] = set()  # one key is one person, whatever names its certificates have
    for person in rules.reviewers:
        review = latest_review(pull, person)
        if review is None or review.state is not ReviewState.APPROVED or review.bot:
            continue
        if review.key in keys or _took_part(person, review, pull, facts, rules):
            continue
        keys |= {review.key} - {""}
        found.append(Counted(person=person.name, pull=pull.name, review=review))
    return tuple(found)


def _took_part(
    person: Reviewer, review: ReviewFact, pull: PullFact, facts: RevisionFacts, rules: ReviewRules
) -> bool:
    """Whether the person made part of what is reviewed; where signatures are required, they alone say so."""
    if rules.require_signatures:
        return has_signed(person, review, facts.signatures)
    return has_written(person, pull, landed_commits(pull, facts))


def latest_review(pull: PullFact, person: Reviewer) -> ReviewFact | None:
    """The person's latest review that says something, from whichever account; comments leave it as it is."""
    own = [
        review
        for review in pull.reviews
        if person.is_known_by(review.account) and review.state in _SAYS_SOMETHING
    ]
    # Of two words at the same instant the less favourable counts.
    return max(own, key=lambda r: (r.at, r.state is not ReviewState.APPROVED), default=None)


def has_written(person: Reviewer, pull: PullFact, landed: Iterable[CommitFact] = ()) -> bool:
    """Whether the person opened the pull request, or is author, committer or co-author of a commit in it.

    Of commits that the provider made when it landed the change, the committer is whoever pressed the button,
    which a reviewer may; their authors and co-authors count.
    """
    names: list[str | None] = [pull.author]
    for commit in pull.commits:
        names += _names(commit)
        names += [commit.committer.email, commit.committer.account]
    for commit in landed:
        names += _names(commit)
    return person.is_known_by(*names)


def _names(commit: CommitFact) -> list[str | None]:
    people = (commit.author, *commit.co_authors)
    return [name for who in people for name in (who.email, who.account)]


def landed_commits(pull: PullFact, facts: RevisionFacts) -> list[CommitFact]:
    """Squashed and rebased commits; a merge commit's author is only who merged."""
    own = {commit.sha for commit in pull.commits}
    return [
        commit
        for commit in facts.commits
        if commit.sha in pull.landed and commit.sha not in own and not commit.merge
    ]


def why_not(pull: PullFact, facts: RevisionFacts, rules: ReviewRules) -> str:
    """The reasons why given reviews do not count, for the sentence."""
    reasons = []
    part = (
        "signed a commit of it, or its key did"
        if rules.require_signatures
        else "has written part of it"
    )
    for review in pull.reviews:
        person = next((p for p in rules.reviewers if p.is_known_by(review.account)), None)
        if review.state is ReviewState.DISMISSED:
            reasons.append(f"{review.account}'s was dismissed")
        if review.state is not ReviewState.APPROVED:
            continue
        if review.bot:
            reasons.append(f"{review.account} is a bot")
        elif person is None:
            reasons.append(f"{review.account} is not on the list of reviewers")
        elif _took_part(person, review, pull, facts, rules):
            reasons.append(f"{review.account} {part}")
        elif latest_review(pull, person) is not review:
            reasons.append(f"{review.account}'s is not the latest word")
    return f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
