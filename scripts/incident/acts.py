"""The acts: each looks at what the system told, and does what a person on call would do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.adapters.sources.events import parse_cloud_events, verify_signature
from controller.domain.signals import SignalKind
from scripts.incident.scene import MODEL, SECRET, Scene
from tests.support.collector import Got
from tests.support.house import PASSES, UNDECIDED

HOUR = timedelta(hours=1)
WATCHED = (
    "incumbent_source_up", "incumbent_source_good_age_seconds", "incumbent_drift",
    "incumbent_challengers_waiting", "incumbent_champion_version", "incumbent_champion_age_seconds",
    "incumbent_model_held", "incumbent_decisions_total", "incumbent_signals_waiting",
)  # fmt: skip


@dataclass
class Record:
    """What came of it: answers of commands, figures after each act, and the trace of the promotion."""

    answers: list[tuple[str, str]] = field(default_factory=list)
    figures: list[tuple[str, Mapping[str, float]]] = field(default_factory=list)
    trace: list[Got] = field(default_factory=list)


def play(scene: Scene) -> Record:
    """The whole incident."""
    record = Record()
    for act in (calm, source_dies, drift_rises, somebody_approves, champion_decays, aftermath):
        act(scene, record)
        seen = scene.metrics()
        kept = {name: value for name, value in seen.items() if name.startswith(WATCHED)}
        record.figures.append((str(act.__doc__).strip(), kept))
    return record


def ask(scene: Scene, record: Record, *words: str, **more: Any) -> str:
    """A command and what it answers."""
    said = scene.command(*words, **more)
    record.answers.append((f"$ incumbent {' '.join(words)}", said))
    return said


def calm(scene: Scene, record: Record) -> None:
    """Before the incident: v1 is champion."""
    del record
    scene.figures = PASSES
    scene.arrives("2026-03-02.parquet", 30_000)
    scene.go_on(HOUR)
    assert scene.metrics()[f'incumbent_champion_version{{model="{MODEL}"}}'] == 1


def source_dies(scene: Scene, record: Record) -> None:
    """The data source stops answering."""
    scene.source.broken = "warehouse.example.org does not answer."
    scene.tell("warehouse", "stops answering")
    scene.go_on(2 * HOUR)
    event = pager(scene)[-1]
    assert event["event"] == "source_failed"
    assert scene.metrics()[f'incumbent_source_up{{model="{MODEL}"}}'] == 0
    found = ask(scene, record, "doctor", "--only", "data", code=1)
    assert "warehouse.example.org does not answer" in found
    ask(
        scene, record, "silence", "add", "--model", MODEL, "--event", "source_failed", "--for", "4h",
        "--reason", "the warehouse is being repaired",
    )  # fmt: skip


def drift_rises(scene: Scene, record: Record) -> None:
    """The source is back with different data: drift rises, a challenger is trained and held."""
    scene.source.broken = ""
    scene.drift, scene.figures = 0.31, UNDECIDED
    scene.tell("warehouse", "answers again")
    scene.arrives("2026-03-02-late.parquet", 9_000)
    scene.go_on(2 * HOUR)
    seen = scene.metrics()
    assert seen[f'incumbent_drift{{column="distance",distance="psi",model="{MODEL}"}}'] == 0.31
    assert seen[f'incumbent_challengers_waiting{{model="{MODEL}"}}'] == 1
    assert "a challenger waits" in str(scene.mail.mails[-1]["subject"])
    del record


def somebody_approves(scene: Scene, record: Record) -> None:
    """A reviewer reads the mail, follows its link, and approves."""
    number = scene.decision_of(scene.mail.texts[-1])
    said = ask(scene, record, "explain", str(number))
    assert "v2" in said
    ask(
        scene,
        record,
        "approve",
        MODEL,
        "2",
        "--reason",
        "the routes changed in March",
        "--yes",
        "--wait",
        "0",
    )
    scene.go_on(HOUR)
    assert scene.metrics()[f'incumbent_champion_version{{model="{MODEL}"}}'] == 2
    assert "there is a new champion" in str(scene.mail.mails[-1]["subject"])


def champion_decays(scene: Scene, record: Record) -> None:
    """Labels arrive: the new champion is worse than the previous one, and is rolled back."""
    del record
    scene.tell("serving", "mae of v2 on 4,000 labelled flights: 19.8 (v1: 14.0)")
    scene.house.signal(
        SignalKind.METRIC, "serving:1", metric="mae", value=19.8, n=4_000, std=6.0, reference=14.0,
        version=2, actor="webhook:serving",
    )  # fmt: skip
    scene.go_on(HOUR)
    assert scene.metrics()[f'incumbent_champion_version{{model="{MODEL}"}}'] == 1
    assert scene.metrics()[f'incumbent_model_held{{model="{MODEL}"}}'] == 1
    assert pager(scene)[-1]["event"] == "rolled_back"


def aftermath(scene: Scene, record: Record) -> None:
    """Afterwards: see why, verify the record, release the hold."""
    event = pager(scene)[-1]
    said = ask(scene, record, "explain", str(event["decision"]))
    assert "mae" in said
    ask(scene, record, "verify", "--all")
    ask(scene, record, "notify")
    ask(
        scene,
        record,
        "release",
        MODEL,
        "--reason",
        "understood: two routes were missing",
        "--yes",
        "--wait",
        "0",
    )
    scene.go_on(HOUR)
    record.trace = story(scene)


def pager(scene: Scene) -> list[dict[str, Any]]:
    """What the pager received, each delivery proven by its signature."""
    told: list[dict[str, Any]] = []
    for hit in scene.hook.hits:
        verify_signature(hit.headers, hit.body, [SECRET], datetime.now(UTC))
        (event,) = parse_cloud_events(hit.headers, hit.body)
        told += event.data["notices"]
    return told


def story(scene: Scene) -> list[Got]:
    """The trace of the second promotion, from its signal on, in order."""
    promoted = [s for s in scene.collected.spans if s.name == "decision promote"][-1]
    spans = {s.span: s for s in scene.collected.spans if s.trace == promoted.trace}
    assert any(span.name == "signal approval" for span in spans.values())
    return sorted(spans.values(), key=lambda span: (span.start, span.end))
