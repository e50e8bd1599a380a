"""The checks of a review, on facts alone: each case changes one thing of a revision that passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.domain.decisions import Outcome, Result
from controller.policy.review import counted_reviews, judge_revision
from controller.policy.review_facts import (
    ChangedPolicy,
    CommitFact,
    CommitIdentity,
    PullFact,
    Reviewer,
    ReviewFact,
    ReviewRules,
    ReviewState,
    RevisionFacts,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
PATH = "rules/demo.yaml"
BOB = Reviewer(name="Bob", accounts=("bob", "Bob-At-Work"), emails=("bob@example.com",))
EVE = Reviewer(name="Eve", accounts=("eve",), emails=("eve@example.com",))
RULES = ReviewRules(reviewers=(BOB, EVE))


def who(name: str) -> CommitIdentity:
    return CommitIdentity(name=name.title(), email=f"{name}@example.com", account=name)


def commit(sha: str = "c1", **changes: Any) -> CommitFact:
    values: dict[str, Any] = {
        "sha": sha,
        "author": who("ann"),
        "committer": who("ann"),
        "touches": (PATH,),
    }
    return CommitFact(**(values | changes))


def review(account: str = "bob", **changes: Any) -> ReviewFact:
    values: dict[str, Any] = {
        "account": account,
        "state": ReviewState.APPROVED,
        "commit": "c1",
        "at": AT,
        "blobs": {PATH: "b2"},
    }
    return ReviewFact(**(values | changes))


def pull(**changes: Any) -> PullFact:
    values: dict[str, Any] = {
        "name": "#1",
        "url": "",
        "author": "ann",
        "merged": True,
        "base": "main",
        "commits": (commit(),),
        "reviews": (review(),),
        "landed": ("s1",),
    }
    return PullFact(**(values | changes))


def facts(*, of_pull: dict[str, Any] | None = None, **changes: Any) -> RevisionFacts:
    values: dict[str, Any] = {
        "revision": "s1",
        "active": "s0",
        "ref": "main",
        "on_ref": True,
        "descends": True,
        "protected": True,
        "commits": (commit("s1"),),
        "pulls": (pull(**(of_pull or {})),),
        "changed": (ChangedPolicy(path=PATH, blob="b2", last_commit="s1"),),
        "checked": 1,
    }
    return RevisionFacts(**(values | changes))


def failed(outcome: Outcome) -> list[str]:
    return [check.name for check in outcome.children if check.result is not Result.PASS]


def test_reviewed_revision_passes():
    outcome = judge_revision(facts(), RULES)
    assert outcome.result is Result.PASS
    assert outcome.sentence == "s1 is proven reviewed."
    assert [check.name for check in outcome.children] == [
        "descends_from_active",
        "on_protected_ref",
        "merged_and_reviewed",
        "as_reviewed",
        "checks_and_tests_pass",
        "evidence_is_whole",
    ]
    [counted] = counted_reviews(facts(), RULES)
    assert (counted.person, counted.pull, counted.review) == ("Bob", "#1", review())


LATER = AT + timedelta(minutes=1)
DOUBT = review(state=ReviewState.CHANGES_REQUESTED, at=LATER)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, [], id="nothing-changed"),
        pytest.param({"active": None}, [], id="the-first-revision"),
        pytest.param({"descends": False}, ["descends_from_active"], id="forced-push"),
        pytest.param({"on_ref": False}, ["on_protected_ref"], id="another-branch"),
        pytest.param({"protected": False}, ["on_protected_ref"], id="unprotected"),
        pytest.param({"protected": None}, ["on_protected_ref"], id="protection-unknown"),
        pytest.param({"problems": ("x is wrong.",)}, ["checks_and_tests_pass"], id="check-fails"),
        pytest.param({"pulls": ()}, ["merged_and_reviewed", "as_reviewed"], id="no-pull-request"),
        pytest.param({"commits": (), "changed": (), "pulls": ()}, [], id="rules-untouched"),
        pytest.param(
            {"commits": (commit("s1"), commit("x1"))},
            ["merged_and_reviewed"],
            id="one-commit-past-it",
        ),
        pytest.param(
            {"changed": (ChangedPolicy(path=PATH, blob=None, last_commit="s1"),)},
            ["as_reviewed"],
            id="file-removed-while-merging",
        ),
        pytest.param(
            {"changed": (ChangedPolicy(path="rules/other.yaml", blob=None, last_commit="s1"),)},
            ["as_reviewed"],
            id="file-that-nobody-looked-for",
        ),
    ],
)
def test_revision(given, expected):
    assert failed(judge_revision(facts(**given), RULES)) == expected


BOTH = ["merged_and_reviewed", "as_reviewed"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"merged": False}, ["merged_and_reviewed"], id="open"),
        pytest.param({"base": "dev"}, ["merged_and_reviewed"], id="another-base"),
        pytest.param({"complete": False}, ["merged_and_reviewed"], id="not-all-listed"),
        pytest.param({"reviews": ()}, BOTH, id="no-review"),
        pytest.param({"reviews": (review("mallory"),)}, BOTH, id="not-listed"),
        pytest.param({"reviews": (review("BOB"),)}, [], id="case-of-an-account"),
        pytest.param({"reviews": (review("bob-at-work"),)}, [], id="second-account"),
        pytest.param({"reviews": (review(bot=True),)}, BOTH, id="bot"),
        pytest.param({"reviews": (review(state=ReviewState.COMMENTED),)}, BOTH, id="comment"),
        pytest.param({"reviews": (review(state=ReviewState.DISMISSED),)}, BOTH, id="dismissed"),
        pytest.param({"reviews": (review(), DOUBT)}, BOTH, id="changed-their-mind"),
        pytest.param({"reviews": (DOUBT, review())}, BOTH, id="order-does-not-matter"),
        pytest.param({"reviews": (review(), replace(DOUBT, at=AT))}, BOTH, id="both-at-once"),
        pytest.param(
            {"reviews": (review(), replace(DOUBT, account="bob-at-work"))},
            BOTH,
            id="other-account-doubts",
        ),
        pytest.param(
            {"reviews": (DOUBT, review(at=LATER + timedelta(minutes=1)))}, [], id="convinced-later"
        ),
        pytest.param(
            {"reviews": (review(blobs={PATH: "b1"}),)}, ["as_reviewed"], id="another-text"
        ),
        pytest.param({"reviews": (review(blobs={}),)}, ["as_reviewed"], id="text-unknown"),
        pytest.param({"reviews": (review(commit=""),)}, ["evidence_is_whole"], id="no-commit"),
        pytest.param({"author": "bob"}, BOTH, id="opened-it"),
        pytest.param({"commits": (commit(author=who("bob")),)}, BOTH, id="author"),
        pytest.param({"commits": (commit(committer=who("bob")),)}, BOTH, id="committer"),
        pytest.param({"commits": (commit(co_authors=(who("bob"),)),)}, BOTH, id="co-author"),
        pytest.param(
            {"commits": (commit(author=CommitIdentity(name="X", email="x@y", account="Bob")),)},
            BOTH,
            id="by-account",
        ),
        pytest.param(
            {"commits": (commit(author=CommitIdentity(name="X", email="BOB@example.com")),)},
            BOTH,
            id="by-address",
        ),
    ],
)
def test_pull_request(given, expected):
    assert failed(judge_revision(facts(of_pull=given), RULES)) == expected


def test_who_pressed_the_button_may_review():
    """The provider's own commits name the merger: as committer of a squash, as author of a merge."""
    squashed = commit("s1", committer=who("bob"))
    merged = commit("s1", author=who("bob"), committer=who("bob"), merge=True)
    for landed in (squashed, merged):
        assert failed(judge_revision(facts(commits=(landed,)), RULES)) == []


def test_author_of_a_squashed_commit_may_not():
    landed = commit("s1", author=who("bob"))
    assert failed(judge_revision(facts(commits=(landed,)), RULES)) == BOTH


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ((review(), review("bob-at-work")), BOTH),
        ((review(), review("eve")), []),
        ((review(), review("eve", blobs={PATH: "b1"})), ["as_reviewed"]),
    ],
    ids=["two-accounts", "two-people", "one-saw-another-text"],
)
def test_two_approvals(reviews, expected):
    outcome = judge_revision(facts(of_pull={"reviews": reviews}), replace(RULES, approvals=2))
    assert failed(outcome) == expected


def test_text_counts_by_the_pull_request_that_changed_it_last():
    """An older approval of the same text does not stand for a later change back."""
    older = pull()
    newer = pull(
        name="#2", landed=("s2",), commits=(commit("c2"),), reviews=(review(blobs={PATH: "b3"}),)
    )
    both = facts(
        revision="s2",
        commits=(commit("s2"), commit("s1")),
        pulls=(older, newer),
        changed=(ChangedPolicy(path=PATH, blob="b2", last_commit="s2"),),
    )
    assert failed(judge_revision(both, RULES)) == ["as_reviewed"]


def test_protection_may_be_waived_by_the_server():
    waived = replace(RULES, require_protection=False)
    assert failed(judge_revision(facts(protected=None), waived)) == []
