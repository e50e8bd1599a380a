"""A server that is not as it should be: each time one sentence of ours, within the time limit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from controller.adapters.mlflow.client import MlflowServer, server_url
from controller.adapters.mlflow.registry import MlflowTeamRegistry
from controller.domain.errors import (
    ConfigurationError,
    Conflict,
    IncumbentError,
    NotFound,
    Unavailable,
)
from tests.support.serving import serve

JSON = "application/json"


class Place:
    """An HTTP server that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda _: None
        self.heard: list[tuple[str, str, str | None]] = []
        place = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answered(self) -> None:
                place.heard.append((self.command, self.path, self.headers["authorization"]))
                self.rfile.read(int(self.headers.get("content-length", 0)))
                place.answer(self)

            do_GET = do_POST = do_PUT = answered  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.stop = serve(self.server)
        self.address = f"mlflow://127.0.0.1:{self.server.server_address[1]}"

    def says(self, status: int, body: str, kind: str = JSON) -> None:
        """Answer so from now on."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            content = body.encode()
            handler.send_response(status)
            handler.send_header("content-type", kind)
            handler.send_header("content-length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        self.answer = answer


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.stop()


ANSWERS: dict[str, tuple[int, str, type[IncumbentError], str]] = {
    "500": (500, '{"error_code": "INTERNAL_ERROR", "message": "boom"}', Unavailable, "500: boom"),
    "500 without a word": (500, "", Unavailable, "answers 500"),
    "503 of a proxy": (503, "<html>down</html>", Unavailable, "answers 503"),
    "429": (429, "", Unavailable, "answers 429"),
    "not found": (404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"}', NotFound, "gone"),
    "an alias that is not there": (
        400,
        '{"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias champion not found."}',
        NotFound,
        "alias champion not found",
    ),
    "404 of another server": (404, "<html>nginx</html>", Unavailable, "404 and not as MLflow does"),
    "401": (401, "", ConfigurationError, "refuses us"),
    "403": (403, '{"error_code": "PERMISSION_DENIED", "message": "no"}', ConfigurationError, "refuses us"),
    "what it will not do": (
        400,
        '{"error_code": "RESOURCE_ALREADY_EXISTS", "message": "It is there."}',
        Conflict,
        "RESOURCE_ALREADY_EXISTS",
    ),
    "a page instead of an answer": (200, "<html>log in</html>", Unavailable, "not MLflow's"),
    "a list instead of an answer": (200, "[]", Unavailable, "not MLflow's"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"), ANSWERS.values(), ids=ANSWERS.keys()
)
def test_what_it_answers(
    place: Place, status: int, body: str, error: type[IncumbentError], sentence: str
):
    place.says(status, body)
    with pytest.raises(error, match=sentence) as caught:
        MlflowServer(place.address).ask("GET", "model-versions/get", name="x", version="1")
    assert "127.0.0.1" in caught.value.message or error is NotFound


def test_a_slow_server(place: Place):
    release = threading.Event()

    def slow(_: BaseHTTPRequestHandler) -> None:
        release.wait(30)

    place.answer = slow
    try:
        with pytest.raises(Unavailable, match=r"did not answer within 0\.2 seconds"):
            MlflowServer(place.address, timeout=0.2).ask("GET", "x")
    finally:
        release.set()


def test_an_answer_that_breaks_off(place: Place):
    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    place.answer = broken
    with pytest.raises(Unavailable, match="cannot be reached"):
        MlflowServer(place.address).ask("GET", "x")


def test_an_answer_without_end(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("controller.adapters.mlflow.client._LARGEST", 1000)
    place.says(200, "{" + " " * 2000 + "}")
    with pytest.raises(Unavailable, match="more than 1,000 bytes"):
        MlflowServer(place.address).ask("GET", "x")


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"mlflow://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable, match="cannot be reached"):
            MlflowServer(address).ask("GET", "x")


@pytest.mark.parametrize(
    ("token", "header"), [("abc", "Bearer abc"), ("ana:secret", "Basic YW5hOnNlY3JldA==")]
)
def test_how_it_logs_in(place: Place, token: str, header: str):
    place.says(200, "{}")
    MlflowServer(place.address, token).ask("GET", "x")
    assert place.heard == [("GET", "/api/2.0/mlflow/x", header)]


@pytest.mark.parametrize("setting", ["http://x", "mlflow://", "mlflow:x", "mlflow://u:p@x"])
def test_an_address_that_is_none(setting: str):
    with pytest.raises(ConfigurationError) as caught:
        server_url(setting)
    assert "u:p" not in caught.value.sentence()


def test_addresses():
    assert server_url("mlflow://x:5000") == "http://x:5000"
    assert server_url("mlflow+https://x/mlflow/") == "https://x/mlflow"


def test_the_server_that_lost_its_model_between_two_calls(place: Place):
    team = MlflowTeamRegistry(MlflowServer(place.address))
    place.says(404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}')
    assert team.pointed("x", "champion") is None
    assert team.get("x", 1) is None
    with pytest.raises(NotFound):
        team.tag("x", 1, "a", "b")
    with pytest.raises(NotFound):
        team.point("x", "champion", 1)


def test_every_version_of_a_model_is_never_asked_for(place: Place):
    place.says(
        200, '{"model_version": {"version": "1"}, "run": {"info": {}}, "experiment_id": "1"}'
    )
    team = MlflowTeamRegistry(MlflowServer(place.address))
    team.ensure_model("x", "")
    team.pointed("x", "champion")
    team.get("x", 1)
    team.tag("x", 1, "a", "b")
    team.point("x", "champion", 1)
    team.find("x", "a", "b")
    assert not [path for _, path, _ in place.heard if "registered-models/get" in path]
