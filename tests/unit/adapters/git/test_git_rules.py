"""Proof of review through each provider, and every way to cheat that we could think of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.git.rules import GitRules
from controller.adapters.git.settings import ReviewSettings
from controller.adapters.memory import MemoryStore, SimulatedClock
from controller.policy.review_facts import Reviewer
from controller.service.replay.check_revision import check_revision
from tests.support.forges import PROJECT, PROVIDERS, Provider, Pull, Review
from tests.support.house import START
from tests.support.repository import Repository

BOB = Reviewer(name="Bob", accounts=("bob", "bob-at-work"), emails=("bob@example.com",))
EVE = Reviewer(name="Eve", accounts=("eve",), emails=("eve@example.com",))
ANN = Reviewer(name="Ann", accounts=("ann",), emails=("ann@example.com",))


def check(files):
    return check_revision(files, MemoryStore)


class World:
    """A repository whose first commit is trusted, its provider, and the rules that follow it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.repository = Repository(folder / "origin")
        self.repository.write(1000)
        (self.repository.folder / "README.md").write_text("Rules.\n")
        self.base = self.repository.commit("Begin")
        self.provider = Provider(kind, self.repository)
        self.store = MemoryStore(SimulatedClock(START))
        self.settings = ReviewSettings(
            remote=str(self.repository.folder),
            provider=kind,  # type: ignore[arg-type]
            reviewers=(ANN, BOB, EVE),
            cache=folder / "mirror",
            project=PROJECT,
            api=self.provider.url,
            baseline=self.base,
            pause=0,
        )

    def rules(self, **changes: Any) -> GitRules:
        settings = replace(self.settings, **changes)
        return GitRules(settings, self.store, SimulatedClock(START), check)

    def proposed(self, rows: int = 2000, *, person: str = "ann") -> str:
        """A branch with one commit that changes the policy; its id."""
        self.repository.branch()
        return self.repository.change(rows, person=person)

    def landed(self, commits: list[str], *reviews: Review, **more: Any) -> Pull:
        """The branch is squashed onto main, with these reviews."""
        sha = self.repository.squash()
        pull = Pull(1, "ann", commits, [sha], list(reviews), **more)
        self.provider.pulls.append(pull)
        return pull

    def in_force(self, **changes: Any) -> int | None:
        """The `rows` of the policy that is proven; None if nothing is."""
        for text in self.rules(**changes).read():
            if not text.refused:
                return int(text.text.partition("rows: ")[2].partition("}")[0])
        return None

    def refusal(self, **changes: Any) -> str:
        """Why the newest revision is refused."""
        [text] = [text for text in self.rules(**changes).read() if text.refused]
        return text.refused


@pytest.fixture(params=PROVIDERS)
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    found = World(request.param, tmp_path)
    yield found
    found.provider.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World("github", tmp_path)
    yield found
    found.provider.close()


def test_reviewed_change_is_put_in_force_with_its_evidence(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("bob", head))
    [text] = anywhere.rules().read()
    assert (text.path, text.refused) == ("rules/demo.yaml", "")
    assert text.revision == anywhere.repository.head()
    assert text.blob == anywhere.repository.blob("rules/demo.yaml")
    assert text.reviewers == ("Bob",)
    with anywhere.store.read() as tx:
        record = tx.reviews.get(text.review)
    assert record is not None
    assert record.proven
    assert head in record.evidence
    assert "bob" in record.evidence
    assert '"protected":true' in record.evidence


def test_merge_commit_lands_a_reviewed_change(anywhere):
    head = anywhere.proposed()
    merge = anywhere.repository.merge()
    anywhere.provider.pulls.append(Pull(1, "ann", [head], [merge], [Review("bob", head)]))
    assert anywhere.in_force() == 2000


def test_what_is_proven_is_not_asked_for_again(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    world.rules().read()
    world.provider.asked.clear()
    assert len(world.rules().read()) == 1
    assert world.provider.asked == []


def test_change_beside_the_rules_needs_no_review(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    (world.repository.folder / "README.md").write_text("More.\n")
    world.repository.commit("Say more")
    [text] = world.rules().read()
    assert text.refused == ""


def test_unchanged_policy_keeps_citing_those_who_read_it(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    [before] = world.rules().read()
    world.repository.branch("other")
    other = world.repository.change(5, path="rules/other.yaml", model="other")
    sha = world.repository.squash("other")
    world.provider.pulls.append(Pull(2, "ann", [other], [sha], [Review("eve", other)]))
    demo, new = world.rules().read()
    assert demo == before
    assert (new.path, new.reviewers) == ("rules/other.yaml", ("Eve",))
    assert new.review != demo.review


# --- cheating -------------------------------------------------------------------------------------------------


def test_nobody_approved(world):
    head = world.proposed()
    world.landed([head])
    assert world.in_force() is None
    assert "has 0 of 1 needed approvals" in world.refusal()


def test_author_approves_their_own(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("ann", head))
    assert "(ann has written part of it)" in anywhere.refusal()


def test_author_approves_from_a_second_account_of_the_list(world):
    head = world.proposed(person="bob")
    pull = world.landed([head], Review("bob-at-work", head))
    pull.author = "bob"
    assert "(bob-at-work has written part of it)" in world.refusal()


def test_committer_approves(world):
    world.repository.branch()
    world.repository.write(2000)
    world.repository.git("add", "--all")
    world.repository.git("commit", "-q", "-m", "x", "--author=Ann <ann@example.com>", person="bob")
    head = world.repository.head()
    world.landed([head], Review("bob", head))
    assert "(bob has written part of it)" in world.refusal()


def test_co_author_approves(anywhere):
    anywhere.repository.branch()
    head = anywhere.repository.change(2000, "Change\n\nCo-authored-by: Bob <BOB@example.com>")
    anywhere.landed([head], Review("bob", head))
    assert "(bob has written part of it)" in anywhere.refusal()


def test_co_author_of_the_squashed_commit_approves(world):
    head = world.proposed()
    world.repository.back()
    world.repository.git("merge", "--quiet", "--squash", "topic")
    sha = world.repository.commit("All\n\nCo-authored-by: Bob <bob@example.com>")
    world.provider.pulls.append(Pull(1, "ann", [head], [sha], [Review("bob", head)]))
    assert "(bob has written part of it)" in world.refusal()


def test_approval_of_an_earlier_push(anywhere):
    first = anywhere.proposed(2000)
    second = anywhere.repository.change(9_999_999)
    anywhere.landed([first, second], Review("bob", first, at=10), pushed=[5, 20])
    assert "rules/demo.yaml is not what was approved" in anywhere.refusal()


def test_approval_of_an_earlier_push_counts_if_the_rules_stayed(anywhere):
    first = anywhere.proposed(2000)
    (anywhere.repository.folder / "README.md").write_text("Typo.\n")
    second = anywhere.repository.commit("Mend a typo")
    anywhere.landed([first, second], Review("bob", first, at=10), pushed=[5, 20])
    assert anywhere.in_force() == 2000


def test_rules_changed_while_merging(world):
    head = world.proposed(2000)
    world.repository.back()
    world.repository.git("merge", "--quiet", "--no-ff", "--no-commit", "topic")
    merge = world.repository.change(9_999_999, "Merge")
    world.provider.pulls.append(Pull(1, "ann", [head], [merge], [Review("bob", head)]))
    assert "rules/demo.yaml is not what was approved" in world.refusal()


def test_rules_changed_in_a_merge_of_nothing(world):
    world.repository.branch()
    (world.repository.folder / "README.md").write_text("x\n")
    world.repository.commit("Harmless")
    world.repository.back()
    world.repository.git("merge", "--quiet", "--no-ff", "--no-commit", "topic")
    world.repository.change(9_999_999, "Merge")
    assert "the merge commit" in world.refusal()
    assert "belongs to no pull request" in world.refusal()


def test_merge_that_brings_an_old_text_back(world):
    """Both texts were reviewed once; the merge picks the older one, which later review had replaced."""
    world.repository.branch("old")
    world.repository.commit("Nothing")
    world.repository.back()
    head = world.proposed(2000)
    world.landed([head], Review("bob", head))
    world.repository.git("merge", "--quiet", "--no-ff", "-s", "ours", "--no-commit", "old")
    world.repository.git("checkout", world.base, "--", "rules")
    world.repository.commit("Merge")
    assert world.in_force() == 2000
    assert world.rules(baseline=world.base).judge().outcome.children[2].result == "fail"


def test_account_that_is_not_on_the_list(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("mallory", head))
    assert "(mallory is not on the list of reviewers)" in anywhere.refusal()


def test_dismissed_approval(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("bob", head, "dismissed"))
    assert "has 0 of 1 needed approvals" in anywhere.refusal()


def test_approval_that_was_taken_back(anywhere):
    head = anywhere.proposed()
    first, second = Review("bob", head, at=10), Review("bob", head, "changes_requested", at=20)
    anywhere.landed([head], first, second)
    assert "has 0 of 1 needed approvals" in anywhere.refusal()


def test_comment_leaves_an_approval_standing(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("bob", head, at=10), Review("bob", head, "commented", at=20))
    assert anywhere.in_force() == 2000


def test_two_accounts_of_one_person_are_one_approval(world):
    head = world.proposed()
    world.landed([head], Review("bob", head), Review("bob-at-work", head))
    assert "has 1 of 2 needed approvals" in world.refusal(approvals=2)


def test_two_people_are_two_approvals(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("bob", head), Review("eve", head))
    assert anywhere.in_force(approvals=2) == 2000


def test_bot_of_the_list(world):
    head = world.proposed()
    world.landed([head], Review("bob", head, bot=True))
    assert "(bob is a bot)" in world.refusal()


def test_reviewer_removed_before_the_rules_were_proven(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    assert "(bob is not on the list of reviewers)" in world.refusal(reviewers=(ANN, EVE))


def test_reviewer_removed_later_leaves_what_was_proven_in_force(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    assert world.in_force() == 2000
    assert world.in_force(reviewers=(ANN, EVE)) == 2000


def test_commit_pushed_past_the_pull_request(world):
    world.repository.change(9_999_999)
    assert "belongs to no pull request" in world.refusal()


@pytest.mark.parametrize(
    "message",
    [
        "Change\n\nReviewed-by: Bob <bob@example.com>",
        "Change (#1)\n\nApproved-by: Bob <bob@example.com>\nReviewed-on: https://github.example/pull/1",
    ],
    ids=["trailer", "trailers-of-a-provider"],
)
def test_trailers_prove_nothing(world, message):
    world.repository.change(9_999_999, message)
    assert world.in_force() is None
    assert "belongs to no pull request" in world.refusal()


def test_pull_request_that_was_not_merged(anywhere):
    head = anywhere.proposed()
    pull = anywhere.landed([head], Review("bob", head))
    pull.merged = False
    assert "#1 is not merged" in anywhere.refusal().replace("!1", "#1")


def test_pull_request_into_another_branch(anywhere):
    head = anywhere.proposed()
    pull = anywhere.landed([head], Review("bob", head))
    pull.base = "playground"
    assert "was merged into playground, not into main" in anywhere.refusal()


def test_unprotected_branch(anywhere):
    head = anywhere.proposed()
    anywhere.landed([head], Review("bob", head))
    anywhere.provider.protected = False
    assert "the branch main is not protected" in anywhere.refusal()
    anywhere.provider.protected = None
    assert "is not known to be protected" in anywhere.refusal()
    assert anywhere.in_force(require_protection=False) == 2000


def test_rewritten_history(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    assert world.in_force() == 2000
    world.repository.git("checkout", "--quiet", "--orphan", "fresh")
    world.repository.change(9_999_999)
    world.repository.git("branch", "--force", "main", "fresh")
    assert world.in_force() == 2000
    assert "the history of main was rewritten" in world.refusal()


def test_revision_beside_the_protected_branch(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    world.repository.branch("release")
    world.repository.change(9_999_999)
    assert "is not on main" in world.refusal(ref="release")


def test_tag_on_the_protected_branch_is_followed(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    world.repository.git("tag", "production")
    world.repository.change(9_999_999)
    assert world.in_force(ref="tags/production") == 2000


def test_policy_that_does_not_parse(world):
    world.repository.branch()
    (world.repository.folder / "rules" / "demo.yaml").write_text("model: [\n")
    head = world.repository.commit()
    world.landed([head], Review("bob", head))
    assert "rules/demo.yaml:2:1: not YAML" in world.refusal()


def test_rule_test_that_fails(world):
    world.repository.branch()
    test = (
        "version: 1\npolicy: demo.yaml\ntests:\n  - name: it trains\n"
        "    expect:\n      - {at: 1d, verdict: train}\n"
    )
    world.repository.write(2000)
    (world.repository.folder / "rules" / "demo.test.yaml").write_text(test)
    head = world.repository.commit()
    world.landed([head], Review("bob", head))
    assert "rules/demo.test.yaml:" in world.refusal()


def test_older_revision_that_is_proven_is_put_in_force_meanwhile(world):
    head = world.proposed()
    world.landed([head], Review("bob", head))
    world.repository.change(9_999_999)
    assert world.in_force() == 2000
    assert "belongs to no pull request" in world.refusal()


def test_refusal_is_recorded_once(world):
    world.repository.change(9_999_999)
    for _ in range(3):
        world.rules().read()
    with world.store.read() as tx:
        [record] = tx.reviews.latest()
    assert not record.proven
    assert "belongs to no pull request" in record.reason


def test_approval_that_comes_later_is_seen(world):
    head = world.proposed()
    pull = world.landed([head])
    assert world.in_force() is None
    pull.reviews.append(Review("bob", head))
    assert world.in_force() == 2000


def test_removed_policy_needs_a_review_too(world):
    world.repository.git("rm", "--quiet", "rules/demo.yaml")
    world.repository.commit("Remove it")
    judged = world.rules().judge()
    assert "belongs to no pull request" in judged.outcome.sentence


def test_reviewed_removal_is_followed(world):
    world.repository.branch()
    world.repository.write(1, path="rules/other.yaml", model="other")
    world.repository.git("rm", "--quiet", "rules/demo.yaml")
    head = world.repository.commit("Replace it")
    world.landed([head], Review("bob", head))
    assert [text.path for text in world.rules().read()] == ["rules/other.yaml"]
