"""The way a provider is asked: pages, limits, attempts, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.git.forges.client import MISSING, ForgeClient, credentials, provider_token
from controller.adapters.git.forges.github import GitHub
from controller.adapters.git.forges.gitlab import GitLab
from controller.adapters.git.settings import ReviewSettings
from controller.domain.errors import ConfigurationError, Unavailable
from controller.policy.review_facts import Reviewer
from tests.support.forges import PROJECT, Provider, Pull, Review
from tests.support.repository import Repository


class World:
    def __init__(self, kind: str, folder: Path) -> None:
        self.repository = Repository(folder / "origin")
        self.base = self.repository.change(1000)
        self.provider = Provider(kind, self.repository)
        self.slept: list[float] = []
        self.client = ForgeClient(self.provider.url, {}, 10, self.slept.append)
        self.settings = ReviewSettings(
            remote="https://git.example/team/rules",
            provider=kind,  # type: ignore[arg-type]
            reviewers=(Reviewer(name="Bob", accounts=("bob",)),),
            cache=folder / "mirror",
            project=PROJECT,
            api=self.provider.url,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World("github", tmp_path)
    yield found
    found.client.close()
    found.provider.close()


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[World]:
    found = World("gitlab", tmp_path)
    yield found
    found.client.close()
    found.provider.close()


def test_all_pages_are_read(world):
    world.provider.page_size = 2
    reviews = [Review(f"p{i}", world.base) for i in range(5)]
    world.provider.pulls.append(Pull(1, "ann", [world.base], [world.base], reviews))
    [pull] = GitHub(world.settings, world.client).pulls_of(world.base)
    assert [review.account for review in pull.reviews] == ["p0", "p1", "p2", "p3", "p4"]


def test_next_page_on_another_host_is_refused(world):
    link = {"Link": '<http://evil.example/api/x?page=2>; rel="next"'}
    world.provider.special["list"] = [(200, link, [1])]
    with pytest.raises(Unavailable, match="names a next page on another host"):
        list(world.client.pages("/list"))


def test_redirect_is_not_followed(world):
    world.provider.special["moved"] = [(302, {"Location": "http://evil.example/"}, {})]
    with pytest.raises(Unavailable, match="it answered 302"):
        world.client.get("/moved")


def test_more_commits_than_the_provider_lists(world):
    pull = Pull(1, "ann", [world.base], [world.base], [Review("bob", world.base)])
    world.provider.pulls.append(pull)
    world.provider.special[f"repos/{PROJECT}/pulls/1/commits"] = [(200, {}, [])]
    [found] = GitHub(world.settings, world.client).pulls_of(world.base)
    assert not found.complete


@pytest.mark.parametrize(
    ("answer", "slept"),
    [
        pytest.param((500, {}, {}), 1.0, id="server-error"),
        pytest.param((429, {"Retry-After": "7"}, {}), 7.0, id="too-many"),
        pytest.param((403, {"Retry-After": "3"}, {}), 3.0, id="secondary-limit"),
    ],
)
def test_passing_trouble_is_waited_for(world, answer, slept):
    world.provider.special["thing"] = [answer, (200, {}, {"a": 1})]
    assert world.client.get("/thing") == {"a": 1}
    assert world.slept == [slept]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param((401, {}, {}), "it refuses the token", id="token"),
        pytest.param((403, {}, {}), "the token may not read this", id="forbidden"),
        pytest.param(
            (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9999999999"}, {}),
            "its rate limit is used up",
            id="limit",
        ),
        pytest.param((200, {}, b"<html>"), "something that is no JSON", id="no-json"),
        pytest.param((400, {}, {}), "it answered 400", id="refused"),
    ],
)
def test_lasting_trouble_is_one_sentence(world, answer, words):
    world.provider.special["thing"] = [answer]
    with pytest.raises(Unavailable, match=words) as raised:
        world.client.get("/thing")
    assert world.slept == []
    assert "\n" not in raised.value.sentence()


def test_provider_that_is_away_is_asked_a_few_times(world):
    slept: list[float] = []
    client = ForgeClient("http://127.0.0.1:9", {}, 1, slept.append)
    with pytest.raises(Unavailable, match="does not answer"):
        client.get("/thing")
    client.close()
    assert slept == [1.0, 2.0, 4.0, 8.0]


def test_missing_thing_is_told_apart_from_trouble(world):
    assert world.client.get("/nothing") is MISSING
    assert list(world.client.pages("/nothing")) == []


def test_token_is_sent_and_comes_from_the_environment(world, monkeypatch):
    monkeypatch.setenv("RULES_TOKEN", "s3cret")
    settings = replace(world.settings, token_env="RULES_TOKEN")
    GitHub(settings).protection("main")
    [(_, headers)] = world.provider.asked
    assert headers["Authorization"] == "Bearer s3cret"
    assert credentials(settings) == {
        "http.https://git.example/.extraHeader": "Authorization: Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0"
    }


def test_token_may_be_in_a_file(world, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("RULES_TOKEN_FILE", str(tmp_path / "token"))
    assert provider_token(replace(world.settings, token_env="RULES_TOKEN")) == "from-file"


def test_missing_token_is_named(world, monkeypatch):
    monkeypatch.delenv("RULES_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="the environment has no RULES_TOKEN"):
        provider_token(replace(world.settings, token_env="RULES_TOKEN"))


# --- GitLab: approvals have no commit -------------------------------------------------------------------------


def test_approval_is_of_the_version_that_was_there(gitlab):
    first, second = gitlab.base, gitlab.repository.change(2)
    reviews = [Review("bob", "", at=10), Review("eve", "", at=20), Review("kim", "", at=4)]
    pull = Pull(1, "ann", [first, second], [second], reviews, pushed=[5, 15])
    gitlab.provider.pulls.append(pull)
    [found] = GitLab(gitlab.settings, gitlab.client).pulls_of(second)
    assert {r.account: r.commit for r in found.reviews} == {"bob": first, "eve": second, "kim": ""}


def test_older_server_tells_the_time_in_notes(gitlab):
    sha = gitlab.base
    gitlab.provider.pulls.append(Pull(1, "ann", [sha], [sha], [Review("bob", sha)]))
    place = f"projects/{PROJECT.replace('/', '%2F')}/merge_requests/1"
    approved = [{"user": {"username": name}} for name in ("bob", "eve")]
    gitlab.provider.special[f"{place}/approvals"] = [(200, {}, {"approved_by": approved})]
    say = {
        "system": True,
        "body": "approved this merge request",
        "created_at": "2026-01-02T05:00:00Z",
    }
    typed = {**say, "system": False, "author": {"username": "eve"}}
    gitlab.provider.special[f"{place}/notes"] = [
        (200, {}, [{**say, "author": {"username": "bob"}}, typed])
    ]
    [found] = GitLab(gitlab.settings, gitlab.client).pulls_of(sha)
    assert [(r.account, r.commit) for r in found.reviews] == [("bob", sha)]
