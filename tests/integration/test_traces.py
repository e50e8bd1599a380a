"""One promotion as one trace: API, controller and worker are processes of their own, the collector is real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.adapters import telemetry
from controller.adapters.telemetry import open_tracer
from controller.domain.errors import ConfigurationError
from controller.domain.tracing import Span, SpanContext, place_of, read_header
from controller.service.explain.tracing import Tracing
from tests.support.collector import Collected, collecting
from tests.support.house import UNDECIDED, House
from tests.support.makers import AT
from tests.support.postgres import free_port
from tests.support.tiny import deliver, lay_out
from tests.support.waiting import until

SENDER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@contextmanager
def process(folder: Path, environment: dict[str, str], *words: str) -> Iterator[None]:
    with (folder / f"{words[0]}.log").open("wb") as log:
        child = subprocess.Popen(
            [Path(sys.executable).parent / "incumbent", *words],
            env=environment, cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    finally:
        child.terminate()
        child.wait(30)


def send(port: int) -> bool:
    """Put the signal into the inbox; False while nobody answers, or nobody knows the model yet."""
    event = {
        "specversion": "1.0", "id": "e1", "source": "/labels", "type": "com.example.labels.ready",
        "subject": "tiny",
    }  # fmt: skip
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/events",
        json.dumps(event).encode(),
        {"content-type": "application/cloudevents+json", "traceparent": SENDER},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 202)
    except OSError:
        return False


@pytest.mark.long
def test_one_promotion_is_one_trace_through_three_processes(tmp_path: Path):
    lay_out(tmp_path, "webhook: {type: com.example.labels.ready}")
    deliver(tmp_path, "new.parquet", slope=2)
    port = free_port()
    with collecting() as collected, ExitStack() as stack:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("INCUMBENT_")},
            "INCUMBENT_HOME": str(tmp_path / "home"),
            "INCUMBENT_CODE": str(tmp_path),
            "INCUMBENT_TRACES_URL": collected.url,
            "INCUMBENT_LOGIN": "none",
            "INCUMBENT_LOG_LEVEL": "INFO",
            "INCUMBENT_LOG_FORMAT": "json",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        for words in (("controller",), ("worker",), ("api", "--port", str(port))):
            stack.enter_context(process(tmp_path, environment, *words))
        for condition in (
            lambda: send(port),
            lambda: collected.named("decision promote"),
            lambda: len(collected.named("run evaluate")) == 1,
        ):
            until(condition, 120, words=lambda: said(tmp_path), pause=0.1)
        check(collected)
        logs(tmp_path)


def said(folder: Path) -> str:
    return "\n".join(file.read_text()[-2000:] for file in folder.glob("*.log"))


def check(collected: Collected) -> None:
    promoted = collected.named("decision promote")[0]
    story = {span.span: span for span in collected.spans if span.trace == promoted.trace}
    way = [promoted]
    while way[-1].parent:
        way.append(story[way[-1].parent])
    assert [(span.name, span.service) for span in reversed(way)] == [
        ("signal webhook", "incumbent-controller"),
        ("decision train", "incumbent-controller"),
        ("ring default", "incumbent-controller"),
        ("run train", "incumbent-worker"),
        ("signal run_finished", "incumbent-controller"),
        ("decision none", "incumbent-controller"),
        ("ring default", "incumbent-controller"),
        ("run evaluate", "incumbent-worker"),
        ("signal run_finished", "incumbent-controller"),
        ("decision promote", "incumbent-controller"),
    ]
    assert promoted.attributes["incumbent.champion.after"] == 1
    (came,) = [span for span in story.values() if span.service == "incumbent-api"]
    assert (came.name, came.parent) == ("POST /v1/events", way[-1].span)
    assert came.links == (SENDER.split("-")[1],)
    assert all(span.parent in story or span is way[-1] for span in story.values())


def logs(folder: Path) -> None:
    """The lines of log beside it are JSON with action, model and decision or run."""
    lines = [
        json.loads(line)
        for line in (folder / "controller.log").read_text().splitlines()
        if line[:1] == "{"
    ]
    promoted = next(line for line in lines if line.get("action") == "promote")
    assert (promoted["model"], promoted["level"]) == ("tiny", "INFO")
    assert isinstance(promoted["decision"], int)
    worker = [
        json.loads(line)
        for line in (folder / "worker.log").read_text().splitlines()
        if line[:1] == "{"
    ]
    assert {"run_done"} <= {line.get("action") for line in worker}


# --- the parts ------------------------------------------------------------------------------------------------


class Kept:
    """Keeps the spans that it is told."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def record(self, span: Span) -> None:
        self.spans.append(span)

    def flush(self) -> None:
        pass


def test_an_approval_belongs_to_the_story_of_its_challenger():
    house, kept = House(), Kept()
    tracing = Tracing(house.store, house.clock, kept)
    hear = house.engine._decided

    def both(record: Any, decision: Any) -> None:
        assert hear is not None
        hear(record, decision)
        tracing.decided(record, decision)

    house.engine._decided = both
    house.relay._announce = tracing.rung
    house.data(30_000, "jan")
    house.work()
    house.clock.advance(timedelta(days=31))
    first = {span.place.trace for span in kept.spans}
    assert len(first) == 1
    house.data(30_000, "feb")
    house.work(UNDECIDED)
    (held,) = [span for span in kept.spans if span.name == "decision hold"]
    assert held.place.trace not in first
    assert held.attributes["incumbent.model"] == house.rules.model
    rings = [ring.headers["traceparent"] for ring in house.dispatcher.take()]
    assert rings == []
    assert {span.place.trace for span in kept.spans} == first | {held.place.trace}
    places = [span.place for span in kept.spans]
    assert len(places) == len(set(places))


def test_what_is_told_twice_is_one_span_and_a_collector_that_is_away_harms_nobody(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(telemetry, "_PATIENCE", 0.5)
    place = place_of("a" * 32, "run", "m.r1:1")
    span = Span(name="run train", place=place, parent=None, start=AT, end=AT, error="no rows")
    with collecting() as collected:
        tracer = open_tracer(collected.url, "test", at_once=True)
        tracer.record(span)
        tracer.record(span)
        assert len({(got.trace, got.span) for got in collected.spans}) == 1
        assert collected.spans[0].error == "no rows"
        assert (collected.spans[0].trace, collected.spans[0].parent) == ("a" * 32, "")
    tracer.record(span)
    tracer.flush()


@pytest.mark.parametrize("url", ["collector:4318", "127.0.0.1:4318", "ftp://collector", "http://"])
def test_a_url_without_scheme_or_host_is_one_sentence(url: str):
    with pytest.raises(ConfigurationError, match="without http:// or https://"):
        open_tracer(url, "test")


@pytest.mark.parametrize(
    "header", [None, "", "00-0-0-0", SENDER.replace("4bf9", "xxxx"), f"00-{'0' * 32}-{'1' * 16}-01"]
)
def test_what_is_no_traceparent_is_ignored(header: str | None):
    assert read_header(header) is None


def test_a_header_is_read_as_it_is_written():
    place = SpanContext(trace="a" * 32, span="b" * 16)
    assert read_header(place.header) == place
