"""Faults planted into a sound installation: `doctor` finds each by name, and what it advises mends it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from controller import __version__
from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import HEAD
from controller.adapters.sql.store import SqlStore
from controller.bootstrap import artifact_store_of, build_engine, only_controller, open_store
from controller.domain.decisions import RegisterVersion, RulesRef, StartRun
from controller.entrypoints.cli.main import main
from controller.home import prepare_home
from controller.ports import (
    ActiveRules,
    Delivery,
    DeliveryState,
    SourceState,
    Store,
    WorkerRow,
)
from controller.rulefmt import blob_id
from controller.settings import load_settings
from tests.support.makers import decide, new_decision, new_signal, seat, spec
from tests.support.postgres import free_port

MODEL = "flight-delay"
RULES = """\
version: 1
model: flight-delay
owner: arrivals-team
data: {source: "data/*.parquet", time: time_hour, target: arr_delay}
train: {entrypoint: "flights:train"}
triggers:
  - new_data: {rows: 20000}
promote:
  - {name: better, metric: mae, better_than: champion}
"""


@dataclass
class Site:
    """A sound installation: settings in the environment and a file, a database, a worker, a policy, its code."""

    folder: Path
    patch: pytest.MonkeyPatch
    stack: ExitStack
    template: Path
    kept: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.patch.chdir(self.folder)
        self.env("HOME", str(self.folder / "home"))
        self.env("BROKER_URL", "memory://")
        self.env("CODE", str(self.folder / "code"))
        (self.folder / "code").mkdir()
        (self.folder / "code" / "flights.py").write_text("def train(run): ...\n")
        (self.folder / "home").mkdir()
        shutil.copyfile(self.template, self.folder / "home" / "incumbent.db")
        self.store: Store = open_store(load_settings(), create=True)
        self.stack.callback(self.store.close)
        self.enforce(RULES)
        self.worker()
        self.lead()

    def env(self, name: str, value: str | None) -> None:
        if value is None:
            self.patch.delenv(f"INCUMBENT_{name}", raising=False)
        else:
            self.patch.setenv(f"INCUMBENT_{name}", value)

    def file(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def enforce(self, text: str, refused: str = "") -> None:
        ref = RulesRef(path=f"rules/{MODEL}.yaml", blob=blob_id(text.encode()))
        rules = ActiveRules(
            model=MODEL, ref=ref, text=text, activated_at=datetime.now(UTC), refused=refused
        )
        with self.store.begin() as tx:
            tx.rules.activate(rules)
            if refused:
                tx.rules.refuse(MODEL, refused)

    def worker(self, **changes: Any) -> None:
        values: dict[str, Any] = {
            "name": "w1", "host": socket.gethostname(), "pid": 1, "version": __version__,
            "queues": ("default",), "concurrency": 1, "started_at": datetime.now(UTC),
        }  # fmt: skip
        with self.store.begin() as tx:
            tx.workers.beat(WorkerRow(**(values | changes)))

    def lead(self) -> None:
        self.kept["lead"] = only_controller(load_settings())
        self.kept["lead"].__enter__()

    def resign(self) -> None:
        lead = self.kept.pop("lead", None)
        if lead is not None:
            lead.__exit__(None, None, None)

    def sql(self, statement: str) -> None:
        assert isinstance(self.store, SqlStore)
        with self.store._engines.writer.begin() as connection:
            connection.exec_driver_sql(statement)

    def doctor(self) -> tuple[int, dict[str, str]]:
        """The exit code, and what is wrong: name and words of each finding."""
        result = CliRunner().invoke(main, ["doctor", "--json"])
        found = json.loads(result.stdout)
        wrong = {c["name"]: f"{c['sentence']} {c['hint']}" for c in found["checks"] if not c["ok"]}
        return result.exit_code, wrong


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        site = Site(tmp_path, monkeypatch, stack, sqlite_template)
        yield site
        site.resign()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``name`` is the finding's; ``said`` stands in its words; ``mend`` is what the words advise."""

    plant: Callable[[Site], Any]
    name: str
    said: str
    mend: Callable[[Site], Any]


MODEL_FILE = b"a model"


def champion(site: Site) -> None:
    """A champion whose artifact is gone."""
    action = RegisterVersion(
        version=1,
        run=f"{MODEL}.r1",
        digest=hashlib.sha256(MODEL_FILE).hexdigest(),
        recipe="gbm",
        size=7,
    )
    with site.store.begin() as tx:
        number = decide(tx, MODEL)
        tx.registry.register(MODEL, action, decision=number, at=datetime.now(UTC))
        seat(tx, 1, model=MODEL, decision=number)


def restored(site: Site) -> None:
    """The artifact comes back from a backup."""
    artifact_store_of(load_settings()).put_bytes(MODEL_FILE)


def waiting_run(site: Site) -> None:
    with site.store.begin() as tx:
        order = StartRun(run=f"{MODEL}.r1", number=1, spec=spec(model=MODEL))
        tx.runs.order(
            MODEL, order, decision=decide(tx, MODEL), at=datetime.now(UTC) - timedelta(hours=1)
        )


def claimed(site: Site) -> None:
    with site.store.begin() as tx:
        assert tx.runs.claim(f"{MODEL}.r1", 0, worker="w1", lease=timedelta(minutes=1))


def old_signal(site: Site) -> None:
    with site.store.begin() as tx:
        tx.signals.append([new_signal(model=MODEL)], datetime.now(UTC) - timedelta(hours=1))


def decided(site: Site) -> None:
    """A controller runs again."""
    assert build_engine(site.store, SystemClock()).run_once().decisions
    with site.store.begin() as tx:
        if tx.runs.get(f"{MODEL}.r1"):
            tx.runs.claim(f"{MODEL}.r1", 0, worker="w1", lease=timedelta(minutes=1))


def ahead(site: Site) -> None:
    with site.store.begin() as tx:
        later = datetime.now(UTC) + timedelta(hours=2)
        tx.decisions.record(replace(new_decision(MODEL), decided_at=later))


def caught_up(site: Site) -> None:
    """The clock is set right: a decision of the present is the newest."""
    with site.store.begin() as tx:
        tx.decisions.record(replace(new_decision(MODEL), decided_at=datetime.now(UTC)))


def source(site: Site, error: str) -> None:
    now = datetime.now(UTC)
    with site.store.begin() as tx:
        tx.sources.note([SourceState(model=MODEL, source="data/*.parquet", checked_at=now, good_at=now,
                        error=error, failures=3 if error else 0)])  # fmt: skip


def told(site: Site, state: DeliveryState, error: str) -> None:
    now = datetime.now(UTC)
    kept = site.kept.get("delivery")
    row = kept or Delivery(
        channel="leads",
        address="mail 1",
        lane="",
        state=state,
        created_at=now,
        due_at=now,
        attempts=3,
    )
    with site.store.begin() as tx:
        site.kept["delivery"] = tx.deliveries.put(replace(row, state=state, last_error=error))


NOTIFY = '[channels.oncall]\nto = ["env:MAIL"]\n'


def channels(site: Site, text: str, page: str | None = "https://incumbent.example.org") -> None:
    site.env("NOTIFY", str(site.file("notify.toml", text)))
    site.patch.setenv("MAIL", "json://example.org")
    site.env("PAGE_URL", page)


FAULTS: dict[str, Fault] = {
    "unknown key": Fault(
        plant=lambda s: s.file("incumbent.toml", "tik = 0.5\n"),
        name="settings", said="Did you mean tick?",
        mend=lambda s: s.file("incumbent.toml", "tick = 0.5\n"),
    ),
    "unreadable secret": Fault(
        plant=lambda s: s.env("WEBHOOK_SECRET_FILE", str(s.folder / "none")),
        name="settings", said="which cannot be read: No such file or directory",
        mend=lambda s: s.file("none", "geheim"),
    ),
    "database without scheme": Fault(
        plant=lambda s: s.env("DATABASE_URL", "db.example.org/incumbent"),
        name="database", said="is no URL. Write sqlite:///",
        mend=lambda s: s.env("DATABASE_URL", f"sqlite:///{s.folder / 'home' / 'incumbent.db'}"),
    ),
    "database that does not answer": Fault(
        plant=lambda s: s.env("DATABASE_URL", f"postgresql://u:geheim@127.0.0.1:{free_port()}/x"),
        name="database", said="does not answer",
        mend=lambda s: s.env("DATABASE_URL", None),
    ),
    "no database yet": Fault(
        plant=lambda s: s.env("DATABASE_URL", f"sqlite:///{s.folder}/other.db"),
        name="database", said="There is no database at",
        mend=lambda s: s.env("DATABASE_URL", None),
    ),
    "database of a newer version": Fault(
        plant=lambda s: s.sql("UPDATE alembic_version SET version_num = '9999'"),
        name="database", said="was written by a newer version",
        mend=lambda s: s.sql(f"UPDATE alembic_version SET version_num = '{HEAD}'"),
    ),
    "no controller": Fault(
        plant=lambda s: s.resign(), name="controller", said="Start it with `incumbent up`",
        mend=lambda s: s.lead(),
    ),
    "broker without scheme": Fault(
        plant=lambda s: s.env("BROKER_URL", "redis.example.org:6379"),
        name="broker", said="has no scheme. Write redis://",
        mend=lambda s: s.env("BROKER_URL", "memory://"),
    ),
    "broker of another kind": Fault(
        plant=lambda s: s.env("BROKER_URL", "kafka://example.org"),
        name="broker", said="of the kind kafka is not supported",
        mend=lambda s: s.env("BROKER_URL", "memory://"),
    ),
    "broker that does not answer": Fault(
        plant=lambda s: s.env("BROKER_URL", f"redis://127.0.0.1:{free_port()}/0"),
        name="broker", said="does not answer",
        mend=lambda s: s.env("BROKER_URL", "memory://"),
    ),
    "no worker": Fault(
        plant=lambda s: s.sql("DELETE FROM workers"), name="worker", said="incumbent worker",
        mend=lambda s: s.worker(),
    ),
    "a queue that nobody serves": Fault(
        plant=lambda s: s.enforce(RULES.replace('"flights:train"}', '"flights:train", queue: gpu}')),
        name="queue gpu", said="incumbent worker --queues gpu",
        mend=lambda s: s.worker(name="w2", queues=("gpu",)),
    ),
    "a worker of another version": Fault(
        plant=lambda s: s.worker(version="0.0.1"), name="worker w1", said="it runs 0.0.1",
        mend=lambda s: s.worker(),
    ),
    "artifacts in a file": Fault(
        plant=lambda s: s.env("ARTIFACTS_URL", str(s.file("artifacts", ""))),
        name="artifacts", said="is no folder",
        mend=lambda s: s.env("ARTIFACTS_URL", str(s.folder / "elsewhere")),
    ),
    "a champion without artifact": Fault(
        plant=champion, name=f"{MODEL} v1", said="is not in the store", mend=restored
    ),
    "no policy": Fault(
        plant=lambda s: s.sql("UPDATE active_rules SET retired_at = activated_at"),
        name="rules", said="`incumbent init` writes one", mend=lambda s: s.enforce(RULES),
    ),
    "newer rules that are refused": Fault(
        plant=lambda s: s.enforce(RULES, "line 3: no such key"),
        name=f"rules of {MODEL}", said="line 3: no such key", mend=lambda s: s.enforce(RULES),
    ),
    "a group that nobody is in": Fault(
        plant=lambda s: s.enforce(RULES + "approval: {when: inconclusive, from: [leads]}\n"),
        name="group leads", said="INCUMBENT_GROUPS",
        mend=lambda s: s.env("GROUPS", '{"leads": ["ana"]}'),
    ),
    "code that is not there": Fault(
        plant=lambda s: (s.folder / "code" / "flights.py").unlink(),
        name=f"code of {MODEL}", said="there is no flights.py",
        mend=lambda s: s.file("code/flights.py", ""),
    ),
    "a source that fails": Fault(
        plant=lambda s: source(s, "data/ is not there."),
        name=f"data of {MODEL}", said="3 failures in a row", mend=lambda s: source(s, ""),
    ),
    "a signal without an answer": Fault(
        plant=old_signal, name="signal 1", said="no controller decides", mend=decided
    ),
    "a run that waits": Fault(
        plant=waiting_run, name=f"run {MODEL}.r1", said="Start one with `incumbent worker`",
        mend=claimed,
    ),
    "a clock that is wrong": Fault(
        plant=ahead, name="clock", said="1 h 59 min from now", mend=caught_up
    ),
    "a channel that leads nowhere": Fault(
        plant=lambda s: s.enforce(RULES + "notify: {held: [oncall]}\n"),
        name="channel oncall", said="Name it in the file of INCUMBENT_NOTIFY",
        mend=lambda s: channels(s, NOTIFY),
    ),
    "a template with a mistake": Fault(
        plant=lambda s: channels(s, NOTIFY + '[templates.held]\nline = "{modle}"\n'),
        name="messages", said="Did you mean {model}?", mend=lambda s: channels(s, NOTIFY),
    ),
    "links that nobody can follow": Fault(
        plant=lambda s: channels(s, NOTIFY, page=None),
        name="links", said="Set INCUMBENT_PAGE_URL",
        mend=lambda s: s.env("PAGE_URL", "https://incumbent.example.org"),
    ),
    "a message that does not arrive": Fault(
        plant=lambda s: told(s, DeliveryState.FAILED, "given up after 9 attempts."),
        name="message 1", said="`incumbent notify again 1`",
        mend=lambda s: told(s, DeliveryState.SENT, ""),
    ),
    "an address without scheme": Fault(
        plant=lambda s: s.env("TRACES_URL", "collector:4318"),
        name="traces_url", said="Write the whole address into INCUMBENT_TRACES_URL",
        mend=lambda s: s.env("TRACES_URL", "http://collector:4318"),
    ),
    "a key that others may read": Fault(
        plant=lambda s: s.file("home/page.key", "k", 0o644), name="home", said="page.key (mode 0644). The next start",
        mend=lambda s: prepare_home(s.folder / "home"),
    ),
}  # fmt: skip


def test_a_sound_installation_has_no_findings(site: Site):
    assert site.doctor() == (0, {})


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found_and_what_is_advised_mends_it(site: Site, fault: Fault):
    fault.plant(site)
    code, wrong = site.doctor()
    assert code == 1
    assert fault.name in wrong, wrong
    assert fault.said in wrong[fault.name]
    assert "geheim" not in str(wrong)
    fault.mend(site)
    assert site.doctor() == (0, {})


def test_twenty_and_more():
    assert len(FAULTS) >= 20
