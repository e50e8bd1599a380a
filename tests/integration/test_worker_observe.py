"""Decay and skew on a real Celery worker: labels joined as they come, estimates before, served rows against data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from controller.domain.canonical import format_time, to_plain
from controller.domain.codec import load_plain
from controller.domain.data import served_stream
from controller.domain.decay import MetricWatch
from controller.domain.evidence import Evaluation
from controller.domain.rules import Comparison, DataSection, Gate, Reference, Served, Slices
from controller.domain.runs import Run, RunKind, RunState
from controller.entrypoints.cli.main import main
from controller.entrypoints.cli.session import CliSession
from controller.ports import Batch
from tests.support.workplace import DATA, MODEL, START, Workplace, rows_of

GATE = Gate(
    name="better",
    metric="mae",
    comparison=Comparison.BETTER_THAN,
    reference=Reference.CHAMPION,
    slices=Slices(by=("place",)),
)
WATCH = MetricWatch(
    name="decay",
    asked_by="trigger",
    metric="mae",
    worse_than="training",
    margin=0.2,
    relative=True,
    window=timedelta(days=10).total_seconds(),
    min_labels=200,
)


class Post(Workplace):
    """A workplace with a champion that was judged, and its serving log."""

    version: int
    judged: Evaluation

    def crown(self) -> None:
        self.bring(rows_of(0))
        self.bring(rows_of(10))
        self.start_worker()
        self.version = self.register(self.train())
        run = self.evaluate(self.version, gates=(GATE,))
        assert run.state is RunState.DONE, run.reason
        self.judged = load_plain(Evaluation, run.result["evaluation"])

    def log(self, table: pa.Table, name: str = "") -> Batch:  # type: ignore[override]
        """Served rows, written to the log."""
        batch = self.bring(table, name or f"log{self._sequence}.parquet")
        with self.store.begin() as tx:
            tx.data.quarantine(MODEL, batch.sequence, "it is a log")
            return tx.data.add(served_stream(MODEL), [replace(batch, sequence=0)], START)[0]

    def look(self, *watches: MetricWatch, data: DataSection = DATA, **details: Any) -> Run:
        """A decay run; Done."""
        assert self.judged.holdout is not None
        assert self.judged.holdout.end is not None
        asked = {
            "watches": to_plain(watches or (WATCH,)),
            "predictions": self.judged.predictions,
            "since": format_time(self.judged.holdout.end),
            "previous": None,
        }
        order = self.order(
            kind=RunKind.DECAY,
            data=data,
            version=self.version,
            gates=(GATE,),
            details=asked | details,
        )
        run = self.ended(order)
        assert run.state is RunState.DONE, run.reason
        return run

    def command(self, *words: str) -> str:
        """What the command prints about this workplace."""
        result = CliRunner().invoke(main, list(words), env=self.environment, obj=CliSession())
        assert result.exit_code == 0, result.output
        return result.stdout

    def report(self, run: Run) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.artifacts.read_bytes(run.result["report"]))
        return found


@pytest.fixture(scope="module")
def crowned(tmp_path_factory: pytest.TempPathFactory):
    post = Post.open(tmp_path_factory.mktemp("observe"), INCUMBENT_GRACE="0.5")
    assert isinstance(post, Post)
    try:
        post.crown()
        yield post
    finally:
        post.close()


@pytest.fixture
def post(crowned: Post):
    """What a test brings is gone after it."""
    version = crowned.version
    yield crowned
    crowned.version = version
    with crowned.store.begin() as tx:
        for stream, first in ((MODEL, 3), (served_stream(MODEL), 1)):
            for batch in tx.data.batches(stream):
                if batch.sequence >= first:
                    tx.data.quarantine(stream, batch.sequence, "another test")


def _worse(day: int, days: int = 10) -> pa.Table:
    """Rows whose labels no longer follow the old line: the concept has drifted, the features have not."""
    table = rows_of(day, days)
    x = table["x"].to_numpy()
    return table.set_column(table.schema.get_field_index("y"), "y", pa.array(-2 * x + 1))


def test_decay_is_proven_from_labels_and_told_by_day_window_and_slice(post: Post):
    post.bring(rows_of(20))
    (calm,) = post.look().result["readings"]
    assert (calm["verdict"], calm["n"], calm["labels"]) == ("holding", 1000, 1000)
    assert calm["value"] == pytest.approx(0.8, abs=0.1)
    assert calm["reference"] == pytest.approx(0.8, abs=0.1)
    post.bring(_worse(30))
    detectors = [replace(WATCH, name=name, test=name) for name in ("adwin", "page_hinkley")]
    run = post.look(WATCH, *detectors, replace(WATCH, name="odd", metric="roc_auc"))
    decay, adwin, hinkley, odd = run.result["readings"]
    assert decay["verdict"] == "decayed"
    assert decay["p_worse"] < 0.025
    assert decay["value"] > decay["limit"]
    assert "worse is proven" in decay["sentence"]
    assert [adwin["verdict"], hinkley["verdict"]] == ["decayed", "decayed"]
    assert "page_hinkley saw" in hinkley["sentence"]
    assert odd["verdict"] == "not_enough_data"
    assert "roc_auc needs probabilities" in odd["problem"]
    history = post.report(run)["history"]["mae"]
    assert [point["labels"] for point in history["days"]][:3] == [100, 100, 100]
    assert {p["slice"] for p in history["windows by place"]} == {"north", "south"}
    shown = post.command("drift", MODEL)
    assert f"v{post.version} on 2,000 labels since it was judged ({run.id})" in shown
    assert "decay: mae " in shown
    assert "mae by day, 2013-01-21 to 2013-02-09: " in shown


def test_rows_without_a_label_are_estimated_and_looked_at_again_when_it_is_due(post: Post):
    """The world's time is years after the rows: a delay that reaches from then to now leaves half of them open."""
    post.bring(rows_of(20))
    half = datetime.now(START.tzinfo) - (START + timedelta(days=25))
    run = post.look(data=replace(DATA, label_delay=half))
    assert run.result["rows"] == 1000
    assert 400 <= run.result["labels"] <= 600
    assert run.result["look_again"] > format_time(run.ordered_at)
    (estimate,) = run.result["estimates"]
    assert estimate["is_estimate"] is True
    assert (estimate["method"], estimate["worse"], estimate["news"]) == ("dle", False, False)
    assert estimate["value"] == pytest.approx(0.8, abs=0.15)
    strict = replace(WATCH, margin=-0.9)
    news = []
    for _ in range(2):
        again = post.look(strict, data=replace(DATA, label_delay=half))
        (estimate,) = again.result["estimates"]
        assert estimate["worse"] is True
        news.append(estimate["news"])
    assert news == [True, False], "people are told once"


def test_logged_predictions_meet_their_labels_by_key(post: Post):
    """The version that answered in service was worse than the champion is when it is asked again."""
    rows = rows_of(20)
    post.bring(rows)
    asked = rows.select(["id", "x"]).slice(0, 600)
    asked = asked.append_column("answer", pa.array(np.full(600, 40.0)))
    asked = asked.append_column("by", pa.array([post.version] * 550 + [99] * 50))
    log = post.log(asked)
    served = Served(source="logs/*", prediction="answer", version="by")
    run = post.look(data=replace(DATA, served=served), served_through=log.sequence)
    (reading,) = run.result["readings"]
    assert (run.result["rows"], run.result["labels"]) == (550, 550)
    assert reading["value"] > 30
    assert reading["verdict"] == "decayed"
    assert post.report(run)["predictions_from"] == "the serving log"


def test_champion_and_previous_are_asked_for_the_same_rows(post: Post):
    poor = post.register(post.train(params={"slope": 0.5}))
    post.bring(rows_of(20))
    held = replace(WATCH, worse_than="previous", asked_by="rollback")
    (reading,) = post.look(held, previous=poor).result["readings"]
    assert reading["verdict"] == "holding"
    assert reading["value"] < reading["reference"]
    good, post.version = post.version, poor
    (reading,) = post.look(held, previous=good).result["readings"]
    assert reading["verdict"] == "decayed"
    assert reading["p_worse"] < 0.025
    (reading,) = post.look(replace(held, worse_than="baseline")).result["readings"]
    assert reading["verdict"] in {"holding", "undecided"}


def test_served_rows_are_held_against_the_training_profile_and_row_by_row(post: Post):
    def skewed(after: int) -> Run:
        with post.store.read() as tx:
            through = tx.data.view(served_stream(MODEL)).through
        details = {"after": after, "served_through": through, "reference_through": 2}
        data = replace(DATA, served=Served(source="logs/*"), features=("x", "place"))
        run = post.ended(post.order(kind=RunKind.SKEW, data=data, details=details, recipe=""))
        assert run.state is RunState.DONE, run.reason
        return run

    rows = rows_of(10).select(["id", "x", "place"])
    with post.store.read() as tx:
        before = tx.data.view(served_stream(MODEL)).through
    first = post.log(rows)
    same = skewed(before)
    assert same.result["columns"]["x"]["mismatch_rate"] == 0.0
    assert (same.result["matched"], same.result["verdict"]) == (1000, "ok")
    x = rows["x"].to_numpy().copy()
    x[:30] += 0.5
    second = post.log(rows.set_column(1, "x", pa.array(x)))
    few = skewed(first.sequence)
    assert few.result["columns"]["x"]["mismatch_rate"] == 0.03
    assert few.result["columns"]["x"]["jensen_shannon"] < 0.05
    assert few.result["reasons"] == ["x: 30 of 1,000 rows (3.0%) are not what the data give"]
    post.log(rows.set_column(1, "x", pa.array(x + 9.0)).drop_columns(["id"]))
    moved = skewed(second.sequence)
    assert moved.result["judged"]["x"]["verdict"] == "alert"
    assert "mismatch_rate" not in moved.result["columns"]["x"]
    report = json.loads(post.artifacts.read_bytes(moved.result["report"]))
    assert report["rows_problem"] == "the rows have no key in common"


def test_a_log_without_its_columns_is_one_sentence(post: Post):
    post.bring(rows_of(20))
    log = post.log(rows_of(20).select(["id"]), "poor.parquet")
    served = Served(source="logs/*", prediction="answer")
    data = replace(DATA, served=served)
    details = {
        "watches": to_plain((WATCH,)),
        "predictions": post.judged.predictions,
        "since": format_time(START),
        "served_through": log.sequence,
    }
    run = post.ended(
        post.order(kind=RunKind.DECAY, data=data, version=post.version, details=details)
    )
    assert run.state is RunState.FAILED
    assert run.reason == "the serving log poor.parquet has no column answer"
    assert Path(log.uri).exists()
