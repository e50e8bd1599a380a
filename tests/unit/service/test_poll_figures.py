"""Figures from Prometheus: a local server that speaks its API, and what it says when it is not as it should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.adapters.prometheus_query import Prometheus
from controller.domain.errors import Unavailable, UserError
from controller.service.loops.poll_figures import PollFigures
from tests.support.command import POLICY, Desk
from tests.support.house import START
from tests.support.serving import serve

WATCHES = (
    POLICY
    + """\
rollback:
  when:
    - {name: errors, error_rate: 1%, query: "rate", samples: "count", every: 5m}
"""
)


class Server:
    """Answers each query with what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.asked: list[tuple[str, float]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                words = parse_qs(urlsplit(self.path).query)
                query = words["query"][0]
                owner.asked.append((query, float(words["time"][0])))
                status, body = owner.says.get(query, (200, vector([])))
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.stop = serve(self._http)


def vector(values: list[Any]) -> dict[str, Any]:
    found = [{"metric": {}, "value": [0, str(value)]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": found}}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def app_context() -> Desk:
    """Two champions one after the other, and rules that watch the second."""
    app_context = Desk()
    for name in ("jan", "feb"):
        app_context.house.data(30_000, name)
        app_context.house.work()
        app_context.house.clock.advance(timedelta(days=31))
    app_context.enforce(WATCHES)
    return app_context


def test_figures_come_once_each_span_and_roll_back(app_context: Desk, server: Server):
    server.says = {"rate": (200, vector([0.05])), "count": (200, vector([2000]))}
    poll = PollFigures(
        app_context.house.store,
        app_context.house.clock,
        app_context.house.parse,
        Prometheus(server.url),
    )
    assert poll.run_once().signals == 1
    assert poll.run_once().asked == 0
    again = PollFigures(
        app_context.house.store,
        app_context.house.clock,
        app_context.house.parse,
        Prometheus(server.url),
    )
    assert again.run_once().signals == 0, "the key names the moment, also after a restart"
    app_context.house.clock.advance(timedelta(minutes=5))
    assert poll.run_once().signals == 1
    asked = [at for query, at in server.asked if query == "rate"]
    assert all(at % 300 == 0 for at in asked)
    app_context.house.work()
    assert app_context.house.champion == 1
    assert (
        "error_rate beyond 0.01"
        in app_context.json("decisions", "--verdict", "rollback")[0]["reason"]
    )


@pytest.mark.parametrize(
    "answer",
    [vector([]), vector(["NaN"])],
    ids=["no series", "no number"],
)
def test_a_gap_is_a_gap(app_context: Desk, server: Server, answer: Any):
    server.says = {"rate": (200, answer), "count": (200, vector([2000]))}
    poll = PollFigures(
        app_context.house.store,
        app_context.house.clock,
        app_context.house.parse,
        Prometheus(server.url),
    )
    assert (poll.run_once().signals, app_context.house.work()) == (0, [])
    assert app_context.house.champion == 2


WRONG: dict[str, tuple[tuple[int, Any], type[Exception], str]] = {
    "several series": ((200, vector([1, 2])), UserError, "2 series, and a figure is one number"),
    "a query that it refuses": (
        (400, {"status": "error", "errorType": "bad_data", "error": "parse error"}),
        UserError,
        "refuses 'rate': parse error",
    ),
    "something else": ((200, b"<html>"), Unavailable, "not as Prometheus does"),
    "an error of its own": ((503, b"no"), Unavailable, "answered 503"),
}


@pytest.mark.parametrize(("answer", "kind", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_sentence(server: Server, answer: Any, kind: Any, said: str):
    server.says = {"rate": answer}
    with pytest.raises(kind) as found:
        Prometheus(server.url).ask("rate", START)
    assert said in str(found.value)


def test_a_server_that_is_away_is_one_sentence_and_nobody_is_rolled_back(app_context: Desk):
    poll = PollFigures(
        app_context.house.store,
        app_context.house.clock,
        app_context.house.parse,
        Prometheus("http://127.0.0.1:9"),
    )
    report = poll.run_once()
    assert (report.failed, report.signals) == (1, 0)
    assert poll.run_once().failed == 1, "it is asked again"
    assert app_context.house.champion == 2
