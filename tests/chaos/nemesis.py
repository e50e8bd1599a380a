"""Whoever breaks it: one fault at a time, at a random moment, sometimes two at once; then it waits for recovery."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import psutil
import psycopg
import redis

from controller.adapters.sql.engine import read_url
from tests.chaos.processes import Kept, end, freeze, living
from tests.chaos.proxy import Weather
from tests.chaos.site import LEASE, Site


@dataclass(frozen=True)
class Struck:
    """One fault: what, when it began, when it was over (wall clock seconds), and kills that it took."""

    what: str
    began: float
    over: float
    kills: int


@dataclass
class Nemesis:
    """Knows every fault that a site can suffer. ``longest_away``: seconds that a server may be away."""

    site: Site
    rng: Random
    longest_away: float = 30.0
    struck: list[Struck] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(fault.kills for fault in self.struck)

    def strike(self) -> list[Struck]:
        """One fault, or with some luck two or three in one moment. Those that are possible now."""
        many = self.rng.choices((1, 2, 3), (70, 22, 8))[0]
        names, weights = zip(*self._faults().items(), strict=True)
        struck: list[Struck] = []
        threads = []
        chosen = {self.rng.choices(names, weights)[0] for _ in range(many)}
        # Servers are started from this thread: PostgreSQL is told to end with the thread that started it.
        for name in sorted(chosen, key=lambda name: name.startswith(("PostgreSQL", "broker"))):
            if len(chosen) > 1 and not name.startswith(("PostgreSQL", "broker")):
                thread = threading.Thread(target=self._do, args=(name, struck), daemon=True)
                thread.start()
                threads.append(thread)
            else:
                self._do(name, struck)
        for thread in threads:
            thread.join()
        self.struck += struck
        return struck

    def _do(self, name: str, struck: list[Struck]) -> None:
        began = time.time()
        kills = getattr(self, _method(name))()
        if kills is not None:
            over = began if kills and "away" not in name else time.time()
            struck.append(Struck(name, began, over, kills))

    def _faults(self) -> dict[str, float]:
        """Name → weight."""
        faults: dict[str, float] = {
            "controller: kill -9 of the group": 14,
            "controller: kill -9 of the parent": 12,
            "controller: SIGSTOP": 3,
            "worker: kill -9 of the group": 12,
            "worker: kill -9 of the parent": 10,
            "worker: kill -9 of a pool process": 10,
            "worker: kill -9 of the training": 10,
            "worker: SIGSTOP of the group": 3,
            "worker: SIGSTOP of a pool process": 3,
            "broker: kill -9": 7,
        }
        if self.site.shape.broker != "embedded":
            faults |= {
                "broker: away": 1.5,
                "network: broker reset": 2,
                "network: broker swallowed": 2,
            }
        if "rabbit" not in self.site.shape.broker:
            faults |= {"broker: FLUSHALL": 3}
        else:
            faults |= {"broker: queue purged": 2}
        if self.site.postgres is not None:
            faults |= {
                "PostgreSQL: kill -9 of all": 4,
                "PostgreSQL: kill -9 of a backend": 3,
                "PostgreSQL: pg_terminate_backend": 3,
                "network: database reset": 3,
                "network: database swallowed": 3,
                "network: database deaf": 3,
            }
        else:
            faults |= {"SQLite: write lock held": 2}
        if self.site.mounted:
            faults |= {"disk: full": 3}
        return faults

    # --- processes -------------------------------------------------------------------------------------------------

    def controller_kill_9_of_the_group(self) -> int | None:
        one = self._any(self.site.controllers())
        return None if one is None else self._kill(one.family())

    def controller_kill_9_of_the_parent(self) -> int | None:
        """What it leaves behind is what a supervisor without cgroups leaves behind."""
        one = self._any(self.site.controllers())
        return None if one is None else self._orphan(one)

    def controller_sigstop(self) -> int | None:
        one = self._any(self.site.controllers())
        if one is None:
            return None
        freeze(one.family()[:1], self._a_while())
        return 0

    def worker_kill_9_of_the_group(self) -> int | None:
        family = self._worker_family()
        return self._kill(family) if family else None

    def worker_kill_9_of_the_parent(self) -> int | None:
        family = self._worker_family()
        if not family:
            return None
        self.site.keeper.strays += family[1:]
        return self._kill(family[:1])

    def worker_kill_9_of_a_pool_process(self) -> int | None:
        return self._kill_one(lambda command: "workers" in command and "zygote" not in command)

    def worker_kill_9_of_the_training(self) -> int | None:
        """The zygote's children: the user's code."""
        for process in self.rng.sample(found := self._below_zygote(), len(found)):
            if living([process]):
                return self._kill([process])
        return None

    def worker_sigstop_of_the_group(self) -> int | None:
        family = self._worker_family()
        if not family:
            return None
        freeze(family, self._a_while())
        return 0

    def worker_sigstop_of_a_pool_process(self) -> int | None:
        family = self._worker_family()
        if len(family) < 2:
            return None
        freeze([self.rng.choice(family[1:])], self._a_while())
        return 0

    # --- servers ----------------------------------------------------------------------------------------------------

    def broker_kill_9(self) -> int | None:
        if self.site.broker is None:
            servers = [p for p in self._everybody() if "--unixsocket" in _command(p)]
            return self._kill(servers) if servers else None
        self.site.broker.kill()
        self.site.broker.start()
        return 1

    def broker_away(self) -> int | None:
        assert self.site.broker is not None
        self.site.broker.kill()
        time.sleep(self.rng.uniform(2, self.longest_away))
        self.site.broker.start()
        return 1

    def broker_flushall(self) -> int | None:
        if self.site.broker is None:
            client = redis.Redis(unix_socket_path=str(self.site.broker_socket), socket_timeout=2)
        else:
            client = redis.Redis.from_url(self.site.broker.url, socket_timeout=2)
        with contextlib.suppress(redis.RedisError, OSError), client:
            client.flushall()
            return 0
        return None

    def broker_queue_purged(self) -> int | None:
        from kombu import Connection

        assert self.site.broker is not None
        with contextlib.suppress(Exception), Connection(self.site.broker.url) as connection:
            connection.default_channel.queue_purge("incumbent.default")
            return 0
        return None

    def postgresql_kill_9_of_all(self) -> int | None:
        assert self.site.postgres is not None
        server = psutil.Process(self.site.postgres.pid)
        end([server, *server.children(recursive=True)])
        self.site.postgres.stop()
        self.site.restart_postgres()
        return 1

    def postgresql_kill_9_of_a_backend(self) -> int | None:
        """The others end too: the server cannot trust its shared memory any more."""
        assert self.site.postgres is not None
        pids = self._sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'incumbent'")
        backends = []
        with contextlib.suppress(psutil.Error):
            backends = [psutil.Process(self.rng.choice(pids))] if pids else []
        return self._kill(backends) if backends else None

    def postgresql_pg_terminate_backend(self) -> int | None:
        self._sql(
            "SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity"
            " WHERE application_name = 'incumbent' AND random() < 0.7"
        )
        return 0

    def sqlite_write_lock_held(self) -> int | None:
        """Somebody has opened the database and left for lunch: longer than anybody waits for a lock."""
        path = read_url(self.site.database).database
        with contextlib.suppress(sqlite3.Error):
            other = sqlite3.connect(str(path), timeout=5, isolation_level=None)
            try:
                other.execute("BEGIN IMMEDIATE")
                time.sleep(self.rng.choice((2, 5, 12)))
                other.execute("ROLLBACK")
            finally:
                other.close()
            return 0
        return None

    # --- network and disk -------------------------------------------------------------------------------------------

    def network_broker_reset(self) -> int | None:
        self.site.proxies["broker"].reset()
        return 0

    def network_broker_swallowed(self) -> int | None:
        return self._weather("broker", Weather.SWALLOW)

    def network_database_reset(self) -> int | None:
        self.site.proxies["database"].reset()
        return 0

    def network_database_swallowed(self) -> int | None:
        return self._weather("database", Weather.SWALLOW)

    def network_database_deaf(self) -> int | None:
        return self._weather("database", Weather.DEAF)

    def disk_full(self) -> int | None:
        filler = self.site.fill_disk()
        if filler is None:
            return None
        time.sleep(self.rng.uniform(0.5, 4))
        filler.unlink()
        return 0

    # --- choosing ---------------------------------------------------------------------------------------------------

    def _weather(self, name: str, weather: Weather) -> int:
        proxy = self.site.proxies[name]
        proxy.change(weather)
        time.sleep(self._a_while())
        proxy.change(Weather.FAIR)
        return 0

    def _a_while(self) -> float:
        """Half to three leases."""
        return self.rng.uniform(0.5, 3.0) * LEASE

    def _any(self, kept: Sequence[Kept]) -> Kept | None:
        alive = [one for one in kept if one.alive]
        return self.rng.choice(alive) if alive else None

    def _kill(self, processes: Sequence[psutil.Process]) -> int | None:
        """One kill, however large the group; None if nobody was there."""
        return 1 if end(processes) else None

    def _orphan(self, one: Kept) -> int | None:
        family = one.family()
        self.site.keeper.strays += family[1:]
        return self._kill(family[:1])

    def _everybody(self) -> list[psutil.Process]:
        families = [member for one in self.site.keeper.kept for member in one.family()]
        return [*families, *living(self.site.keeper.strays)]

    def _worker_family(self) -> list[psutil.Process]:
        """A worker and all below it, wherever it hangs: below `up`, on its own, or orphaned."""
        parents = [p for p in self._everybody() if _is_worker(p)]
        tops = [p for p in parents if not _below_worker(p)]
        if not tops:
            return []
        chosen = self.rng.choice(tops)
        with contextlib.suppress(psutil.Error):
            return [chosen, *chosen.children(recursive=True)]
        return []

    def _kill_one(self, wanted: Callable[[str], bool]) -> int | None:
        family = [p for p in self._worker_family()[1:] if wanted(_command(p))]
        return self._kill([self.rng.choice(family)]) if family else None

    def _below_zygote(self) -> list[psutil.Process]:
        below: list[psutil.Process] = []
        for process in self._everybody():
            if "workers.zygote" in _command(process):
                with contextlib.suppress(psutil.Error):
                    if process.parent() and "workers.zygote" in _command(process.parent()):
                        below.append(process)
        return below

    def _sql(self, statement: str) -> list[int]:
        assert self.site.postgres is not None
        url = read_url(self.site.database)
        with (
            contextlib.suppress(psycopg.Error),
            psycopg.connect(
                self.site.postgres.dsn(str(url.database)), autocommit=True, connect_timeout=5
            ) as session,
        ):
            return [int(row[0]) for row in session.execute(statement).fetchall()]
        return []


def _method(name: str) -> str:
    """`worker: kill -9 of the group` is done by `worker_kill_9_of_the_group`."""
    return "_".join(name.lower().replace(":", "").replace("-", "").split())


def _command(process: psutil.Process | None) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()) if process else ""
    return ""


def _is_worker(process: psutil.Process) -> bool:
    return "-m workers" in _command(process) and "zygote" not in _command(process)


def _below_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return parent is not None and _is_worker(parent)
    return False
