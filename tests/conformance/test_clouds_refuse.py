"""What Google and Azure refuse, and what becomes of the credentials that they were given."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest

from controller.adapters.artifacts import open_artifacts
from controller.adapters.sources.open import open_source
from controller.domain.errors import Unavailable
from controller.domain.rules import SourceKey
from tests.support.clouds import CloudServer, connection_string, make_bucket
from tests.support.data_places import rows, table
from tests.support.postgres import free_port
from tests.support.serving import serving

pytestmark = pytest.mark.long
SCHEMES = {"gs": "gcs_server", "az": "azure_server"}
SECRET = base64.b64encode(b"a planted secret of a cloud" * 2).decode()


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """A driver keeps what it read of the environment."""
    yield
    forget()


def forget() -> None:
    for scheme in SCHEMES:
        fsspec.get_filesystem_class(scheme).clear_instance_cache()


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(SCHEMES[request.param])
    return str(request.param)


def sentence(action: Any, *arguments: Any) -> str:
    with pytest.raises(Unavailable) as raised:
        action(*arguments)
    text = raised.value.sentence()
    assert "\n" not in text
    assert len(text) < 500
    assert SECRET not in text
    return text


def polling(address: str, folder: Path) -> Any:
    return open_source(SourceKey(address=address), base=folder, spool=folder).poll


def test_a_bucket_that_is_not_there_is_named_and_not_made(scheme: str, tmp_path: Path):
    bucket = f"nowhere-{uuid4().hex[:12]}"
    word = {"gs": "bucket", "az": "container"}[scheme]
    wanted = f"there is no {word} '{bucket}'"
    model = tmp_path / "model"
    model.write_bytes(b"a model")
    store = open_artifacts(f"{scheme}://{bucket}/models")
    assert wanted in sentence(store.put_bytes, b"a model")
    assert wanted in sentence(store.put_file, model)
    assert wanted in sentence(polling(f"{scheme}://{bucket}/data/*.parquet", tmp_path), None)
    assert not fsspec.core.url_to_fs(f"{scheme}://{bucket}")[0].exists(bucket)


def test_azure_refuses_a_wrong_key(
    azure_server: CloudServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", connection_string(azure_server.url, SECRET)
    )
    forget()
    store = open_artifacts("az://container/models")
    for text in (
        sentence(store.put_bytes, b"a model"),
        sentence(polling("az://container/data/*.parquet", tmp_path), None),
    ):
        assert "the credentials are missing or refused (HTTP 403" in text
        assert "Set AZURE_STORAGE_CONNECTION_STRING" in text
    assert SECRET not in caplog.text


class _Refusing(BaseHTTPRequestHandler):
    """Says what Google says to whoever comes without credentials; no emulator asks for any."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        words = b'{"error": {"code": 401, "message": "Anonymous caller does not have storage.objects.get access."}}'
        self.send_response(401)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    do_POST = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


def test_google_refuses_whoever_has_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    forget()
    with serving(server):
        store = open_artifacts("gs://bucket/models")
        for text in (
            sentence(store.put_bytes, b"a model"),
            sentence(polling("gs://bucket/data/*.parquet", tmp_path), None),
        ):
            assert "the credentials are missing or refused (HTTP 401: Anonymous caller" in text
            assert "Set GOOGLE_APPLICATION_CREDENTIALS" in text
    assert "Traceback" not in caplog.text


def test_nobody_listens(scheme: str, monkeypatch: pytest.MonkeyPatch):
    """Both drivers try again for half a minute and longer; here once."""
    address = f"http://127.0.0.1:{free_port()}"
    if scheme == "gs":
        from gcsfs import GCSFileSystem

        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        monkeypatch.setattr(GCSFileSystem, "_request", GCSFileSystem._request.__wrapped__)
    else:
        from azure.storage.blob.aio import ExponentialRetry

        monkeypatch.setattr(ExponentialRetry, "get_backoff_time", lambda *_: 0.0)
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string(address, SECRET))
    forget()
    text = sentence(open_artifacts(f"{scheme}://bucket/models").put_bytes, b"a model")
    where = f"{scheme}://bucket/models"
    assert text.startswith(
        (f"cannot store an artifact at {where}", f"cannot store an artifact in {where}")
    )


def test_the_key_is_nowhere_but_in_the_environment(
    azure_server: CloudServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Neither the log at its loudest nor what is kept of a poll, which goes into the database, holds it."""
    import pyarrow.parquet as pq

    caplog.set_level(logging.DEBUG)
    url = f"az://secrets-{uuid4().hex[:12]}"
    make_bucket(url)
    store = open_artifacts(f"{url}/models")
    digest = store.put_bytes(b"a model")
    store.fetch(digest, tmp_path / "copy")
    pq.write_table(table(rows(1, 5)), tmp_path / "1.parquet")
    fsspec.core.url_to_fs(url)[0].put_file(str(tmp_path / "1.parquet"), f"{url[5:]}/data/1.parquet")
    poll = polling(f"{url}/data/*.parquet", tmp_path)(None)
    assert poll.batches[0].rows == 5
    assert azure_server.secret not in repr(poll)
    assert azure_server.secret not in caplog.text
