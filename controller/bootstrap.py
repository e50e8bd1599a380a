"""The one place that chooses adapters: from the settings to a store, a broker, and the loops of a controller."""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from controller import __version__
from controller.adapters.clock_file import keep_jump, last_jump
from controller.adapters.memory.clock import SystemClock
from controller.domain.canonical import digest
from controller.domain.errors import Conflict, NotFound
from controller.domain.marks import UNSIGNED, SigningKeys
from controller.domain.rules import Policy, SourceKey
from controller.home import mode_like
from controller.ports import (
    ArtifactStore,
    Clock,
    ControllerRow,
    DataSource,
    Dispatcher,
    RevisionSource,
    RuleSource,
    Store,
)
from controller.ports.publication import TeamRegistry
from controller.service.commands.links import MessageLinks
from controller.service.deciding.backpressure import OUTBOX
from controller.service.deciding.engine import Decided, Engine, EngineConfig
from controller.service.explain.tracing import Tracing
from controller.service.loops.clock_jumps import NoteClockJumps
from controller.service.loops.fire_schedules import FireSchedules
from controller.service.loops.leadership import STAND_BY, Leadership, LeadershipConfig, LedStore
from controller.service.loops.loop import Loop, Loops
from controller.service.loops.readiness import Watched, conditions
from controller.service.loops.relay_outbox import Relay, RelayConfig
from controller.service.loops.rescue_runs import RescueConfig, Rescuer
from controller.service.messages.deliver import DeliverNotifications, NoticeConfig
from controller.service.observe.observer import Observer, Watching
from controller.service.registry.mlflow.package import Packer
from controller.service.registry.mlflow.publish import PublishConfig, Publisher
from controller.service.rules.sync import SyncRules
from controller.service.sources.health import KeptHealth
from controller.service.sources.looks import OpenSource
from controller.service.sources.poll import PollConfig, PollSources
from controller.service.sources.watch import WatchSources
from controller.settings import Settings, load_settings

if TYPE_CHECKING:
    from controller.adapters.git.rules import GitRules
    from controller.adapters.git.settings import ReviewSettings
    from controller.adapters.mlflow.client import MlflowServer
    from controller.adapters.notify.load import NotifyPlan

ENGINE = "engine"
log = logging.getLogger(__name__)


def parse_rules(text: str, path: str) -> Policy:
    """A policy's text as rules."""
    from controller.rulefmt import load_policy

    return load_policy(text, path)


def open_store(settings: Settings | None = None, *, create: bool = False) -> Store:
    """The database that the settings name.

    With ``create`` its folder is made and its tables are brought up to date; without, NotFound if it is an SQLite
    file that does not exist, so that a reading command never leaves an empty database behind.
    """
    from controller.adapters.sql.schema import migrate
    from controller.adapters.sql.store import SqlStore

    settings = settings or load_settings()
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        if not create:
            raise NotFound(
                f"There is no database at {file}.",
                hint="Start with `incumbent up`, or name another folder in INCUMBENT_HOME.",
            )
        file.parent.mkdir(parents=True, exist_ok=True)
    migrate(settings.database)
    return SqlStore(settings.database, SystemClock(), signing_keys(settings))


def sqlite_file(settings: Settings) -> Path | None:
    """The file of an SQLite database, None for a server."""
    scheme, _, rest = settings.database.partition("://")
    if not scheme.startswith("sqlite"):
        return None
    return Path(rest.removeprefix("/")) if rest.startswith("/") else Path(rest)


def artifact_store_of(settings: Settings) -> ArtifactStore:
    """Where models and predictions are kept."""
    from controller.adapters.artifacts import open_artifacts as opened

    return opened(settings.artifacts)


def signing_keys(settings: Settings) -> SigningKeys | None:
    """The keys that mark what people say: the operator's, or on SQLite one made once beside the database."""
    if settings.signing_key is not None:
        return SigningKeys(settings.signing_key.get_secret_value().split())
    file = sqlite_file(settings)
    if file is None:
        return None
    key = file.parent / "signing.key"
    if not key.exists() and not os.access(file.parent, os.W_OK):
        return None  # nobody can write to the database either
    return SigningKeys([_made_once(key)])


def page_key(settings: Settings) -> str:
    """The key that signs sessions and links: the operator's, or one made once that its owner alone can read."""
    if settings.page_key is not None:
        return settings.page_key.get_secret_value()
    return _made_once(settings.home / "page.key")


def _made_once(file: Path) -> str:
    """The secret in the file, which is made where there is none: whole at once, and readable by its owner alone."""
    with suppress(FileNotFoundError):
        return file.read_text(encoding="ascii")
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, mine = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            file.hardlink_to(mine)  # another process may have been first
    finally:
        Path(mine).unlink()
    return file.read_text(encoding="ascii")


def message_links(settings: Settings) -> MessageLinks:
    """What makes the links of messages, and checks them where the page is served."""
    return MessageLinks(key=page_key(settings), page=settings.page)


def notify_plan(settings: Settings) -> NotifyPlan:
    """Where channels lead; ConfigurationError if the file cannot be read."""
    from controller.adapters.notify.load import load_plan

    return load_plan(settings.notify, source=settings.page)


def build_notifications(settings: Settings, store: Store, clock: Clock) -> DeliverNotifications:
    """Who brings messages to people. A mistake in one channel is logged and stops no other."""
    plan = notify_plan(settings)
    for problem in plan.problems:
        log.error("%s", problem, extra={"action": "notify_settings"})
    config = NoticeConfig(channels=plan.channels, senders=plan.senders, owner=owner())
    return DeliverNotifications(store, clock, config, message_links(settings).to)


def open_dispatcher(settings: Settings) -> Dispatcher:
    """Who rings for workers."""
    from controller.adapters.celery.broker import embedded_url
    from controller.adapters.celery.dispatcher import CeleryDispatcher

    return CeleryDispatcher(settings.broker or embedded_url(settings.home))


@contextmanager
def broker(settings: Settings) -> Iterator[str]:
    """The broker's URL; the embedded one lives as long as the block, unless another process of the home runs it."""
    if settings.broker is not None:
        yield settings.broker
        return
    from controller.adapters.celery.broker import EmbeddedBroker

    with EmbeddedBroker(settings.home) as embedded:
        yield embedded.url


_TOKEN = secrets.token_hex(4)


def owner() -> str:
    """How this process signs leases. Host and pid alone are not enough: in containers each pid is 1."""
    return f"{socket.gethostname()}:{os.getpid()}:{_TOKEN}"


def build_engine(
    store: Store, clock: Clock, decided: Decided | None = None, outbox: int = OUTBOX
) -> Engine:
    """The engine over a store."""
    return Engine(store, clock, parse_rules, EngineConfig(owner=owner(), outbox=outbox), decided)


@contextmanager
def only_controller(settings: Settings) -> Iterator[None]:
    """On SQLite one controller at a time: Conflict if another one runs. A server's leases settle it there."""
    file = sqlite_file(settings)
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _ENDING
    while (lock := _lock(file)) is None and time.monotonic() < deadline:
        time.sleep(0.02)  # a command that asks whether a controller runs holds it for a moment
    if lock is None:
        raise Conflict(
            f"Another controller{_who_holds(file)} already runs on {file}.",
            hint="SQLite takes one; end the other, or use PostgreSQL for several.",
        )
    with lock:
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _who_holds(file: Path) -> str:
    """The process that holds the lock, as far as it has said so."""
    try:
        pid = int(_lock_file(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return f" (process {pid})"


def _lock_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.controller")


def controller_is_away(settings: Settings | None = None) -> bool:
    """Whether nobody decides on this embedded database now, so that a command may tick once in its own process."""
    file = sqlite_file(settings or load_settings())
    if file is None:
        return False
    lock = _lock(file)
    if lock is None:
        return False
    lock.close()
    return True


def _as_private_as(folder: Path) -> Callable[[str, int], int]:
    """Opens a file that a command may be the first to make in the home, whatever its umask is."""
    return lambda name, flags: os.open(name, flags, mode_like(folder))


def _lock(file: Path) -> IO[str] | None:
    """The lock beside the database; the system frees it however its holder ends."""
    place = _lock_file(file)
    held = open(place, "a+", opener=_as_private_as(place.parent))  # noqa: SIM115 - pathlib has no opener
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        return None
    return held


def review_settings(settings: Settings) -> ReviewSettings | None:
    """Who reviews rules and where; None if they act unreviewed."""
    if settings.review is None:
        return None
    from controller.adapters.git.load_settings import load_review_settings

    cache = settings.home.resolve() / "rules.git"
    return load_review_settings(settings.review, cache=cache, remote=settings.rules)


def rule_source(settings: Settings, store: Store, clock: Clock) -> RuleSource:
    """Where rules come from: a folder, or a repository whose reviews are proven."""
    review = review_settings(settings)
    if review is None:
        from controller.adapters.rules_folder import RulesFolder

        return RulesFolder(Path(settings.rules))
    return git_rules(review, store, clock)


def revision_source(settings: Settings) -> RevisionSource:
    """Any revision of the repository that the rules come from: to look at, not to act by."""
    from controller.adapters.git.revisions import FolderRevisions, RemoteRevisions

    review = review_settings(settings)
    return RemoteRevisions(review) if review is not None else FolderRevisions(Path(settings.rules))


def git_rules(review: ReviewSettings, store: Store, clock: Clock) -> GitRules:
    """The followed repository, with `check` and `test` before anything acts."""
    from controller.adapters.git.rules import GitRules
    from controller.adapters.memory.store import MemoryStore
    from controller.service.replay.check_revision import check_revision

    return GitRules(review, store, clock, lambda files: check_revision(files, MemoryStore))


def source_of_policy(settings: Settings) -> OpenSource:
    """From an address to where data arrive; relative paths start at the folder that holds the code."""
    from controller.adapters.sources.open import open_source

    places = tuple(filter(None, map(str.strip, settings.source_places.split(","))))

    def opened(key: SourceKey) -> DataSource:
        # Models that read the same rows share their files.
        name = digest(asdict(key))[:16]
        spool = settings.home.resolve() / "spool" / name
        return open_source(key, base=settings.code.resolve(), spool=spool, places=places)

    return opened


class Controller:
    """The loops of a controller process and the watcher that wakes them.

    ``leadership`` is None on an embedded database, where a lock on the file keeps every other controller out.
    """

    def __init__(
        self, loops: Loops, watching: WatchSources, leadership: Leadership | None = None
    ) -> None:
        self.loops = loops
        self.leadership = leadership
        self._watching = watching

    def start(self) -> None:
        """Begin to tick and to watch, as the leader if nobody leads."""
        if self.leadership is not None:
            self.leadership.run_once()
        self.loops.start()
        self._watching.start()

    def stop(self) -> None:
        """End both; what is under way in the database has been committed or never was.

        The lead is given up before long rounds (a slow source) have ended: what they would write is fenced.
        """
        self.loops.stop(_ENDING)
        if self.leadership is not None:
            self.leadership.resign()
        self._watching.stop()
        self.loops.stop()


_ENDING = 0.5
"""Seconds that rounds have to end before the lead is given up regardless."""


def _figures(settings: Settings, store: Store, clock: Clock) -> list[Loop]:
    """The loop that asks Prometheus, where the settings name one."""
    if settings.prometheus_url is None:
        return []
    from controller.adapters.prometheus_query import Prometheus
    from controller.service.loops.poll_figures import PollFigures

    secret = settings.prometheus_token
    token = secret.get_secret_value() if secret is not None else None
    figures = PollFigures(store, clock, parse_rules, Prometheus(settings.prometheus_url, token))
    return [
        Loop(
            name="figures",
            every=5.0,
            run_once=lambda: figures.run_once().signals,
            wakes=("engine",),
        )
    ]


def build_controller(
    settings: Settings, store: Store, dispatcher: Dispatcher, clock: Clock | None = None
) -> Controller:
    """All services of a controller on their beats."""
    from controller.adapters.sources.watch import Watcher

    clock = clock or SystemClock()
    if settings.signing_key is None and sqlite_file(settings) is None:
        log.warning("%s; set INCUMBENT_SIGNING_KEY", UNSIGNED, extra={"action": "unsigned"})
    leadership = None if sqlite_file(settings) else _leadership(settings, store)
    if leadership is not None:
        store = LedStore(store, leadership)
    tracing = build_tracing(settings, store, "incumbent-controller")
    decided = tracing.decided if tracing else None
    engine = build_engine(store, clock, decided, outbox=settings.outbox)
    relay = Relay(
        store,
        dispatcher,
        RelayConfig(resend=timedelta(seconds=settings.resend)),
        tracing.rung if tracing else None,
    )
    rescuer = Rescuer(store, clock, RescueConfig(lease=settings.lease))
    jumps = NoteClockJumps(store, partial(keep_jump, settings.home))
    rules = SyncRules(store, clock, rule_source(settings, store, clock), parse_rules)
    notices = build_notifications(settings, store, clock)
    schedules = FireSchedules(store, clock, parse_rules, settings.inbox)
    sources = PollSources(
        store,
        clock,
        parse_rules,
        source_of_policy(settings),
        KeptHealth(store),
        PollConfig(inbox=settings.inbox),
    )
    publishing = _publishing(settings, store, clock)
    figures = _figures(settings, store, clock)
    loops = _on_their_beats(
        [
            *figures,
            Loop(
                name="rules",
                every=settings.sync,
                run_once=lambda: rules.run_once().changes,
                wakes=("sources", "schedules", "engine"),
            ),
            Loop(
                name="sources",
                every=min(settings.poll, 1.0),
                run_once=lambda: sources.run_once().signals,
                wakes=("engine",),
                has_more=lambda: sources.has_more,
            ),
            Loop(
                name="schedules",
                every=1.0,
                run_once=lambda: schedules.run_once().fired,
                wakes=("engine",),
            ),
            Loop(
                name="engine",
                every=settings.tick,
                run_once=lambda: engine.run_once().decisions,
                wakes=("relay", "notify", *(loop.name for loop in publishing)),
            ),
            Loop(name="relay", every=1.0, run_once=lambda: relay.run_once().rung),
            Loop(name="notify", every=1.0, run_once=lambda: notices.run_once().gathered),
            Loop(name="clock", every=2.0, run_once=jumps.run_once),
            Loop(
                name="rescue",
                every=min(settings.lease / 4, 5.0),
                run_once=lambda: rescuer.run_once().requeued,
                wakes=("relay", "engine"),
            ),
            *publishing,
        ],
        leadership,
    )
    sources.wake = lambda: loops.wake("sources")
    watching = WatchSources(sources, Watcher, lambda: loops.wake("sources"))
    return Controller(loops, watching, leadership)


def open_mlflow(settings: Settings, place: str) -> MlflowServer:
    """The MLflow server at ``place``, with the token of the settings."""
    from controller.adapters.mlflow.client import MlflowServer

    token = settings.registry_token
    secret = None if token is None else token.get_secret_value()
    return MlflowServer(place, secret, settings.registry_timeout)


def open_team_registry(settings: Settings, place: str) -> TeamRegistry:
    """The models of the MLflow server at ``place``."""
    from controller.adapters.mlflow.registry import MlflowTeamRegistry

    return MlflowTeamRegistry(open_mlflow(settings, place))


def build_packer(settings: Settings) -> Packer:
    """What packs a version for another registry."""
    page = (settings.page_url or f"http://{settings.host}:{settings.port}").rstrip("/") + "/"
    return Packer(artifact_store_of(settings), settings.home.resolve() / "spool" / "registry", page)


def build_publisher(settings: Settings, store: Store, clock: Clock) -> Publisher | None:
    """What publishes governed versions to the team's registry; None if there is none."""
    if settings.registry is None:
        return None
    team = open_team_registry(settings, settings.registry)
    watch = timedelta(seconds=settings.registry_watch)
    config = PublishConfig(
        owner=owner(),
        settle=settings.registry_drift,
        may_adopt=settings.registry_adopt,
        watch=watch,
    )
    return Publisher(store, team, clock, config, build_packer(settings))


def _publishing(settings: Settings, store: Store, clock: Clock) -> list[Loop]:
    publisher = build_publisher(settings, store, clock)
    if publisher is None:
        return []

    def run_once() -> int:
        report = publisher.run_once()
        return report.published + report.told

    return [
        Loop(
            name="registry",
            every=min(settings.registry_watch, 1.0),
            run_once=run_once,
            wakes=("engine",),
        )
    ]


def watched(settings: Settings, store: Store, controller: Controller | None = None) -> Watched:
    """What this process depends on, for :func:`controller.service.loops.readiness.conditions`."""
    folders = [settings.home.resolve()]
    if "://" not in settings.artifacts:
        folders.append(Path(settings.artifacts))
    return Watched(
        store=store,
        folders=folders,
        loops=controller.loops.health if controller is not None else None,
        shared=sqlite_file(settings) is None,
        jump=lambda: last_jump(settings.home),
        inbox=settings.inbox,
        outbox=settings.outbox,
    )


def build_tracing(settings: Settings, store: Store, service: str) -> Tracing | None:
    """Who tells traces; None where nobody hears them. ``service`` names this process."""
    if settings.traces_url is None:
        return None
    from controller.adapters.telemetry import open_tracer

    tracer = open_tracer(settings.traces_url, service)
    atexit.register(tracer.flush)
    return Tracing(store, SystemClock(), tracer)


def build_observer(
    settings: Settings, store: Store, controller: Controller | None = None
) -> Observer:
    """What tells of this process and of the system, for `/readyz` and `/metrics`."""
    held = watched(settings, store, controller)
    if settings.isolation == "owner":  # whoever asks is not known
        held = replace(held, names=False)
    leadership = controller.leadership if controller is not None else None
    watching = Watching(
        conditions=lambda: conditions(held),
        loops=controller.loops.health if controller is not None else None,
        leads=(lambda: leadership.leads) if leadership is not None else None,
    )
    return Observer(store, SystemClock(), watching)


def _leadership(settings: Settings, store: Store) -> Leadership:
    me = ControllerRow(
        owner=owner(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=__version__,
        started_at=datetime.now(UTC),
    )
    return Leadership(store, me, LeadershipConfig(ttl=timedelta(seconds=settings.lead)))


def _on_their_beats(loops: list[Loop], leadership: Leadership | None) -> Loops:
    """The loops of a controller that leads as long as it runs, or as long as it holds the lead."""
    if leadership is None:
        return Loops(loops)
    lead = Loop(
        name="leadership",
        every=STAND_BY,
        run_once=leadership.run_once,
        wakes=tuple(loop.name for loop in loops),
    )
    return Loops([lead, *(_only_while(leadership, loop) for loop in loops)])


def _only_while(leadership: Leadership, loop: Loop) -> Loop:
    return replace(
        loop,
        run_once=lambda: loop.run_once() if leadership.leads else 0,
        has_more=lambda: leadership.leads and loop.has_more(),
    )
