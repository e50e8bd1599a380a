"""``python -m benchmarks.registry [--sizes 100,100000] [--clients 1,4,16] [--seconds 2] [--databases sqlite]``.

Both registries hold the same numbers of versions: half of them in one model, the rest in models of 500 (of a tenth,
where there are few). Over HTTP the same client asks both servers; MLflow's has two workers, ours is one process.

Promotion is our controller's transaction (read, compare-and-set, decision in the chain, facts) against MLflow's
``set_registered_model_alias``: over HTTP, as a pipeline without us promotes, and in process, where MLflow overwrites a
row. ``set alias`` is like for like: both over HTTP by MLflow's interface, ours on models without a policy.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, insert

from benchmarks.serving import Serving
from controller.adapters.clock import SystemClock
from controller.adapters.sql.engine import make_engine, read_url
from controller.adapters.sql.free_tables import free_aliases, free_models, free_versions
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.adapters.sql.tables import models_table, versions_table
from controller.domain.decisions import MoveVersion, SetChampion
from controller.domain.errors import Conflict, StaleGeneration
from controller.domain.versions import VersionState
from controller.service.registry.use import ResolveRequest, resolve_name
from tests.support.makers import decide, seat
from tests.support.mlflow import MlflowServer, mlflow_python
from tests.support.postgres import PostgresServer

API = "/api/2.0/mlflow"
TOOL = Path(__file__).parent / "tools" / "mlflow_store.py"
CHUNK = 2_000
FREE = {"free-small": "small0", "free-big": "big"}
"""Models without a policy, as MLflow keeps all of them, and whose size they have."""
_WARM_SECONDS = 0.5
Figures = dict[str, dict[str, float]]


def plan_of(size: int) -> dict[str, int]:
    """Model -> versions: half in one, the rest in models of 500 (of a tenth)."""
    each = min(500, max(1, size // 10))
    return {"big": size // 2} | {f"small{n}": each for n in range(size // 2 // each)}


def fill_ours(url: str, plan: dict[str, int]) -> None:
    """The same models as governed ones, each with a champion, and ``big`` once more as a free one."""
    migrate(url)
    store = SqlStore(url, SystemClock())
    with store.begin() as tx:
        number = decide(tx)
    engine = make_engine(read_url(url))
    now = datetime.now(UTC)
    with engine.begin() as session:
        session.execute(
            insert(models_table), [{"model": n, "rejections": [], "last_fired": {}} for n in plan]
        )
        for name, count in plan.items():
            for start in range(1, count + 1, CHUNK):
                rows = [
                    {
                        "model": name,
                        "number": n,
                        "state": "candidate",
                        "state_since": now,
                        "run": f"{name}.r{n}",
                        "digest": f"{n:064x}",
                        "recipe": "gbm",
                        "size": 1,
                        "data_through": 1,
                        "metrics": {"mae": 17.0},
                        "created_at": now,
                        "decision": number,
                    }
                    for n in range(start, min(start + CHUNK, count + 1))
                ]
                session.execute(insert(versions_table), rows)
        for place, (name, size) in enumerate(FREE.items(), 1):
            fill_free(session, place, name, plan[size])
    engine.dispose()
    with store.begin() as tx:
        for name, count in plan.items():
            seat(tx, count, model=name, decision=number, at=now)
    store.close()


def fill_free(session: Connection, number: int, name: str, size: int) -> None:
    """A model without a policy, with so many versions and the alias champion on the last."""
    now = datetime.now(UTC)
    at = {"created_at": now, "updated_at": now}
    row = {"id": number, "name": name, "next_version": size + 1, **at}
    session.execute(insert(free_models), [row])
    for start in range(1, size + 1, CHUNK):
        rows = [
            {"model": number, "number": n, "source": f"runs:/r{n}/m", "storage": "", "run": f"r{n}", **at}
            for n in range(start, min(start + CHUNK, size + 1))
        ]  # fmt: skip
        session.execute(insert(free_versions), rows)
    session.execute(insert(free_aliases), [{"model": number, "alias": "champion", "number": size}])


def timed(
    work: Callable[[int], Callable[[], None]], clients: int, seconds: float
) -> dict[str, float]:
    """p50 and p99 in milliseconds and calls a second, with so many threads; ``work(n)`` makes a thread's own call."""
    warm = work(
        0
    )  # connections, prepared statements and imports of the first call are not what is asked
    until_warm = time.perf_counter() + _WARM_SECONDS
    while time.perf_counter() < until_warm:
        warm()
    spans: list[float] = []
    lock, begin = threading.Lock(), threading.Barrier(clients)

    def one(number: int) -> None:
        call = work(number)
        mine: list[float] = []
        begin.wait()
        until = time.perf_counter() + seconds
        while not mine or time.perf_counter() < until:
            start = time.perf_counter()
            call()
            mine.append((time.perf_counter() - start) * 1000)
        with lock:
            spans.extend(mine)

    start = time.perf_counter()
    threads = [threading.Thread(target=one, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - start
    spans.sort()
    return {
        "p50": statistics.median(spans),
        "p99": spans[min(len(spans) - 1, int(len(spans) * 0.99))],
        "rate": len(spans) / took,
        "n": len(spans),
    }


def asking(
    port: int, verb: str, path: str, *bodies: Any, **headers: str
) -> Callable[[int], Callable[[], None]]:
    """Calls over a kept connection, with one of the bodies after the other."""
    sent = {**headers, **({"content-type": "application/json"} if bodies else {})}

    def client(_: int) -> Callable[[], None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        contents = itertools.cycle([json.dumps(body).encode() for body in bodies] or [None])

        def call() -> None:
            content = next(contents)
            for last in (False, True):
                try:
                    connection.request(verb, path, content, sent)
                    # A server that answers in two packets waits 40 ms for a delayed acknowledgement between them.
                    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                    answer = connection.getresponse()
                    said = answer.read()
                    break
                except (http.client.RemoteDisconnected, ConnectionError):
                    connection.close()  # a server ends connections that were idle for a while
                    if last:
                        raise
            if answer.status not in {200, 304}:
                raise RuntimeError(f"{verb} {path} answers {answer.status}: {said[:200]!r}")

        return call

    return client


def query(path: str, **given: Any) -> str:
    """A path with its arguments."""
    return f"{API}/{path}?{urlencode(given)}"


def over_http(port: int, options: argparse.Namespace, small: str, big: str) -> Figures:
    """What both servers are asked alike; ``small`` and ``big`` may be written to."""
    made = {"name": big, "source": "runs:/r/model", "run_id": "r"}
    moved = [
        [{"name": name, "alias": "champion", "version": version} for version in ("1", "2")]
        for name in (small, big)
    ]
    asked = {
        "resolve by MLflow's interface, small": asking(
            port, "GET", query("registered-models/alias", name="small0", alias="champion")
        ),
        "resolve by MLflow's interface, big": asking(
            port, "GET", query("registered-models/alias", name="big", alias="champion")
        ),
        "create version": asking(port, "POST", f"{API}/model-versions/create", made),
        "search 100 of big": asking(
            port, "GET", query("model-versions/search", filter="name = 'big'", max_results=100)
        ),
        "set alias small": asking(port, "POST", f"{API}/registered-models/alias", *moved[0]),
        "set alias big": asking(port, "POST", f"{API}/registered-models/alias", *moved[1]),
        "list models": asking(port, "GET", query("registered-models/search", max_results=100)),
    }  # fmt: skip
    return {
        f"{name} {clients}": timed(call, clients, options.seconds)
        for clients in options.clients
        for name, call in asked.items()
    }


def etag_of(port: int, path: str) -> str:
    """The ETag that our server gives."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return str(answer.getheader("etag"))


def ours_only(port: int, options: argparse.Namespace) -> Figures:
    """Our own address of the champion, and the same answered 304."""
    small, big = (f"/v1/models/{name}/champion" for name in ("small0", "big"))
    known = {"if-none-match": etag_of(port, big)}
    asked = {
        "resolve small": asking(port, "GET", small),
        "resolve big": asking(port, "GET", big),
        "resolve big, 304": asking(port, "GET", big, **known),
    }
    return {
        f"{name} {clients}": timed(call, clients, options.seconds)
        for clients in options.clients
        for name, call in asked.items()
    }


def beside(name: str, mlflow: Figures) -> dict[str, float] | None:
    """What of MLflow's stands beside a figure of ours: it resolves in one way, and promotes by setting an alias."""
    what, _, clients = name.rpartition(" ")
    size = "small" if "small" in what else "big"
    if what.startswith("resolve"):
        return mlflow.get(f"resolve by MLflow's interface, {size} {clients}")
    if what.startswith("promote"):
        return mlflow.get(f"set alias {size} {clients}")
    return mlflow.get(name)


def in_process(url: str, options: argparse.Namespace) -> Figures:
    """Promotion as the engine does it, and resolving, without HTTP."""
    store = SqlStore(url, SystemClock())
    found: Figures = {}
    for clients in options.clients:
        for size, model in (("small", "small0"), ("big", "big")):
            calls = {"promote": promoting(store, model), "resolve": resolving(store, model)}
            for name, call in calls.items():
                found[f"{name} {size} {clients}"] = timed(call, clients, options.seconds)
    store.close()
    return found


def promoting(store: SqlStore, model: str) -> Callable[[int], Callable[[], None]]:
    """Who was too late decides anew, within the measured time."""

    def client(_: int) -> Callable[[], None]:
        turns = itertools.cycle((1, 2))

        def call() -> None:
            while True:
                try:
                    promote(store, model, next(turns))
                except StaleGeneration:
                    continue
                return

        return call

    return client


def resolving(store: SqlStore, model: str) -> Callable[[int], Callable[[], None]]:
    """The champion, as our API answers it."""

    def client(_: int) -> Callable[[], None]:
        def call() -> None:
            resolve_name(store, ResolveRequest(model=model), datetime.now(UTC))

        return call

    return client


def promote(store: SqlStore, model: str, number: int) -> None:
    """Seat one of two versions in turn, as the engine does: lease, read, compare-and-set, decision in the chain."""
    with store.begin() as tx:
        lease = tx.leases.acquire(f"model:{model}", "benchmark", timedelta(minutes=1))
        assert lease is not None  # who comes at the same time waits for the row
        state = tx.models.state(model)
        assert state.champion is not None
        target = number if state.champion != number else 3 - number
        decision = decide(tx, model, "promote")
        now = datetime.now(UTC)
        leaving = MoveVersion(
            version=state.champion,
            before=VersionState.CHAMPION,
            after=VersionState.SUPERSEDED,
            reason="It lost.",
        )
        tx.registry.move(model, leaving, decision=decision, at=now, actor="system")
        action = SetChampion(
            version=target, generation=state.generation, previous=state.champion, reason="It won."
        )
        tx.registry.seat(model, action, decision=decision, at=now)
        tx.leases.release(lease)


def race(url: str, rounds: int) -> dict[str, int]:
    """Two promoters with stores of their own that both saw the same champion, released together."""
    stores = [SqlStore(url, SystemClock()) for _ in range(2)]
    lost = refused = both = 0
    for _ in range(rounds):
        with stores[0].read() as tx:
            seen = tx.models.state("small0")
        told: list[int] = []
        begin = threading.Barrier(2)

        def one(place: int, seen: Any = seen, told: list[int] = told, begin: Any = begin) -> None:
            candidates = [n for n in (1, 2, 3) if n != seen.champion]
            begin.wait()
            try:
                with stores[place].begin() as tx:
                    seat(
                        tx,
                        candidates[place],
                        generation=seen.generation,
                        previous=seen.champion,
                        model="small0",
                        decision=1,
                        at=datetime.now(UTC),
                    )
                told.append(candidates[place])
            except Conflict:
                return  # told that somebody else was first; anything else would end the benchmark

        threads = [threading.Thread(target=one, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with stores[0].read() as tx:
            champion = tx.models.state("small0").champion
            seated = tx.registry.versions("small0", states=[VersionState.CHAMPION])
        both += len(seated) != 1
        lost += sum(1 for number in told if number != champion)
        refused += 2 - len(told)
    for store in stores:
        store.close()
    return {"rounds": rounds, "lost": lost, "refused": refused, "two in production": both}


def theirs(what: str, url: str, **given: Any) -> Any:
    """What the tool says in MLflow's own environment."""
    done = subprocess.run(
        [str(mlflow_python()), str(TOOL), what, url, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def say(title: str, ours: Figures, mlflow: Figures) -> None:
    """A table: p50/p99 ms (per second), ours beside MLflow's."""
    print(f"\n### {title}\n\n| what, clients | ours | MLflow | rate, times |\n|---|---|---|---|")
    for name, mine in ours.items():
        other = mlflow.get(name)
        factor = f"{mine['rate'] / other['rate']:.1f}" if other else ""
        print(f"| {name} | {cell(mine)} | {cell(other) if other else '–'} | {factor} |", flush=True)


def cell(figures: dict[str, float]) -> str:
    """One cell."""
    return f"{figures['p50']:.2f}/{figures['p99']:.1f} ({figures['rate']:,.0f})"


def measure(
    kind: str, size: int, options: argparse.Namespace, postgres: PostgresServer | None
) -> None:
    """One size on one database."""
    plan = plan_of(size)
    with tempfile.TemporaryDirectory(prefix="incumbent-registry-") as folder:
        home = Path(folder)
        our_url, their_url = f"sqlite:///{home / 'incumbent.db'}", ""
        if postgres is not None:
            our_url, their_url = (postgres.url(postgres.create()) for _ in range(2))
        fill_ours(our_url, plan)
        server = MlflowServer(their_url, workers=2)
        try:
            server.start()
            theirs("fill", server.database, **plan)
            serving = Serving(our_url, home)
            try:
                mine = over_http(serving.port, options, *FREE) | ours_only(serving.port, options)
            finally:
                serving.stop()
            other = over_http(server.port, options, "small0", "big")
            ours = in_process(our_url, options)
            mine |= {name: figures for name, figures in ours.items() if name.startswith("promote")}
            across = {name: found for name in mine if (found := beside(name, other))}
            say(f"{size:,} versions, {kind}, MLflow's server over HTTP", mine, across)
            given = {"clients": options.clients, "seconds": options.seconds}
            inside = theirs("time", server.database, small="small0", big="big", **given)
            say(f"{size:,} versions, {kind}, both in process", ours, inside)
            if options.rounds:
                raced = theirs("race", server.database, rounds=options.rounds)
                print(
                    f"\nraces, {kind}: ours {race(our_url, options.rounds)}, MLflow {raced}",
                    flush=True,
                )
        finally:
            server.remove()


def main() -> None:
    """All sizes on all databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    numbers = lambda text: [int(one) for one in text.split(",")]  # noqa: E731
    parser.add_argument("--sizes", type=numbers, default=[100, 100_000])
    parser.add_argument("--clients", type=numbers, default=[1, 4, 16])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--databases", default="sqlite,postgresql")
    options = parser.parse_args()
    print(f"load when it began: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for kind in options.databases.split(","):
        postgres = PostgresServer(durable=True) if kind == "postgresql" else None
        if postgres is not None:
            postgres.start()
        try:
            for size in options.sizes:
                measure(kind, size, options, postgres)
        finally:
            if postgres is not None:
                postgres.remove()
    print(f"\nload when it ended: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
