"""What every artifact store keeps, whatever it is made of."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from controller.adapters.artifacts import LocalArtifacts, open_artifacts
from controller.adapters.artifacts.remote import RemoteArtifacts
from controller.adapters.memory import MemoryArtifacts
from controller.domain.errors import (
    ConfigurationError,
    IntegrityError,
    NotFound,
    StorageFull,
    Unavailable,
)
from controller.ports import ArtifactStore
from tests.support.clouds import make_bucket
from tests.support.machine import small_file_system

CONTENT = b"a model" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ABSENT = hashlib.sha256(b"never stored").hexdigest()


CLOUDS = {"gcs": "gs", "azure": "az"}


@pytest.fixture(
    params=["memory", "local", "fsspec", "s3"]
    + [pytest.param(cloud, marks=pytest.mark.long) for cloud in CLOUDS]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "memory":
        return MemoryArtifacts()
    if request.param == "local":
        return LocalArtifacts(tmp_path / "artifacts")
    if request.param == "fsspec":
        return open_artifacts(f"memory://{tmp_path.name}-{uuid4().hex}/artifacts")
    if request.param in CLOUDS:
        request.getfixturevalue(f"{request.param}_server")
        url = f"{CLOUDS[request.param]}://artifacts-{uuid4().hex[:12]}/models"
        make_bucket(url)
        return open_artifacts(url)
    import s3fs

    request.getfixturevalue("s3_server")
    bucket = f"artifacts-{uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(bucket)
    return open_artifacts(f"s3://{bucket}/models")


def damage(store: ArtifactStore, digest: str) -> None:
    if isinstance(store, MemoryArtifacts):
        store.blobs[digest] = store.blobs[digest][:-1] + b"X"
    elif isinstance(store, RemoteArtifacts):
        content = store._system.cat_file(store._place(digest))
        store._system.pipe_file(store._place(digest), content[:-1] + b"X")
    else:
        assert isinstance(store, LocalArtifacts)
        place = store._place(digest)
        place.chmod(0o644)
        place.write_bytes(place.read_bytes()[:-1] + b"X")


def test_bytes_come_back_under_their_digest(store: ArtifactStore):
    assert store.put_bytes(CONTENT) == DIGEST
    assert store.read_bytes(DIGEST) == CONTENT
    assert store.has(DIGEST)
    assert store.size(DIGEST) == len(CONTENT)


def test_a_file_is_the_same_artifact_as_its_bytes(store: ArtifactStore, tmp_path: Path):
    source = tmp_path / "model.bin"
    source.write_bytes(CONTENT)
    assert store.put_file(source) == store.put_bytes(CONTENT) == DIGEST
    assert source.read_bytes() == CONTENT


def test_fetch_brings_a_copy_that_may_be_changed(store: ArtifactStore, tmp_path: Path):
    store.put_bytes(CONTENT)
    target = store.fetch(DIGEST, tmp_path / "deep" / "model")
    target.write_bytes(b"scribble")
    assert store.read_bytes(DIGEST) == CONTENT


def test_nothing_at_all_is_an_artifact_too(store: ArtifactStore):
    assert store.read_bytes(store.put_bytes(b"")) == b""


def test_damage_is_named_on_reading(store: ArtifactStore, tmp_path: Path):
    store.put_bytes(CONTENT)
    damage(store, DIGEST)
    with pytest.raises(IntegrityError, match=DIGEST):
        store.read_bytes(DIGEST)
    with pytest.raises(IntegrityError, match=DIGEST):
        store.fetch(DIGEST, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("action", ["read_bytes", "size", "fetch"])
def test_what_was_never_stored_is_not_found(store: ArtifactStore, tmp_path: Path, action: str):
    arguments = (ABSENT, tmp_path / "x") if action == "fetch" else (ABSENT,)
    with pytest.raises(NotFound, match=ABSENT):
        getattr(store, action)(*arguments)
    assert not store.has(ABSENT)


def test_deleting_is_idempotent(store: ArtifactStore):
    store.put_bytes(CONTENT)
    store.delete(DIGEST)
    store.delete(DIGEST)
    assert not store.has(DIGEST)


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "A" * 64, DIGEST + "0", DIGEST[:-1] + "/"]
)
def test_a_name_that_is_no_digest_reaches_no_path(store: ArtifactStore, name: str):
    with pytest.raises(IntegrityError, match="names no artifact"):
        store.has(name)


def test_many_writers_of_the_same_bytes_keep_one_copy(tmp_path: Path):
    root = tmp_path / "artifacts"
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda _: LocalArtifacts(root).put_bytes(CONTENT), range(40)))
    assert digests == {DIGEST}
    assert [path for path in root.rglob("*") if path.is_file()] == [root / DIGEST[:2] / DIGEST[2:]]


def test_what_a_crash_left_is_swept_after_a_day(tmp_path: Path):
    root = tmp_path / "artifacts"
    LocalArtifacts(root)
    old, young = root / "tmp" / "old", root / "tmp" / "young"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    os.utime(old, (0, 0))
    LocalArtifacts(root)
    assert not old.exists()
    assert young.exists()


@pytest.fixture
def small_disk(tmp_path: Path):
    with small_file_system(tmp_path / "small", megabytes=1) as folder:
        yield folder


def test_a_full_disk_says_so_and_keeps_nothing_half(small_disk: Path):
    store = LocalArtifacts(small_disk / "artifacts")
    before = store.put_bytes(CONTENT)
    with pytest.raises(StorageFull, match="the disk is full"):
        store.put_bytes(os.urandom(2 << 20))
    assert [p.name for p in (small_disk / "artifacts").rglob("*") if p.is_file()] == [DIGEST[2:]]
    assert store.read_bytes(before) == CONTENT
    assert store.put_bytes(b"small enough") != before


def test_a_store_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(
        Unavailable, match="cannot store an artifact at s3://nowhere/models"
    ) as error:
        open_artifacts("s3://nowhere/models").put_bytes(CONTENT)
    assert "very-secret" not in error.value.sentence()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_kind_of_place_that_nobody_knows_is_a_wrong_setting():
    with pytest.raises(ConfigurationError, match="artifacts at gopher://x/y cannot be opened"):
        open_artifacts("gopher://x/y")


@pytest.mark.parametrize("offset", [0, 1, 70_000, 99_999, 100_000, 200_000])
def test_a_stream_begins_where_it_is_told(store: ArtifactStore, offset: int):
    content = bytes(range(250)) * 400
    digest = store.put_bytes(content)
    assert b"".join(store.stream(digest, offset)) == content[offset:]
