"""Real controllers in processes of their own, on one PostgreSQL; each connects as a user of its own.

So the database itself can say who wrote what: a trigger on every table that matters notes the user of each row that
was committed, and when.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgres import PostgresServer
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
POLICY = """\
version: 1
model: tick
data: {source: "data/*.parquet", target: y}
train: {entrypoint: "tick:train"}
triggers:
  - schedule: {every: 1s}
promote:
  - {metric: mae, better_than: champion}
"""
WRITTEN = [
    "signals",
    "decisions",
    "outbox",
    "runs",
    "models",
    "schedules",
    "active_rules",
    "source_states",
]
_AUDIT = """
CREATE TABLE audit (at timestamptz DEFAULT clock_timestamp(), who text DEFAULT current_user, what text);
GRANT ALL ON audit TO PUBLIC;
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS
$$ BEGIN INSERT INTO audit (what) VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
"""


@dataclass
class Controllers:
    """Processes `incumbent controller`, by name."""

    folder: Path
    server: PostgresServer
    database: str
    broker: str
    settings: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.folder / "rules"
        rules.mkdir(parents=True, exist_ok=True)
        (rules / "tick.yaml").write_text(POLICY)

    def audit(self) -> None:
        """Have the database note who writes; after its tables were made."""
        with psycopg.connect(self.server.dsn(self.database), autocommit=True) as session:
            session.execute(_AUDIT)
            for table in WRITTEN:
                session.execute(
                    f"CREATE TRIGGER audit AFTER INSERT OR UPDATE ON {table}"
                    " FOR EACH ROW EXECUTE FUNCTION audit()".encode()
                )

    def start(self, *names: str) -> None:
        """Start controllers; returns when each has announced itself."""
        for name in names:
            self.running[name] = self._launch(name)
        for name in names:
            until(partial(self._announced, self.running[name]))
            assert self.running[name].poll() is None, self.log(name)

    def _announced(self, process: subprocess.Popen[bytes]) -> bool:
        row = self.rows("SELECT 1 FROM controllers WHERE pid = %s", [process.pid])
        return bool(row) or process.poll() is not None

    def _launch(self, name: str) -> subprocess.Popen[bytes]:
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as session:
            if not session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                session.execute(f"CREATE ROLE {name} SUPERUSER LOGIN".encode())
        url = self.server.url(self.database).replace("incumbent@", f"{name}@")
        environment = os.environ | {
            "INCUMBENT_HOME": str(self.folder / "home"),
            "INCUMBENT_RULES": str(self.folder / "rules"),
            "INCUMBENT_CODE": str(self.folder),
            "INCUMBENT_DATABASE_URL": url,
            "INCUMBENT_BROKER_URL": self.broker,
            "INCUMBENT_LOG_LEVEL": "INFO",
            **self.settings,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name("incumbent")), "controller"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What plain SQL says; nothing before the tables are made."""
        with psycopg.connect(self.server.dsn(self.database)) as session:
            try:
                return session.execute(statement.encode(), values).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def leader(self) -> str | None:
        """The name of the controller that leads now."""
        found = self.rows(
            "SELECT c.pid FROM leases l JOIN controllers c ON c.owner = l.owner"
            " WHERE l.name = 'controller' AND l.until > clock_timestamp()"
        )
        pids = {process.pid: name for name, process in self.running.items()}
        return pids.get(found[0][0]) if found else None

    def leads(self, *names: str, seconds: float = 60.0) -> str:
        """Wait until one of these leads; its name."""

        def one() -> str | None:
            leader = self.leader()
            return leader if leader in names else None

        found: str = until(one, seconds)
        return found

    def send(self, name: str, number: signal.Signals) -> None:
        os.kill(self.running[name].pid, number)

    def end(self, name: str, number: signal.Signals) -> None:
        """Signal it and wait for its end."""
        self.send(name, number)
        self.running.pop(name).wait(30)

    def now(self) -> datetime:
        """The database's clock."""
        moment: datetime = self.rows("SELECT clock_timestamp()")[0][0]
        return moment

    def wrote(self, name: str, since: datetime) -> list[str]:
        """The tables that it wrote to, one entry a row."""
        found = self.rows("SELECT what FROM audit WHERE who = %s AND at > %s", [name, since])
        return [what for (what,) in found]

    def fires(self) -> list[tuple[datetime, int]]:
        """Every fire of the schedule: when it was due, and how many due times before it it stands for."""
        import json

        found = self.rows("SELECT payload FROM signals WHERE kind = 'schedule' ORDER BY id")
        payloads = [json.loads(text) for (text,) in found]
        return [(datetime.fromisoformat(p["due"]), p["missed"]) for p in payloads]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


@contextmanager
def controllers(
    folder: Path, server: PostgresServer, broker: str, **settings: str
) -> Iterator[Controllers]:
    """On a new database."""
    name = server.create()
    held = Controllers(folder, server, name, broker, settings)
    try:
        yield held
    finally:
        held.close()
        server.drop(name)
