"""Each client of an address in the settings: a server that sends on is not followed, a bomb is one sentence."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from controller.adapters.git.forges.client import ForgeClient
from controller.adapters.mlflow.client import MlflowServer
from controller.adapters.oidc import OpenIdConfig, OpenIdProvider
from controller.adapters.prometheus_query import Prometheus
from controller.adapters.remote.wire import Wire
from controller.domain.errors import IncumbentError
from tests.support.recorder import Recorder, recording

Ask = Callable[[str], object]


def _openid(url: str) -> object:
    config = OpenIdConfig(issuer=url, client_id="incumbent", client_secret="s")
    return OpenIdProvider(config).begin(f"{url}/back")


CLIENTS: dict[str, Ask] = {
    "prometheus": lambda url: Prometheus(url).ask("up", datetime.now(UTC)),
    "mlflow": lambda url: MlflowServer(url.replace("http:", "mlflow:")).listing("models"),
    "openid": _openid,
    "forge": lambda url: ForgeClient(url, {}, 5, lambda _: None).get("/x"),
    "incumbent": lambda url: Wire(url, "token")._get("models"),
}


@pytest.fixture(params=CLIENTS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return CLIENTS[request.param]


def test_a_server_that_sends_on_is_not_followed(ask: Ask):
    with recording() as inside, recording() as server:
        inside.always = b"{}"
        server.elsewhere = f"http://127.0.0.1:{inside.port}/stolen"
        with pytest.raises(IncumbentError):
            ask(f"http://127.0.0.1:{server.port}")
        assert server.visits
        assert inside.visits == []


BOMB = gzip.compress(bytes(1 << 20), mtime=0) * 512
"""Members of one stream: half a gigabyte of zeros in half a megabyte."""


def _fused(server: Recorder) -> None:
    server.always = BOMB
    server.headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}


def test_an_answer_that_unpacks_to_gigabytes_is_one_sentence(ask: Ask):
    with recording() as server:
        _fused(server)
        tracemalloc.start()
        try:
            with pytest.raises(IncumbentError, match=r"answers with more than [\d,]+ bytes"):
                ask(f"http://127.0.0.1:{server.port}")
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 320 << 20


def test_an_answer_that_is_nested_without_end_is_one_sentence(ask: Ask):
    with recording() as server:
        server.always = b"[" * 200_000
        with pytest.raises(IncumbentError):
            ask(f"http://127.0.0.1:{server.port}")
