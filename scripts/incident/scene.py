"""The scene: the real services on a real database in simulated time, with real receivers of messages and traces.

Two parts are played: the warehouse that brings data, and the worker, whose figures the script gives. Everything that
decides, tells, measures and answers is what an installation runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from controller.adapters.memory import MemoryDataSource
from controller.adapters.notify.load import load_plan
from controller.adapters.prometheus import Exposition
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.adapters.telemetry import OtelTracer, open_tracer
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.rules import SourceKey
from controller.domain.runs import Run, RunKind
from controller.domain.tracing import Span, SpanContext, SpanKind, place_of, read_header
from controller.entrypoints.cli.main import main
from controller.entrypoints.cli.session import CliSession
from controller.ports import Batch
from controller.service.commands.links import MessageLinks
from controller.service.deciding.engine import Engine
from controller.service.explain.tracing import Tracing
from controller.service.loops.loop import Health
from controller.service.loops.relay_outbox import Relay
from controller.service.loops.rescue_runs import Rescuer
from controller.service.messages.deliver import DeliverNotifications, NoticeConfig
from controller.service.observe.observer import Observer, Watching
from controller.service.sources.health import KeptHealth
from controller.service.sources.poll import PollConfig, PollSources
from controller.settings import load_settings
from tests.support.collector import Collected, collecting
from tests.support.command import Desk
from tests.support.house import House
from tests.support.post import Mailbox, Receiver, mailbox, receiving

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MODEL = "flight-delay"
SECRET = "a secret of the incident"  # noqa: S105 - of a receiver that lives as long as the script
PAGE = "https://incumbent.example.org/"
RULES = """\
version: 1
model: flight-delay
owner: arrivals-team
data: {source: "warehouse/flights", time: time_hour, target: arr_delay}
train: {entrypoint: "flights:train"}
triggers:
  - drift: {columns: [distance], metric: psi, above: 0.2, for: 1 batches}
  - new_data: {rows: 20000}
promote:
  - {name: better, metric: mae, better_than: champion, by: 2%}
approval: {when: inconclusive, from: [leads], expires: 3d}
rollback:
  when: [{metric: mae, worse_than: previous, margin: 10%, window: 24h, min_samples: 100}]
  then: hold
notify:
  source_failed: [oncall]
  training: [feed]
  held: [leads, feed]
  promoted: [leads, feed]
  rolled_back: [oncall, leads]
"""


class Timer:
    """The monotonic clock of the services that have one."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Scene:
    """What the acts play with."""

    store: SqlStore
    house: House
    source: MemoryDataSource
    mail: Mailbox
    chat: Receiver
    hook: Receiver
    collected: Collected
    tracer: OtelTracer
    timer: Timer = field(default_factory=Timer)
    line: list[tuple[datetime, str, str]] = field(default_factory=list)
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the next evaluation brings."""
    drift: float = 0.03

    def __post_init__(self) -> None:
        house = self.house
        self.clock = house.clock
        self.tracing = Tracing(self.store, self.clock, self.tracer)
        house.store = self.store  # type: ignore[assignment]  # a real database behind a house that was made for memory
        house.engine = Engine(self.store, self.clock, house.parse, decided=self._decided)
        house.relay = Relay(self.store, house.dispatcher, announce=self.tracing.rung)
        house.rescuer = Rescuer(self.store, self.clock)
        self.app_context = Desk(house=house)
        self.app_context.enforce(RULES)
        config = PollConfig(timer=self.timer)
        self.poll = PollSources(
            self.store, self.clock, house.parse, self._open, KeptHealth(self.store), config
        )
        loops = [Health(name="engine", silent_for=0.1, rounds=1, error="")]
        self.observer = Observer(
            self.store, self.clock, Watching(loops=lambda: loops), fresh=0.0, patience=20.0
        )
        self.exposition = Exposition(self.observer)
        self.posts = self._posts()

    def _posts(self) -> DeliverNotifications:
        plan = load_plan(self.folder / "notify.toml", source=PAGE)
        assert not plan.problems, plan.problems
        links = MessageLinks(key="a key of the incident", page=PAGE)
        config = NoticeConfig(channels=plan.channels, senders=plan.senders)
        return DeliverNotifications(self.store, self.clock, config, links.to)

    @property
    def folder(self) -> Path:
        """Where the script keeps its things."""
        return Path(self.store.place.removeprefix("sqlite:///")).parent

    def _open(self, key: SourceKey) -> MemoryDataSource:
        del key
        return self.source

    def _decided(self, record: DecisionRecord, decision: Decision) -> None:
        self.tracing.decided(record, decision)
        self.tell("decision", f"{record.id} {decision.verdict.value}: {decision.reason}")

    def tell(self, who: str, what: str) -> None:
        """A line of the time line."""
        self.line.append((self.clock.now(), who, what))

    # --- time -----------------------------------------------------------------------------------------------

    def go_on(self, span: timedelta, step: timedelta = timedelta(minutes=5)) -> None:
        """Let time pass, with every loop at its work."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            passed = min(step, end - self.clock.now())
            self.clock.advance(passed)
            self.house.wall.advance(passed)
            self.timer.seconds += passed.total_seconds()
            self.look()

    def look(self) -> None:
        """One round of all loops, and the worker obeys until nothing is left to do."""
        self.poll.run_once()
        self.house.tick()
        while (run := self._claimed()) is not None:
            began = self.clock.now()
            self._obey(run)
            self._tell_run(run, began)
            self.house.tick()
        self._post()

    def _claimed(self) -> Run | None:
        self.headers = {}
        rings = self.house.dispatcher.take()
        for ring in rings:
            with self.store.begin() as tx:
                run = tx.runs.claim(ring.run, ring.fence, worker="w1", lease=timedelta(minutes=1))
            if run is not None:
                self.headers = dict(ring.headers)
                return run
        return None

    def _obey(self, run: Run) -> None:
        self.clock.advance(timedelta(minutes=2))
        self.house.wall.advance(timedelta(minutes=2))
        if run.spec.kind is RunKind.PROFILE:
            self.house.finish(run, columns={"distance": {"psi": self.drift}}, n=30_000)
        elif run.spec.kind is RunKind.TRAIN:
            self.house.trained(run)
        elif run.spec.kind is RunKind.EVALUATE:
            self.house.evaluated(run, self.figures)
        else:
            self.house.finish(run, version=run.spec.version)

    def _tell_run(self, run: Run, began: datetime) -> None:
        parent = read_header(self.headers.get("traceparent"))
        if parent is not None:
            self.tracer.record(_span(run, parent, began, self.clock.now()))

    def _post(self) -> None:
        before = (len(self.mail.mails), len(self.chat.hits), len(self.hook.hits))
        self.posts.run_once()
        for mail in self.mail.mails[before[0] :]:
            self.tell("mail", str(mail["subject"]))
        for hit in self.chat.hits[before[1] :]:
            self.tell("chat", str(hit.json["title"]))
        for hit in self.hook.hits[before[2] :]:
            self.tell("pager", str(hit.json["data"]["subject"]))

    # --- what people do -------------------------------------------------------------------------------------

    def arrives(self, name: str, rows: int) -> None:
        """The warehouse brings a batch."""
        self.source.arrive(
            Batch(uri=f"warehouse/flights/{name}", digest=name, size=rows * 10, rows=rows)
        )
        self.tell("warehouse", f"{name} arrives, {rows:,} rows")

    def command(self, *words: str, actor: str = "ana", code: int = 0) -> str:
        """`incumbent words...`, as a person types it; what it prints."""
        session = CliSession(given=self.store, clock=self.clock)
        session.decides_here = False  # the controller decides, as it does elsewhere
        session.settings = load_settings(actor=actor, groups={"leads": ["ana"]})
        result = CliRunner().invoke(main, list(words), obj=session)
        assert result.exit_code == code, result.output
        self.tell(actor, f"$ incumbent {' '.join(words)}")
        return result.output

    def metrics(self) -> dict[str, float]:
        """What a scrape tells now, by series."""
        text = self.exposition.text().decode()
        rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def decision_of(self, text: str) -> int:
        """The decision that a message links to: the link is opened as the page would open it."""
        links = MessageLinks(key="a key of the incident", page=PAGE)
        found = re.search(r"go\?to=(\S+)", text.replace("=\n", ""))
        assert found, text
        return int(links.read(found[1], self.clock.now()).rpartition("/")[2])


def _span(run: Run, parent: SpanContext, began: datetime, ended: datetime) -> Span:
    return Span(
        name=f"run {run.spec.kind.value}",
        place=place_of(parent.trace, "run", f"{run.id}:{run.fence}"),
        parent=parent,
        start=began,
        end=ended,
        kind=SpanKind.CONSUMER,
        attributes={"incumbent.run": run.id, "incumbent.worker": "w1"},
    )


@contextmanager
def open_scene(folder: Path) -> Iterator[Scene]:
    """A scene in ``folder``, with a mail server, a chat, a pager and a collector that listen on free ports."""
    url = f"sqlite:///{folder / 'incumbent.db'}"
    migrate(url)
    with ExitStack() as stack:
        mail = stack.enter_context(mailbox())
        chat, hook = stack.enter_context(receiving()), stack.enter_context(receiving())
        collected = stack.enter_context(collecting())
        _write_channels(folder, mail, chat, hook)
        house = House()
        house.clock.set(START)
        house.wall.set(START)
        store = SqlStore(url, house.wall)
        stack.callback(store.close)
        tracer = open_tracer(collected.url, "incumbent", at_once=True)
        yield Scene(store, house, MemoryDataSource(), mail, chat, hook, collected, tracer)


def _write_channels(folder: Path, mail: Mailbox, chat: Receiver, hook: Receiver) -> None:
    text = f"""\
allow = ["127.0.0.1"]
[channels.leads]
to = ["{mail.url}"]
group = "1m"
[channels.feed]
to = ["json://127.0.0.1:{chat.port}/services/T0/B0"]
group = "1m"
[channels.oncall]
urgent = ["rolled_back", "source_failed"]
[[channels.oncall.webhooks]]
name = "pager"
url = "{hook.url}/in"
secret = "{SECRET}"
"""
    file = folder / "notify.toml"
    file.write_text(text)
    file.chmod(0o600)
