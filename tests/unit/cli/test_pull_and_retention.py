"""pull: resume, digest, links; retention: dry run first, and never what somebody needs."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.artifacts import LocalArtifacts
from controller.domain.errors import IntegrityError, Unavailable, UserError
from controller.domain.runs import Run, RunKind
from controller.service.registry.pull import from_bytes, pull_artifact
from tests.support.command import Desk
from tests.support.house import MODEL

CONTENT = bytes(range(256)) * 9000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WHY = ("--reason", "old", "--yes")


def breaks_off(after: int):
    def read(offset: int) -> Iterator[bytes]:
        yield CONTENT[offset : offset + after]
        raise Unavailable("the line is dead")

    return read


def test_a_pull_goes_on_where_it_was_cut_off(tmp_path: Path):
    target = tmp_path / "model"
    with pytest.raises(Unavailable):
        pull_artifact(DIGEST, len(CONTENT), breaks_off(1_000_000), target)
    assert not target.exists()
    assert (
        pull_artifact(DIGEST, len(CONTENT), from_bytes(CONTENT), target) == len(CONTENT) - 1_000_000
    )
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]
    assert pull_artifact(DIGEST, len(CONTENT), from_bytes(b""), target) == 0


def test_a_sender_that_ends_early_is_said(tmp_path: Path):
    with pytest.raises(Unavailable, match="bytes came before the sender stopped"):
        pull_artifact(DIGEST, len(CONTENT), from_bytes(CONTENT[:-1]), tmp_path / "model")


def test_one_flipped_byte_leaves_nothing(tmp_path: Path):
    bad = CONTENT[:77] + bytes([CONTENT[77] ^ 1]) + CONTENT[78:]
    with pytest.raises(IntegrityError, match="the registry names"):
        pull_artifact(DIGEST, len(CONTENT), from_bytes(bad), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_part_of_another_artifact_is_begun_anew(tmp_path: Path):
    target = tmp_path / "model"
    with pytest.raises(Unavailable):
        pull_artifact(DIGEST, len(CONTENT), breaks_off(5_000), target)
    other = b"another"
    assert pull_artifact(hashlib.sha256(other).hexdigest(), 7, from_bytes(other), target) == 7


@pytest.mark.parametrize("place", ["model", ".model.part"])
def test_a_symbolic_link_out_of_the_folder_is_not_followed(tmp_path: Path, place: str):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / place).symlink_to(outside)
    with pytest.raises(UserError, match="symbolic link"):
        pull_artifact(DIGEST, len(CONTENT), from_bytes(CONTENT), tmp_path / "in" / "model")
    assert outside.read_text() == "mine"


@pytest.fixture
def app_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Three champions with real bytes; v3 sits in the seat."""
    monkeypatch.setenv("INCUMBENT_HOME", str(tmp_path / "home"))
    kept = LocalArtifacts(tmp_path / "home" / "artifacts")
    app_context = Desk()
    plain = app_context.house.trained

    def trained(run: Run) -> bool:
        content = run.id.encode() * 1000
        digest = kept.put_bytes(content)
        return app_context.house.finish(
            run, digest=digest, size=len(content), metrics={"mae": 14.0}, recipe=run.spec.recipe,
            data_through=run.spec.data_through,
        ) if run.spec.kind is RunKind.TRAIN else plain(run)  # fmt: skip

    monkeypatch.setattr(app_context.house, "trained", trained)
    for name in ("jan", "feb", "mar"):
        app_context.house.data(30_000, name)
        app_context.house.work()
        app_context.house.clock.advance(timedelta(days=31))
    return app_context


def test_pulling_by_name(app_context: Desk, tmp_path: Path):
    target = tmp_path / "champion"
    found = app_context.json("pull", MODEL, "--to", str(target), "--consumer", "laptop")
    assert (found["version"], found["bytes"]) == (3, target.stat().st_size)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == found["digest"]
    assert "0 of them came now" in app_context.run("pull", f"{MODEL}@3", "--to", str(target)).stdout
    (lease,) = app_context.json("consumers", MODEL)["consumers"]
    assert (lease["name"], lease["downloads"]) == ("laptop", 1)


def test_a_damaged_artifact_is_not_handed_out(app_context: Desk, tmp_path: Path):
    digest = app_context.json("resolve", MODEL)["digest"]
    place = tmp_path / "home" / "artifacts" / digest[:2] / digest[2:]
    place.chmod(0o644)
    place.write_bytes(b"X" + place.read_bytes()[1:])
    said = app_context.run("pull", MODEL, "--to", str(tmp_path / "x"), code=1).stderr
    assert "Nothing was kept" in said
    assert not (tmp_path / "x").exists()


def test_retention_takes_what_its_dry_run_listed(app_context: Desk, tmp_path: Path):
    for word in ("deprecate", "archive"):
        app_context.run(word, MODEL, "1", *WHY)
    assert app_context.json("retention", MODEL)["leaving"] == []
    app_context.house.clock.advance(timedelta(days=31))
    plan = app_context.json("retention", MODEL)
    assert [one["version"] for one in plan["leaving"]] == [1]
    digest = plan["leaving"][0]["digest"]
    kept = LocalArtifacts(tmp_path / "home" / "artifacts")
    assert kept.has(digest)
    assert (
        "by now, not 0000"
        in app_context.run("retention", MODEL, "--apply", "0000", *WHY, code=4).stderr
    )
    app_context.run("retention", MODEL, "--apply", plan["plan"], *WHY)
    assert not kept.has(digest)
    said = app_context.run("revive", MODEL, "1", *WHY, code=4).stderr
    assert "its artifact is gone" in said
    assert app_context.json("retention", MODEL)["leaving"] == []
    assert app_context.json("verify", "--all")["whole"]


def test_retention_keeps_bytes_that_another_version_is_made_of(app_context: Desk):
    from controller.service.registry.retention import plan_retention

    with app_context.house.behind() as tx:
        tables = tx.tables
        from dataclasses import replace

        twin = tables.versions[MODEL, 3].digest
        tables.versions[MODEL, 1] = replace(tables.versions[MODEL, 1], digest=twin)
    for word in ("deprecate", "archive"):
        app_context.run(word, MODEL, "1", *WHY)
    app_context.house.clock.advance(timedelta(days=31))
    with app_context.house.store.read() as tx:
        plan = plan_retention(tx, MODEL, timedelta(days=30), app_context.house.clock.now())
    assert plan.leaving[0].shared
    said = app_context.run("retention", MODEL, "--apply", plan.digest, *WHY).stderr
    assert "0 taken away, 1 kept" in said


def test_a_model_without_a_version_is_said(app_context: Desk):
    assert "has no version" in app_context.run("pull", "nobody", code=3).stderr


class _Shell:
    """Whoever unpickles it runs a command."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.trace}",))


def test_a_pickle_that_opens_a_shell_is_carried_and_never_loaded(tmp_path: Path, monkeypatch):
    """The control plane pulls, shows, verifies, audits and serves it as bytes; only a worker's child would load it."""
    trace = tmp_path / "was-run"
    content = pickle.dumps(_Shell(trace))
    monkeypatch.setenv("INCUMBENT_HOME", str(tmp_path / "home"))
    digest = LocalArtifacts(tmp_path / "home" / "artifacts").put_bytes(content)
    app_context = Desk()
    plain = app_context.house.finish
    result = {"digest": digest, "size": len(content), "metrics": {}, "recipe": "gbm"}
    monkeypatch.setattr(
        app_context.house, "trained", lambda run: plain(run, **result, data_through=1)
    )
    app_context.house.data(30_000, "one")
    app_context.house.work()
    target = tmp_path / "pulled"
    app_context.run("pull", MODEL, "--to", str(target))
    assert target.read_bytes() == content
    for command in (["verify", "--all"], ["explain", MODEL], ["versions", MODEL], ["audit", MODEL]):
        app_context.run(*command)
    assert not trace.exists()
    pickle.loads(content)  # the bytes are what they are said to be
    assert trace.exists()
