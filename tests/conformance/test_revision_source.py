"""What every look at a revision of the rules does: in memory, in a working tree, in a followed repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.adapters.git.revisions import FolderRevisions, RemoteRevisions
from controller.adapters.git.settings import ReviewSettings
from controller.adapters.memory.sources import MemoryRevisions
from controller.domain.errors import NotFound, Unavailable, UserError
from controller.policy.review_facts import Reviewer
from controller.ports import RevisionSource, RevisionTexts, RuleText
from tests.support.repository import Repository, policy_text


@dataclass
class Looked:
    """A source over a repository whose branch ``topic`` has other rows than ``main``, and a tag ``v1`` at ``main``."""

    source: RevisionSource
    main: str
    topic: str


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "rules-repository")
    made.change(20_000)
    made.git("tag", "v1")
    made.branch("topic")
    made.change(10_000)
    made.back()
    return made


def settings(folder: Path, remote: str | None = None) -> ReviewSettings:
    signers = folder.parent / "signers"
    signers.touch()
    return ReviewSettings(
        remote=remote or str(folder),
        provider="ssh",
        reviewers=(Reviewer(name="Ann", accounts=(), emails=("ann@example.com",)),),
        cache=folder.parent / "rules.git",
        allowed_signers=signers,
        pause=0.0,
    )


@pytest.fixture(params=["memory", "folder", "remote"])
def looked(request: pytest.FixtureRequest, repository: Repository) -> Iterator[Looked]:
    main, topic = repository.head("main"), repository.head("topic")
    if request.param == "folder":
        yield Looked(FolderRevisions(repository.folder / "rules"), main, topic)
    elif request.param == "remote":
        yield Looked(RemoteRevisions(settings(repository.folder)), main, topic)
    else:
        texts = {
            rows: RuleText(
                path="rules/demo.yaml",
                text=policy_text(rows),
                blob=str(repository.blob("rules/demo.yaml", sha)),
            )
            for rows, sha in ((20_000, main), (10_000, topic))
        }
        held = {
            name: RevisionTexts(name=name, revision=sha, texts=(texts[rows],))
            for name, sha, rows in (
                ("main", main, 20_000), ("v1", main, 20_000), ("topic", topic, 10_000),
                (main[:10], main, 20_000), (topic, topic, 10_000),
            )
        }  # fmt: skip
        yield Looked(MemoryRevisions(held), main, topic)


def test_a_branch_a_tag_and_a_number_are_found(looked: Looked):
    for name, revision, rows in (
        ("main", looked.main, 20_000),
        ("v1", looked.main, 20_000),
        (" topic ", looked.topic, 10_000),
        (looked.main[:10], looked.main, 20_000),
        (looked.topic, looked.topic, 10_000),
    ):
        found = looked.source.at(name)
        assert found.revision == revision
        assert [(one.path, one.text) for one in found.texts] == [
            ("rules/demo.yaml", policy_text(rows))
        ]


def test_what_is_known_comes_without_its_text(looked: Looked):
    blob = looked.source.at("main").texts[0].blob
    assert [one.text for one in looked.source.at("main", {blob}).texts] == [""]
    assert [one.text for one in looked.source.at("topic", {blob}).texts] == [policy_text(10_000)]


def test_what_is_not_there_is_said_so(looked: Looked):
    for name in ("nothing", "f" * 40, "abcdef1"):
        with pytest.raises(NotFound, match=name):
            looked.source.at(name)
    with pytest.raises(UserError):
        looked.source.at("  ")


HOSTILE = (
    "--upload-pack=touch /tmp/x", "-c core.pager=x", "https://evil.example/rules.git", "ext::sh -c true", "main:rules",
    "main..topic", "main@{1}", ":/Change", "main^{/Change}", "../rules", "/etc/passwd", "a b", "x\nmain",
    "x" * 201, "\x00",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "remote"])
def test_a_name_that_is_more_than_a_name_never_reaches_git(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")  # git would not even be found
    (tmp_path / "rules").mkdir()
    source: RevisionSource = (
        FolderRevisions(tmp_path / "rules")
        if kind == "folder"
        else RemoteRevisions(settings(tmp_path / "rules"))
    )
    for name in HOSTILE:
        with pytest.raises(UserError, match="is no name of a branch, tag or commit"):
            source.at(name)


def test_a_branch_that_was_pushed_since_is_seen_and_one_that_is_gone_is_not(repository: Repository):
    source = RemoteRevisions(settings(repository.folder))
    source.at("topic")
    repository.branch("later")
    pushed = repository.change(5_000)
    repository.back()
    repository.git("branch", "--quiet", "-D", "topic")
    assert source.at("later").revision == pushed
    with pytest.raises(NotFound):
        source.at("topic")


def test_a_repository_that_is_away_is_said_without_its_password(tmp_path: Path):
    away_from_here = settings(tmp_path / "rules", "http://ana:hush@127.0.0.1:9/rules.git")
    source = RemoteRevisions(away_from_here)
    with pytest.raises(Unavailable, match="cannot be followed") as away:
        source.at("main")
    assert "hush" not in away.value.sentence()


def test_links_and_large_files_are_refused_and_tests_are_no_policies(repository: Repository):
    folder = repository.folder / "rules"
    (folder / "link.yaml").symlink_to("/etc/passwd")
    (folder / "large.yaml").write_text("#" * (1 << 20 | 1))
    (folder / "demo.test.yaml").write_text("x")
    (folder / "bytes.yaml").write_bytes(b"\xff")
    repository.commit()
    for source in (FolderRevisions(folder), RemoteRevisions(settings(repository.folder))):
        found = {one.path: one.refused for one in source.at("main").texts}
        assert sorted(found) == [
            f"rules/{name}.yaml" for name in ("bytes", "demo", "large", "link")
        ]
        assert not found["rules/demo.yaml"]
        assert all(found[f"rules/{name}.yaml"] for name in ("bytes", "large", "link"))


def test_a_folder_in_no_repository_is_said_so(tmp_path: Path):
    (tmp_path / "rules").mkdir()
    with pytest.raises(NotFound, match="has no branch, tag or commit main"):
        FolderRevisions(tmp_path / "rules").at("main")
    with pytest.raises(NotFound, match="There is no folder"):
        FolderRevisions(tmp_path / "none" / "rules").at("main")
