from __future__ import annotations

import os

import pytest

from controller.adapters.rules_folder import RulesFolder
from controller.domain.errors import Unavailable
from controller.rulefmt import blob_id


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "rules"
    found.mkdir()
    return found


def test_policies_are_read_with_the_id_that_git_gives_them(folder):
    (folder / "a.yaml").write_text("model: ä\n")
    [text] = RulesFolder(folder).read()
    assert (text.path, text.text, text.refused) == ("rules/a.yaml", "model: ä\n", "")
    assert text.blob == blob_id("model: ä\n".encode())
    assert (text.revision, text.review, text.reviewers) == (None, None, ())


def test_only_policies_are_read(folder):
    for name in (
        "a.yaml",
        "b.yml",
        "a.test.yaml",
        "notes.md",
        ".hidden.yaml",
        "team/c.yaml",
        ".git/d.yaml",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    paths = [text.path for text in RulesFolder(folder).read()]
    assert paths == ["rules/a.yaml", "rules/b.yml", "rules/team/c.yaml"]


def refusal(folder) -> str:
    [text] = RulesFolder(folder).read()
    assert text.text == ""
    return text.refused


def test_link_out_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret.yaml").write_text("x")
    (folder / "a.yaml").symlink_to(tmp_path / "secret.yaml")
    assert refusal(folder) == (
        "rules/a.yaml: it is a symbolic link that leads out of the rules folder."
    )


def test_link_within_the_folder_is_read(folder):
    (folder / "a.yaml").write_text("x")
    (folder / "b.yaml").symlink_to("a.yaml")
    assert [text.refused for text in RulesFolder(folder).read()] == ["", ""]


def test_huge_file_is_refused_by_its_size(folder):
    with (folder / "a.yaml").open("wb") as file:
        file.truncate(50 << 20)
    assert (
        refusal(folder) == "rules/a.yaml: it has 52,428,800 bytes, a policy has at most 1,048,576."
    )


def test_invalid_utf8_is_refused_by_its_line(folder):
    (folder / "a.yaml").write_bytes(b"model: a\nowner: \xff\n")
    assert refusal(folder) == "rules/a.yaml: line 2 is not valid UTF-8."


def test_pipe_does_not_hang_the_reader(folder):
    os.mkfifo(folder / "a.yaml")
    assert refusal(folder) == "rules/a.yaml: it is not a regular file."


def test_link_to_nothing_is_refused(folder):
    (folder / "a.yaml").symlink_to("missing.yaml")
    assert refusal(folder) == "rules/a.yaml: it cannot be read (No such file or directory)."


def test_folder_that_is_missing_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match=r"rules folder .* cannot be listed"):
        RulesFolder(tmp_path / "rules").read()
