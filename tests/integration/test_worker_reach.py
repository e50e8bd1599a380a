"""Where a worker goes for a file or a model: no further than the controller may, whatever a name means by now."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.ports import Batch
from tests.support.recorder import recording
from workers.failure import Failure
from workers.from_mlflow import train
from workers.snapshot import local_file

CONTENT = b"t\n1\n"
_resolve = socket.getaddrinfo


def batch(uri: str) -> Batch:
    return Batch(
        uri=uri,
        digest=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        rows=1,
        sequence=1,
    )


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names that lead to this machine and to a metadata service by the time that they are asked for."""
    there = {"rebind.example.org": "127.0.0.1", "meta.example.org": "169.254.169.254"}

    def resolve(host: Any, *more: Any, **named: Any) -> Any:
        return _resolve(there.get(host, host), *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/a.csv",
        "http://rebind.example.org:{port}/a.csv",
        "http://meta.example.org/a.csv",
        "http://[::ffff:127.0.0.1]:{port}/a.csv",
        "http://2130706433:{port}/a.csv",
        "http://169.254.169.254/a.csv",
    ],
)
def test_a_worker_fetches_nothing_from_where_the_controller_may_not(address: str, tmp_path: Path):
    with recording() as server:
        server.files["/a.csv"] = CONTENT
        with pytest.raises(Failure, match="is not fetched"):
            local_file(batch(address.format(port=server.port)), tmp_path / "fetched")
        assert server.visits == []


def test_what_the_operator_names_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with recording() as server:
        server.files["/a.csv"] = CONTENT
        monkeypatch.setenv("INCUMBENT_SOURCE_PLACES", f"http://127.0.0.1:{server.port}/")
        uri = f"http://127.0.0.1:{server.port}/a.csv"
        assert local_file(batch(uri), tmp_path / "fetched").read_bytes() == CONTENT


def test_a_file_that_grew_is_not_fetched_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with recording() as server:
        server.files["/a.csv"] = bytes(32 << 20)
        monkeypatch.setenv("INCUMBENT_SOURCE_PLACES", f"http://127.0.0.1:{server.port}/")
        uri = f"http://127.0.0.1:{server.port}/a.csv"
        with pytest.raises(Failure, match="bytes, but had 4"):
            local_file(batch(uri), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 << 20


@pytest.mark.parametrize("host", ["meta.example.org", "169.254.169.254", "[fd00:ec2::254]"])
def test_a_policy_s_mlflow_server_is_no_metadata_service(host: str, tmp_path: Path):
    run = SimpleNamespace(
        params={"server": f"mlflow://{host}:80", "model": "m", "version": 1}, folder=tmp_path
    )
    with pytest.raises(Failure, match="a link or a metadata service"):
        train(run)  # type: ignore[arg-type]
