"""MLflow's own store in its own environment: fills a database, times it in process, and races it.

Run by ``benchmarks.registry`` with the Python of that environment; prints JSON.
"""

import itertools
import json
import statistics
import sys
import threading
import time

from mlflow.store.model_registry.dbmodels.models import (
    SqlModelVersion,
    SqlRegisteredModel,
    SqlRegisteredModelAlias,
)
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore


def fill(store, plan):
    """Models by name with so many versions each, the alias champion on the last."""
    now = int(time.time() * 1000)
    with store.ManagedSessionMaker(read_only=False) as session:
        for name, count in plan.items():
            session.bulk_insert_mappings(
                SqlRegisteredModel,
                [
                    {
                        "name": name,
                        "creation_time": now,
                        "last_updated_time": now,
                        "workspace": "default",
                    }
                ],
            )
            for start in range(1, count + 1, 5000):
                rows = [
                    {
                        "name": name,
                        "version": number,
                        "creation_time": now + number,
                        "last_updated_time": now + number,
                        "source": f"runs:/r{number}/model",
                        "storage_location": f"runs:/r{number}/model",
                        "run_id": f"r{number}",
                        "current_stage": "None",
                        "workspace": "default",
                        "status": "READY",
                    }
                    for number in range(start, min(start + 5000, count + 1))
                ]
                session.bulk_insert_mappings(SqlModelVersion, rows)
            session.bulk_insert_mappings(
                SqlRegisteredModelAlias,
                [{"name": name, "alias": "champion", "version": count, "workspace": "default"}],
            )


def timed(work, clients, seconds):
    """Milliseconds of each call, with so many threads."""
    until_warm = time.perf_counter() + 0.5
    while time.perf_counter() < until_warm:
        work(0)
    spans, lock, begin = [], threading.Lock(), threading.Barrier(clients)

    def one(number):
        mine = []
        begin.wait()
        until = time.perf_counter() + seconds
        while not mine or time.perf_counter() < until:
            start = time.perf_counter()
            work(number)
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


def race(store, rounds):
    """Two promoters that both saw the same champion; two that both transition to Production."""
    store.create_registered_model("raced")
    for _ in range(3):
        store.create_model_version("raced", "runs:/r/model", "r")
    lost = both = refused = 0
    for _ in range(rounds):
        store.set_registered_model_alias("raced", "champion", "1")
        told = two(lambda v: store.set_registered_model_alias("raced", "champion", v), ("2", "3"))
        lost += told == 2
        refused += told < 2
    for _ in range(rounds):
        for version in ("1", "2", "3"):
            store.transition_model_version_stage("raced", version, "None", False)
        two(
            lambda v: store.transition_model_version_stage("raced", v, "Production", True),
            ("2", "3"),
        )
        seen = [store.get_model_version("raced", v).current_stage for v in ("2", "3")]
        both += seen == ["Production", "Production"]
    return {"rounds": rounds, "lost": lost, "refused": refused, "two in production": both}


def two(act, given):
    """How many of two acts at once were acknowledged."""
    begin, told = threading.Barrier(2), []

    def one(value):
        begin.wait()
        try:
            act(value)
            told.append(value)
        except Exception:
            return

    threads = [threading.Thread(target=one, args=(value,)) for value in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(told)


def main():
    what, url, rest = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    store = SqlAlchemyStore(url)
    if what == "fill":
        fill(store, rest)
        print("{}")
    elif what == "race":
        print(json.dumps(race(store, rest["rounds"])))
    else:
        found = {}
        for clients in rest["clients"]:
            for size in ("small", "big"):
                name = rest[size]
                turns = itertools.cycle(("1", "2"))  # setting the same version again writes nothing
                found[f"promote {size} {clients}"] = timed(
                    lambda _, name=name, turns=turns: store.set_registered_model_alias(
                        name, "champion", next(turns)
                    ),
                    clients,
                    rest["seconds"],
                )
                found[f"resolve {size} {clients}"] = timed(
                    lambda _, name=name: store.get_model_version_by_alias(name, "champion"),
                    clients,
                    rest["seconds"],
                )
        print(json.dumps(found))


main()
