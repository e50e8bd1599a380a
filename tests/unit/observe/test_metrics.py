"""What a scrape gets: right figures, bounded labels, and an answer also while the database does not."""

from __future__ import annotations

import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.adapters.prometheus import Bounded, Exposition
from controller.domain.canonical import to_plain
from controller.domain.decisions import StartRun
from controller.domain.errors import Unavailable
from controller.domain.runs import RunKind, RunState
from controller.entrypoints.observe import ObserveServer, Probes
from controller.ports import RunEnd, SourceState, Store, Transaction
from controller.service.loops.loop import Health
from controller.service.loops.readiness import Condition, Watched, conditions
from controller.service.observe.catalogue import EXPORTED_METRICS, MOST_LABELS
from controller.service.observe.figures import ProcessFigures
from controller.service.observe.observer import Observer, Watching
from tests.support.house import MODEL, UNDECIDED, House
from tests.support.makers import AT, HOUR, decide, spec
from tests.support.waiting import until

PROMTOOL = shutil.which("promtool")


class Shaky:
    """A database that can be taken away, or made to hang."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = False
        self.hangs: threading.Event | None = None

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Transaction]:
        del snapshot
        if self.hangs is not None:
            self.hangs.wait(30)
        if self.away:
            raise Unavailable("The database db does not answer.")
        with self.store.read() as tx:
            yield tx

    begin = read

    def close(self) -> None:
        pass


class Watch:
    """A house, and what tells of it."""

    def __init__(self, **more: Any) -> None:
        self.house = House()
        self.store = Shaky(self.house.store)
        loops = [Health(name="engine", silent_for=0.2, rounds=7, error="", failures=2, seconds=1.5)]
        watching = Watching(
            conditions=lambda: conditions(Watched(store=self.store)),
            loops=lambda: loops,
            leads=lambda: True,
        )
        more = {"fresh": 0.0, "patience": 5.0, **more}
        self.observer = Observer(self.store, self.house.clock, watching, **more)
        self.exposition = Exposition(self.observer)

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        text = self.exposition.text().decode()
        return {
            tuple(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def value(self, name: str, *labels: str) -> float:
        return self.values(name)[labels]

    def live(self) -> None:
        """v1 sits in the seat, v2 waits for a person, a third run is queued."""
        self.house.data(30_000, "jan")
        self.house.work()
        self.house.clock.advance(timedelta(days=31))
        self.house.data(30_000, "feb")
        self.house.work(UNDECIDED)
        self.house.clock.advance(timedelta(hours=2))


def test_the_figures_are_those_of_the_books():
    watch = Watch()
    watch.live()
    values = watch.value
    assert values("incumbent_champion_version", MODEL) == 1
    assert values("incumbent_champion_age_seconds", MODEL) == (31 * 24 + 2) * 3600
    assert values("incumbent_challengers_waiting", MODEL) == 1
    assert values("incumbent_challenger_wait_seconds", MODEL) == 7200
    found = watch.values("incumbent_decisions_total")
    assert sum(found.values()) == len(watch.house.records())
    assert found[MODEL, "promote"] == found[MODEL, "hold"] == 1
    assert values("incumbent_loop_rounds_total", "engine") == 7
    assert values("incumbent_loop_failures_total", "engine") == 2
    assert values("incumbent_leads") == values("incumbent_database_up") == 1
    assert values("incumbent_ready", "database") == 1
    assert values("incumbent_run_duration_seconds_count", "train", "done") == 2
    assert values("incumbent_run_wait_seconds_count", "evaluate") == 2


def test_counters_rise_and_a_run_is_counted_once():
    watch = Watch()
    watch.live()
    before = watch.value("incumbent_decisions_total", MODEL, "train")
    for _ in range(3):
        assert watch.value("incumbent_run_duration_seconds_count", "train", "done") == 2
    watch.house.data(30_000, "mar")
    watch.house.tick()
    assert watch.value("incumbent_decisions_total", MODEL, "train") == before + 1
    assert watch.value("incumbent_runs", "train", "queued") == 1
    assert watch.value("incumbent_outbox_letters", "run") >= 1
    watch.house.work()
    assert watch.value("incumbent_run_duration_seconds_count", "train", "done") == 3
    assert ("train", "queued") not in watch.values("incumbent_runs")


def test_drift_is_that_of_the_newest_profile_and_its_farthest_columns():
    watch = Watch()
    columns = {f"c{n}": {"psi": n / 100, "ks": 0.01} for n in range(60)}
    with watch.house.store.begin() as tx:
        order = StartRun(run=f"{MODEL}.r1", number=1, spec=spec(model=MODEL, kind=RunKind.PROFILE))
        tx.runs.order(MODEL, order, decision=decide(tx, MODEL), at=AT)
        run = tx.runs.claim(order.run, 0, worker="w", lease=HOUR)
        assert run is not None
        end = RunEnd(state=RunState.DONE, result=to_plain({"columns": columns}))
        tx.runs.finish(run.id, run.fence, end, at=AT)
    found = watch.values("incumbent_drift")
    assert len(found) == 40
    assert found["c59", "psi", MODEL] == 0.59
    assert ("c1", "psi", MODEL) not in found


def test_a_label_with_a_million_values_is_bounded():
    keep = Bounded(200)
    assert len({keep(f"m{n}") for n in range(1_000_000)}) == 201
    assert keep("m3") == "m3"
    assert keep("m999999") == "other"
    assert len(Bounded(5)("x" * 10_000)) == 200


def test_too_many_models_make_one_more_series():
    watch = Watch()
    verdicts = {(f"m{n}", "train"): 1 for n in range(300_000)}
    held: Any = defaultdict(lambda: defaultdict(float))
    watch.exposition._from_books(
        ProcessFigures(verdicts=verdicts, now=watch.house.clock.now()), held
    )
    found = held["incumbent_decisions_total"]
    assert len(found) == MOST_LABELS + 1
    assert found["other", "train"] == 300_000 - MOST_LABELS


def test_without_names_figures_of_all_models_together_are_left():
    """Whoever scrapes is not known, and owners are isolated."""
    watch = Watch()
    watch.live()
    with watch.house.store.begin() as tx:
        tx.models.update(MODEL, error="the data of payments", wake_at=AT)
    watch.exposition = Exposition(watch.observer, names=False)
    text = watch.exposition.text().decode()
    assert MODEL not in text
    assert watch.value("incumbent_model_error", "other") == 1
    assert watch.value("incumbent_decisions_total", "other", "promote") == 1
    assert watch.values("incumbent_champion_version") == {}
    found = ProcessFigures(
        drift={(MODEL, "amount", "psi"): 1.0},
        failing={"payments-oncall": 2},
        sources=(
            SourceState(model=MODEL, source="a", checked_at=AT, error="it is away"),
            SourceState(model="other-model", source="b", checked_at=AT),
        ),
        now=watch.house.clock.now(),
    )
    held: Any = defaultdict(lambda: defaultdict(float))
    watch.exposition._from_books(found, held)
    assert held["incumbent_messages_failing"] == {("other",): 2}
    assert held["incumbent_source_up"] == {("other",): 0}
    assert not held["incumbent_drift"]


def test_what_a_figure_could_not_be_read_for_is_not_quoted():
    def conditions() -> list[Condition]:
        raise KeyError("the model payments")

    observer = Observer(House().store, House().clock, Watching(conditions=conditions))
    body = Probes(observer).readiness().body.decode()
    assert "KeyError; the log says more" in body
    assert "payments" not in body


def test_a_scrape_during_an_outage_tells_what_was_known_and_how_old_it_is():
    watch = Watch()
    watch.live()
    assert watch.value("incumbent_database_up") == 1
    watch.store.away = True
    assert watch.value("incumbent_database_up") == 0
    assert watch.value("incumbent_champion_version", MODEL) == 1
    assert watch.value("incumbent_figures_age_seconds") > 0
    assert watch.value("incumbent_ready", "database") == 0
    watch.store.away = False
    assert watch.value("incumbent_database_up") == 1


def test_a_scrape_does_not_wait_for_a_database_that_hangs():
    watch = Watch(patience=0.05)
    watch.live()
    watch.observer.figures()
    release = watch.store.hangs = threading.Event()
    until(lambda: watch.value("incumbent_database_up") == 0)
    assert watch.value("incumbent_champion_version", MODEL) == 1
    release.set()


def test_a_process_that_never_saw_the_database_still_answers():
    watch = Watch()
    watch.store.away = True
    assert watch.value("incumbent_database_up") == 0
    assert watch.values("incumbent_champion_version") == {}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not there")
def test_promtool_finds_nothing_in_the_metrics():
    watch = Watch()
    watch.live()
    watch.house.data(30_000, "mar")
    watch.house.tick()
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"],
        input=watch.exposition.text(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_metric_of_the_catalogue_is_exposed():
    text = Watch().exposition.text().decode()
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert named == {metric.name for metric in EXPORTED_METRICS}


# --- over HTTP ------------------------------------------------------------------------------------------------


def get(server: ObserveServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_controllers_own_server_answers_through_an_outage():
    watch = Watch()
    with ObserveServer(Probes(watch.observer), "127.0.0.1", 0) as server:
        assert get(server, "readyz")[0] == get(server, "healthz")[0] == 200
        watch.store.away = True
        assert get(server, "healthz") == (200, '{"alive": true, "stuck": []}\n')
        status, body = get(server, "readyz")
        assert status == 503
        assert "The database db does not answer." in body
        status, body = get(server, "metrics")
        assert status == 200
        assert "incumbent_database_up 0.0" in body
        assert get(server, "elsewhere")[0] == 404


def test_a_round_that_never_ends_is_worth_a_restart():
    stuck = Health(name="sources", silent_for=9e9, rounds=1, error="", busy_for=3600.0)
    observer = Observer(House().store, House().clock, Watching(loops=lambda: [stuck]))
    with ObserveServer(Probes(observer), "127.0.0.1", 0) as server:
        assert get(server, "healthz") == (500, '{"alive": false, "stuck": ["sources"]}\n')


def test_conditions_keep_their_sentences():
    held = [Condition(name="database", ok=False, sentence="is full.", hint="Make room.")]
    observer = Observer(House().store, House().clock, Watching(conditions=lambda: held))
    answer = Probes(observer).readiness()
    assert (answer.status, b"Make room." in answer.body) == (503, True)
