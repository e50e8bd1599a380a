"""Trainings on a real Celery worker: the good end, and every bad one in one clear sentence."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kombu import Connection

from controller.adapters.celery import embedded_url
from controller.adapters.celery.settings import declare_queue, queue_name
from controller.domain.rules import Holdout
from controller.domain.runs import RunState
from tests.support.machine import small_file_system
from tests.support.waiting import lives, until
from tests.support.workplace import DATA, MODEL, Workplace, rows_of


def opened(home: Path, **environment: str) -> Workplace:
    place = Workplace.open(home, INCUMBENT_GRACE="0.5", **environment)
    place.bring(rows_of(0))
    place.bring(rows_of(10))
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    place = opened(tmp_path_factory.mktemp("place"), INCUMBENT_LEASE="4")
    try:
        place.start_worker()
        yield place
    finally:
        place.close()


def gone(pid: int) -> None:
    until(lambda: not lives(pid))


def test_a_training_ends_with_a_model_and_where_it_came_from(place: Workplace):
    run = place.train(params={"slope": 1.0})
    assert run.state is RunState.DONE, run.reason
    result = run.result
    assert place.artifacts.size(result["digest"]) == result["size"]
    assert result["format"] == "cloudpickle"
    assert result["metrics"] == {"mae": 1.0}
    assert result["recipe"] == "line"
    assert result["rows"] == 1500
    assert result["cpu_seconds"] > 0
    assert result["peak_memory"] > 1_000_000
    assert "fitted 1500 rows" in place.output(run)
    lineage = place.lineage(run)
    assert lineage["metrics_by_step"] == {"mae": [[0, 3.0], [1, 2.0], [2, 1.0]]}
    assert lineage["params"] == {"slope": 1.0}
    assert lineage["seed"] == 7
    assert lineage["source"]["file"].endswith("toy_training.py")
    assert len(lineage["source"]["digest"]) == 64
    assert lineage["packages"]["numpy"]
    assert lineage["platform"]["python"]
    assert [file["rows"] for file in lineage["data"]["files"]] == [1000, 1000]
    assert lineage["schema"]["x"] == "double"
    assert place.artifacts.read_bytes(lineage["artifacts"]["note.txt"]["digest"]) == b"hello"


def test_a_run_can_be_watched(place: Workplace):
    run = place.train()
    with place.store.read() as tx:
        lines = tx.journal.read(run.id)
        later = tx.journal.read(run.id, after=lines[-1].id)
        workers = tx.workers.all()
    assert [line.entry.text for line in lines if line.entry.kind == "phase"] == [
        "reading data",
        "training",
        "storing the model",
    ]
    metrics = [(e.name, e.step, e.value) for line in lines if (e := line.entry).kind == "metric"]
    assert metrics == [("mae", 0, 3.0), ("mae", 1, 2.0), ("mae", 2, 1.0)]
    assert "fitted 1500 rows" in [line.entry.text for line in lines if line.entry.kind == "log"]
    assert later == []
    assert [(row.name, row.queues, row.concurrency) for row in workers] == [("w1", ("default",), 1)]


def test_the_same_seed_gives_the_same_model(place: Workplace):
    digests = {place.train().result["digest"] for _ in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("entrypoint", "reason"),
    [
        pytest.param(
            "raises", "training raised ValueError: the labels are upside down", id="raises"
        ),
        pytest.param(
            "killed", "was killed by signal 9 (perhaps the machine ran out of memory)", id="kill -9"
        ),
        pytest.param(
            "nothing",
            "returned no model: train(run) returned None, and run.save_model(path) was not called",
            id="no model",
        ),
        pytest.param(
            "exits",
            "training ended the process with sys.exit(3) instead of returning a model",
            id="exits",
        ),
        pytest.param(
            "diverges",
            "metric loss is nan at its last step (1): the training diverged or had no data for it",
            id="NaN metric",
        ),
        pytest.param("absent", "toy_training has no function absent", id="no such function"),
    ],
)
def test_a_bad_end_is_one_sentence(place: Workplace, entrypoint: str, reason: str):
    run = place.train(f"toy_training:{entrypoint}")
    assert run.state is RunState.FAILED
    assert run.reason.startswith(reason)
    assert "\n" not in run.reason
    assert place.lineage(run)["reason"] == run.reason


def test_the_traceback_is_in_the_output(place: Workplace):
    output = place.output(place.train("toy_training:raises"))
    assert output.startswith("about to fail\nTraceback")
    assert output.rstrip().endswith("ValueError: the labels are upside down")


def test_a_module_that_is_not_there_is_named(place: Workplace):
    run = place.train("nowhere.at_all:train")
    assert run.reason.startswith("the entry point's module nowhere.at_all is not in")


def test_what_runs_past_its_limit_is_ended_with_all_that_it_started(place: Workplace):
    run = place.train("toy_training:stubborn", timeout=timedelta(seconds=3))
    assert run.state is RunState.FAILED
    assert run.reason == "ran past its limit of 3s"
    for name in ("started", "grandchild"):
        pid = int((place.home / f"{name}-{run.id}").read_text())
        gone(pid)


def test_what_eats_too_much_memory_is_ended(place: Workplace):
    run = place.train("toy_training:eats", memory=500 << 20)
    assert run.state is RunState.FAILED
    assert run.reason.startswith("used ")
    assert run.reason.endswith("MiB of memory, its limit is 500 MiB")


def test_a_cancel_reaches_the_group(place: Workplace):
    run = place.order("toy_training:sleeps")
    pid = int(until(lambda: (f := place.home / f"grandchild-{run.id}").exists() and f.read_text()))
    with place.store.begin() as tx:
        tx.runs.request_cancel(run.id, "nobody needs it", at=datetime.now(UTC))
    ended = place.ended(run)
    assert ended.state is RunState.CANCELLED
    assert ended.reason == "was cancelled: nobody needs it"
    gone(pid)


def test_the_run_folder_is_gone_afterwards(place: Workplace):
    place.train()
    assert list((place.home / "runs").iterdir()) == []


# --- data ---------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path):
    """A workplace whose data a test may spoil."""
    place = opened(tmp_path / "home")
    try:
        yield place
    finally:
        place.close()


@pytest.mark.slow
def test_data_that_cannot_be_used_is_one_sentence_that_names_the_file(fresh: Workplace):
    fresh.start_worker()

    few = fresh.train(data=replace(DATA, holdout=Holdout(last=timedelta(hours=10), min_rows=5000)))
    assert few.reason.startswith("holdout has 42 labelled rows, at least 5,000 are needed")

    batch = fresh.bring(rows_of(20).drop_columns(["x"]), "2013-07.parquet")
    assert fresh.train().reason.startswith(
        "column x vanished from 2013-07.parquet (it is still in 01.parquet)"
    )
    named = replace(DATA, features=("x", "place"))
    assert fresh.train(data=named).reason.startswith(
        "column x vanished from 2013-07.parquet (the file has id, t,"
    )

    path = Path(batch.uri)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert fresh.train().reason.startswith(
        f"2013-07.parquet has {len(whole) // 2:,} bytes, but had {len(whole):,}"
    )
    path.write_bytes(whole[:-1] + b"X")
    assert fresh.train().reason.startswith("2013-07.parquet is not the file that was taken in")
    path.unlink()
    assert fresh.train().reason.startswith("2013-07.parquet is gone from")

    with fresh.store.begin() as tx:
        tx.data.quarantine(MODEL, batch.sequence, "spoiled")
    assert fresh.train().state is RunState.DONE

    fresh.bring(rows_of(30).set_column(2, "x", pa.array(["a"] * 1000)), "words.parquet")
    assert fresh.train().reason.startswith(
        "column x changed its type: double in 01.parquet and string in words.parquet"
    )


# --- messages -----------------------------------------------------------------------------------------------


def test_a_message_that_is_garbage_is_one_line_and_dropped(place: Workplace):
    before = len(place.log().splitlines())
    headers: dict[str, Any] = {
        "lang": "py",
        "task": "incumbent.run",
        "id": "1",
        "root_id": "1",
        "parent_id": None,
    }
    version = {"incumbent_protocol": 1}
    letters: list[tuple[Any, dict[str, Any], str]] = [
        ("garbage", {}, "application/json"),
        ({"some": "thing"}, {}, "application/json"),
        ([["toy.r1", 0], {}, {}], headers | {"incumbent_protocol": 99}, "application/json"),
        ([["toy.r1", 0], {}, {}], headers, "application/json"),
        ([["toy.r1"], {}, {}], headers | version, "application/json"),
        ([[{"a": 1}, "zero"], {}, {}], headers | version, "application/json"),
        ([["toy.r9999", 0], {}, {}], headers | version, "application/json"),
        ([[], {}, {}], headers | version | {"task": "os.system"}, "application/json"),
        (
            pickle.dumps([["toy.r1", 0], {}, {}]),
            headers | version,
            "application/x-python-serialize",
        ),
    ]
    url = embedded_url(place.home)
    with Connection(url) as connection:
        producer = connection.Producer(serializer="json")
        queue = declare_queue("default", url)
        for body, head, kind in letters:
            producer.publish(
                body,
                headers=head,
                **(
                    {
                        "content_type": kind,
                        "content_encoding": "utf-8" if isinstance(body, str) else "binary",
                    }
                    if isinstance(body, (str, bytes))
                    else {}
                ),
                exchange=queue.exchange,
                routing_key=queue_name("default"),
                declare=[queue],
            )
    assert place.train().state is RunState.DONE  # it still hears
    said = [
        line
        for line in place.log().splitlines()[before:]
        if "dropped" in line or "nothing to claim" in line
    ]
    assert len(said) == len(letters), place.log()
    assert "Traceback" not in place.log()


def test_a_run_folder_that_is_deleted_under_the_training_is_one_sentence(place: Workplace):
    (place.home / "waits.py").write_text(
        "import time\nfrom toy_training import train as fit\ndef train(run):\n"
        "    place = run.folder.parent.parent.parent\n"
        "    (place / 'started').touch()\n"
        "    while not (place / 'go').exists():\n        time.sleep(0.02)\n"
        "    return fit(run)\n"
    )
    run = place.order("waits:train")
    until((place.home / "started").exists)
    for folder in (place.home / "runs").glob(f"{run.id}-*"):
        shutil.rmtree(folder)
    (place.home / "go").touch()
    ended = place.ended(run)
    assert ended.state is RunState.FAILED
    assert "deleted while it ran" in ended.reason
    assert place.train().state is RunState.DONE


def test_a_doorbell_that_rings_twice_trains_once(place: Workplace):
    run = place.order(ring=False)
    for _ in range(3):
        place.ring(run)
    ended = place.ended(run)
    assert place.train().state is RunState.DONE
    held = place.get(run)
    assert (held.attempt, held.fence) == (1, ended.fence) == (1, 1)


# --- room ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_disk_that_is_full_while_the_artifact_is_written(tmp_path: Path):
    home = tmp_path / "home"
    with small_file_system(home / "artifacts", megabytes=1):
        place = opened(home)
        try:
            place.start_worker()
            run = place.train("toy_training:large")
            assert run.state is RunState.FAILED
            assert run.reason.startswith("the disk is full: no room to store an artifact in")
            assert list((home / "artifacts" / "tmp").iterdir()) == []
            assert place.train().state is RunState.DONE
        finally:
            place.close()


@pytest.mark.slow
def test_a_disk_that_is_full_while_the_training_writes(tmp_path: Path):
    home = tmp_path / "home"
    with small_file_system(home / "runs", megabytes=4):
        place = opened(home)
        try:
            place.start_worker()
            run = place.train("toy_training:fills")
            assert run.state is RunState.FAILED
            assert run.reason.startswith("the disk is full: training could not write")
            assert place.train().state is RunState.DONE
        finally:
            place.close()


# --- other languages ----------------------------------------------------------------------------------------

SHELL = """#!/bin/sh
set -e
if [ "$INCUMBENT_TASK" = predict ]; then
    "$PYTHON" -c '
import os, pyarrow.parquet as pq, pyarrow as pa
t = pq.read_table(os.environ["INCUMBENT_FEATURES"])
slope = float(open(os.environ["INCUMBENT_MODEL"]).read())
answers = pa.table({"prediction": [slope * x + 1 for x in t["x"].to_pylist()]})
pq.write_table(answers, os.environ["INCUMBENT_PREDICTIONS"])
'
else
    test -s "$INCUMBENT_DATA"
    echo "training in the shell with seed $INCUMBENT_SEED and $INCUMBENT_PARAMS"
    echo 2.0 > "$INCUMBENT_RUN_DIR/model.txt"
    echo '{"mae": 0.5}' > "$INCUMBENT_RUN_DIR/metrics.json"
fi
"""


def test_another_language_joins_through_a_command(place: Workplace):
    import sys

    script = place.home / "train.sh"
    script.write_text(SHELL.replace("$PYTHON", sys.executable))
    script.chmod(0o755)
    run = place.train(entrypoint=None, command=("./train.sh",), params={"depth": 3})  # type: ignore[arg-type]
    assert run.state is RunState.DONE, run.reason
    assert run.result["metrics"] == {"mae": 0.5}
    assert run.result["format"] == "text"
    assert 'training in the shell with seed 7 and {"depth": 3}' in place.output(run)
    assert place.lineage(run)["source"]["file"].endswith("train.sh")
    judged = place.evaluate(place.register(run), entrypoint=None, command=("./train.sh",))
    assert judged.state is RunState.DONE, judged.reason
    assert judged.result["evaluation"]["evidence"][0]["challenger"] == 1.0


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("false",), "training: the command false ended with exit code 1"),
        (("no-such-program",), "training: the command no-such-program is not there"),
        (
            ("true",),
            "returned no model: the command left neither a folder model/ nor a file model.*",
        ),
    ],
    ids=["fails", "is absent", "leaves no model"],
)
def test_a_command_that_goes_wrong(place: Workplace, command: tuple[str, ...], reason: str):
    run = place.train(entrypoint=None, command=command)  # type: ignore[arg-type]
    assert run.state is RunState.FAILED
    assert run.reason.startswith(reason)


def test_secrets_of_ours_do_not_reach_user_code(place: Workplace):
    (place.home / "spy.py").write_text(
        "import os\n"
        "class M:\n    def predict(self, frame): return [0] * len(frame)\n"
        "def train(run):\n"
        "    print(sorted(n for n in os.environ if n.startswith('INCUMBENT')))\n"
        "    return M()\n"
    )
    output = place.output(place.train("spy:train"))
    assert "INCUMBENT_RUN_DIR" in output
    assert "INCUMBENT_DATABASE_URL" not in output
    assert os.environ.get("INCUMBENT_RUN_DIR") is None


def test_parquet_is_read_by_the_columns_that_are_asked_for(place: Workplace):
    assert pq.read_schema(place.home / "data" / "01.parquet").names == [
        "id",
        "t",
        "x",
        "place",
        "y",
    ]
    run = place.train(data=replace(DATA, features=("x",)))
    assert set(place.lineage(run)["schema"]) == {"x", "y", "t", "id"}
    assert place.lineage(run)["features"] == ["x"]
