"""A large upload to S3 that was cut off goes on with the parts that are missing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import s3fs

from controller.adapters.artifacts import open_artifacts, parts
from controller.domain.errors import Unavailable

MIB = 1 << 20
CONTENT = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(12 * MIB // 32))


@pytest.fixture
def bucket(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(parts, "PART", 5 * MIB)  # the least that S3 takes
    name = f"artifacts-{uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(name)
    return name


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(CONTENT)
    return path


class Line:
    """The connection of a store: counts the parts that are sent, and is cut at one of them."""

    def __init__(self, store: Any, cut_at: int | None = None) -> None:
        self.sent: list[int] = []
        self._call, self._cut_at = store._system.call_s3, cut_at
        store._system.call_s3 = self

    def __call__(self, method: str, **asked: Any) -> Any:
        if method == "upload_part":
            if asked["PartNumber"] == self._cut_at:
                raise ConnectionError("the line was cut")
            self.sent.append(asked["PartNumber"])
        return self._call(method, **asked)


def opened(bucket: str) -> Any:
    s3fs.S3FileSystem.clear_instance_cache()
    return open_artifacts(f"s3://{bucket}/models")


def test_an_upload_goes_on_where_it_was_cut_off(bucket: str, model: Path, tmp_path: Path):
    first = opened(bucket)
    line = Line(first, cut_at=3)
    with pytest.raises(Unavailable, match="the line was cut"):
        first.put_file(model)
    assert line.sent == [1, 2]

    digest = hashlib.sha256(CONTENT).hexdigest()
    second = opened(bucket)
    assert not second.has(digest)
    line = Line(second)
    assert second.put_file(model) == digest
    assert line.sent == [3]
    assert second.fetch(digest, tmp_path / "copy").read_bytes() == CONTENT
    assert second.put_file(model) == digest
    assert line.sent == [3]


def test_a_part_of_other_bytes_is_sent_again(bucket: str, model: Path, tmp_path: Path):
    store = opened(bucket)
    place = store._place(hashlib.sha256(CONTENT).hexdigest())
    name, key, _ = store._system.split_path(place)
    begun = store._system.call_s3("create_multipart_upload", Bucket=name, Key=key)
    store._system.call_s3(
        "upload_part", Bucket=name, Key=key, UploadId=begun["UploadId"], PartNumber=1,
        Body=bytes(5 * MIB),
    )  # fmt: skip
    line = Line(store)
    digest = store.put_file(model)
    assert line.sent == [1, 2, 3]
    assert store.fetch(digest, tmp_path / "copy").read_bytes() == CONTENT
