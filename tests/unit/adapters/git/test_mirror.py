"""Following a repository that somebody else controls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from controller.adapters.git.command import Git
from controller.adapters.git.gather import file_problem
from controller.adapters.git.mirror import TIP, Mirror, co_authors
from controller.domain.errors import ConfigurationError, Unavailable
from tests.support.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "origin")
    found.change(1000)
    return found


def follow(tmp_path: Path, remote: Path | str, timeout: float = 60) -> Mirror:
    return Mirror(Git(folder=tmp_path / "mirror", timeout=timeout), str(remote))


def test_repository_is_followed(repository, tmp_path):
    mirror = follow(tmp_path, repository.folder)
    mirror.fetch("main", "main")
    assert mirror.resolve(TIP) == repository.head()
    newer = repository.change(2000)
    mirror.fetch("main", "main")
    assert mirror.resolve(TIP) == newer
    [file] = mirror.files(newer, "rules")
    assert (file.path, file.mode, file.blob) == (
        "rules/demo.yaml",
        "100644",
        repository.blob(file.path),
    )
    assert mirror.blob(file.blob).decode().startswith("version: 1")


def test_relative_path_is_meant_from_here(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mirror = follow(tmp_path, "origin")
    mirror.fetch("main", "main")
    assert mirror.resolve(TIP) == repository.head()


def test_hooks_of_the_repository_never_run(repository, tmp_path):
    marker = tmp_path / "ran"
    hooks = repository.folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    mirror = follow(tmp_path, repository.folder)
    mirror.fetch("main", "main")
    own = tmp_path / "mirror" / "hooks"
    own.mkdir(exist_ok=True)
    names = (
        "reference-transaction",
        "post-update",
        "pre-receive",
        "update",
        "post-receive",
        "pre-push",
    )
    for folder in (hooks, own):
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
            (folder / name).chmod(0o755)
    repository.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "x")
    mirror.fetch("main", "main")
    assert mirror.resolve(TIP) == repository.head()
    mirror.keep(repository.head())
    assert not marker.exists()


@pytest.mark.parametrize("remote", ["nowhere", "file:///nowhere"])
def test_repository_that_vanished_is_unavailable(tmp_path, remote):
    with pytest.raises(Unavailable, match="cannot be followed at main") as raised:
        follow(tmp_path, remote).fetch("main", "main")
    assert "\n" not in raised.value.sentence()


def test_repository_that_vanishes_later_is_unavailable(repository, tmp_path):
    mirror = follow(tmp_path, repository.folder)
    mirror.fetch("main", "main")
    shutil.rmtree(repository.folder)
    with pytest.raises(Unavailable):
        mirror.fetch("main", "main")
    assert mirror.resolve(TIP) is not None


def test_branch_that_is_not_there_is_named(repository, tmp_path):
    with pytest.raises(Unavailable, match="cannot be followed at release"):
        follow(tmp_path, repository.folder).fetch("release", "main")


def test_shallow_clone_is_refused(repository, tmp_path):
    repository.change(2000)
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(shallow)],
        check=True, capture_output=True,
    )  # fmt: skip
    with pytest.raises(Unavailable, match="is a shallow clone"):
        follow(tmp_path, shallow).fetch("main", "main")


def test_transport_that_runs_a_program_is_refused(tmp_path):
    marker = tmp_path / "ran"
    with pytest.raises(Unavailable):
        follow(tmp_path, f"ext::touch {marker}").fetch("main", "main")
    assert not marker.exists()


def test_command_that_hangs_is_ended(tmp_path, monkeypatch):
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (bin_folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=":")
    with pytest.raises(Unavailable, match=r"did not end within 0\.2 seconds"):
        Git(folder=tmp_path, timeout=0.2).ask("status")


def test_missing_git_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no git command"):
        Git(folder=tmp_path).ask("status")


def test_secret_is_in_no_argument(tmp_path):
    git = Git(folder=tmp_path, secrets={"http.https://x/.extraHeader": "Authorization: secret"})
    assert git.ask("config", "--get", "http.https://x/.extraHeader") == "Authorization: secret"


def test_link_and_huge_file_are_refused_unread(repository, tmp_path):
    (repository.folder / "rules" / "link.yaml").symlink_to("/etc/passwd")
    with (repository.folder / "rules" / "huge.yaml").open("wb") as file:
        file.truncate(50 << 20)
    repository.commit()
    mirror = follow(tmp_path, repository.folder)
    mirror.fetch("main", "main")
    problems = {f.path: file_problem(f) for f in mirror.files(repository.head(), "rules")}
    assert problems == {
        "rules/demo.yaml": None,
        "rules/huge.yaml": "rules/huge.yaml has 52,428,800 bytes, a policy has at most 1,048,576.",
        "rules/link.yaml": "rules/link.yaml is a symbolic link; the rules folder holds regular files only.",
    }


def test_submodule_is_no_file(repository, tmp_path):
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.head()},rules/sub")
    repository.git("commit", "--quiet", "-m", "Submodule")
    mirror = follow(tmp_path, repository.folder)
    mirror.fetch("main", "main")
    assert [f.path for f in mirror.files(repository.head(), "rules")] == ["rules/demo.yaml"]


@pytest.mark.parametrize(
    ("message", "people"),
    [
        ("x", []),
        ("x\n\nCo-authored-by: Bob B <b@x.org>", ["Bob B <b@x.org>"]),
        (
            "x\n\nco-Authored-By:Bob <b@x.org>  \nCo-authored-by: Eve <e@x.org>\n",
            ["Bob <b@x.org>", "Eve <e@x.org>"],
        ),
    ],
)
def test_co_authors(message, people):
    assert [str(person) for person in co_authors(message)] == people
