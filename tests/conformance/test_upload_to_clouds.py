"""A large upload to Google or Azure that is cut off leaves nothing that a reader sees, and is done by the next try."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fsspec.asyn import sync

from controller.adapters.artifacts import blocks, open_artifacts, parts
from controller.domain.errors import NotFound
from tests.support.clouds import make_bucket

pytestmark = [
    pytest.mark.long,
    # gcsfs hands its chunks on as bytes on purpose: its loop is its own, and the copy would cost more.
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]

MIB = 1 << 20
PART = 5 * MIB
CONTENT = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(12 * MIB // 32))
DIGEST = hashlib.sha256(CONTENT).hexdigest()

# Uploads, and dies as a machine dies when the third part is to be sent.
DYING = """
import os, signal, sys
from io import BytesIO
from pathlib import Path
from controller.adapters.artifacts import open_artifacts, parts

parts.PART = int(sys.argv[3])
store = open_artifacts(sys.argv[1])
sent = 0

def dying(send):
    async def call(*arguments, **asked):
        global sent
        if sent == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        sent += 1
        return await send(*arguments, **asked)
    return call

if sys.argv[1].startswith("gs:"):
    import gcsfs.core
    gcsfs.core.upload_chunk = dying(gcsfs.core.upload_chunk)
else:
    from azure.storage.blob.aio import BlobClient
    BlobClient.stage_block = dying(BlobClient.stage_block)
store.put_file(Path(sys.argv[2]))
"""


@pytest.fixture(params=["gs", "az"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    request.getfixturevalue({"gs": "gcs_server", "az": "azure_server"}[request.param])
    monkeypatch.setattr(parts, "PART", PART)
    place = f"{request.param}://artifacts-{uuid4().hex[:12]}/models"
    make_bucket(place)
    return place


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(CONTENT)
    return path


def objects(store: Any) -> list[str]:
    store._system.invalidate_cache()
    found: list[str] = store._system.find(store._root.partition("/")[0])
    return found


def upload_and_die(url: str, model: Path) -> None:
    command = [sys.executable, "-c", DYING, url, str(model), str(PART)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_what_a_killed_upload_left_is_seen_by_nobody_and_the_next_one_ends_it(
    url: str, model: Path, tmp_path: Path
):
    upload_and_die(url, model)
    store: Any = open_artifacts(url)
    assert not store.has(DIGEST)
    assert objects(store) == []
    with pytest.raises(NotFound):
        store.read_bytes(DIGEST)

    assert store.put_file(model) == DIGEST
    assert store.fetch(DIGEST, tmp_path / "copy").read_bytes() == CONTENT
    assert len(objects(store)) == 1


def test_azure_is_sent_only_what_it_lacks(
    azure_server: object, model: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parts, "PART", PART)
    url = f"az://artifacts-{uuid4().hex[:12]}/models"
    make_bucket(url)
    upload_and_die(url, model)
    store: Any = open_artifacts(url)
    assert blocks.put_in_blocks(store._system, model, store._place(DIGEST)) == 1
    assert store.read_bytes(DIGEST) == CONTENT


def test_a_block_of_other_bytes_is_not_taken(
    azure_server: object, model: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parts, "PART", PART)
    url = f"az://artifacts-{uuid4().hex[:12]}/models"
    make_bucket(url)
    store: Any = open_artifacts(url)
    container, key, _ = store._system.split_path(store._place(DIGEST))

    other = bytes(PART)

    async def stage() -> None:
        async with store._system.service_client.get_blob_client(container, key) as client:
            await client.stage_block(blocks.block_name(1, other), BytesIO(other), PART)

    sync(store._system.loop, stage)
    assert blocks.put_in_blocks(store._system, model, store._place(DIGEST)) == 3
    assert store.read_bytes(DIGEST) == CONTENT


def test_many_writers_of_the_same_large_bytes_keep_one_whole_copy(url: str, model: Path):
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: open_artifacts(url).put_file(model), range(8))) == {DIGEST}
    store: Any = open_artifacts(url)
    assert len(objects(store)) == 1
    assert store.read_bytes(DIGEST) == CONTENT
