"""The example package, installed as anybody would, from end to end: a metric, a source, a channel and a scorer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.adapters.notify.load import load_plan
from controller.adapters.plugins import PLUGIN_API, installed
from controller.adapters.sources.open import open_source
from controller.domain.codec import load_plain
from controller.domain.evidence import Evaluation
from controller.domain.rules import SourceKey
from controller.domain.runs import RunState
from controller.entrypoints.cli.main import main
from controller.evidence.stored import of_plugins, recompute
from controller.ports import Message
from controller.rulefmt import load_policy
from tests.support.plugins import install_example
from tests.support.workplace import ROOT, Workplace, rows_of

POLICY = """\
version: 1
model: toy
data: {source: "example-lines:/var/log/flights.jsonl", target: y, time: t, key: id}
train: {entrypoint: "toy_training:train"}
triggers: [{new_data: {rows: 100}}]
metrics: {late_minutes: {higher_is_better: false}}
promote:
  - {name: better, metric: late_minutes, better_than: champion}
  - {name: low, metric: late_minutes, at_most: 5}
  - {name: usual, metric: mae, better_than: champion}
"""
TABLE = """
import json
import numpy as np

def table(run):
    frame = run.pandas()
    slope, start = np.polyfit(frame["x"], frame["y"], 1)
    path = run.folder / "model.table"
    path.write_text(json.dumps({"x": slope, "": start}))
    run.save_model(path)
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = install_example(tmp_path_factory.mktemp("plugin") / "packages")
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(folder))
    patch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
    yield folder
    patch.undo()
    assert not [name for name in sys.modules if name.startswith("incumbent_example")]


@pytest.fixture(scope="module")
def place(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    place = Workplace.open(tmp_path_factory.mktemp("place"))
    try:
        (place.home / "tables.py").write_text(TABLE)
        place.bring(rows_of(0))
        place.bring(rows_of(10))
        place.start_worker()
        yield place
    finally:
        place.close()


def test_each_kind_is_found_by_its_declaration(example: Path):
    found = {f"{one.group.noun} {one.name}": one for one in installed()}
    assert set(found) == {
        "metric late_minutes",
        "source example-lines",
        "channel example-file",
        "scorer example-table",
    }
    assert {one.package for one in found.values()} == {"incumbent-example-plugin 1.0.0"}
    assert {one.problem for one in found.values()} == {""}


def test_a_metric_and_a_scorer_judge_a_challenger(place: Workplace):
    poor = place.register(place.train(params={"slope": 0.5}))
    trained = place.train("tables:table")
    assert place.lineage(trained)["model"]["format"] == "example-table"
    gates = load_policy(POLICY, "toy.yaml").promote
    run = place.evaluate(place.register(trained), champion=poor, gates=gates)
    assert run.state is RunState.DONE, run.reason
    found: Evaluation = load_plain(Evaluation, run.result["evaluation"])
    better, low, usual = (found.for_gate(gate.name) for gate in gates)
    assert better is not None
    assert low is not None
    assert usual is not None
    assert (better.problem, low.problem, usual.problem) == (None, None, None)
    assert better.p_pass is not None
    assert better.p_pass < 0.01
    assert better.n == usual.n == 500
    assert better.challenger is not None
    assert usual.challenger is not None
    assert usual.challenger < better.challenger < 2 * usual.challenger
    assert better.challenger == low.challenger
    assert better.details["plugin"] == "incumbent-example-plugin 1.0.0"

    assert found.predictions is not None
    content = place.artifacts.read_bytes(found.predictions)
    assert recompute(found, gates, content) == []
    assert [sentence.split(" was")[0] for sentence in of_plugins(found)] == [
        "Gate better",
        "Gate low",
    ]


def test_a_policy_that_reads_the_metric_the_other_way_gets_no_evidence(place: Workplace):
    version = place.register(place.train())
    policy = POLICY.replace("higher_is_better: false", "higher_is_better: true")
    gates = load_policy(policy, "toy.yaml").promote[:2]
    run = place.evaluate(version, champion=version, gates=gates)
    found: Evaluation = load_plain(Evaluation, run.result["evaluation"])
    better, low = (found.for_gate(gate.name) for gate in gates)
    assert better is not None
    assert better.problem is not None
    assert "says the opposite of the policy" in better.problem
    assert low is not None
    assert low.problem is None


def test_a_source_brings_what_was_appended(example: Path, tmp_path: Path):
    log = tmp_path / "flights.jsonl"
    log.write_text('{"x": 1, "y": 2.5}\n{"x": 2, "y": 3.5}\n{"x": 3')
    key = SourceKey(address=f"example-lines:{log}")
    source = open_source(key, base=tmp_path, spool=tmp_path / "spool")
    first = source.poll(None)
    assert [batch.rows for batch in first.batches] == [2]
    assert dict(first.batches[0].schema) == {"x": "BIGINT", "y": "DOUBLE"}
    assert Path(first.batches[0].uri).parent == (tmp_path / "spool").resolve()
    assert source.poll(None).batches == first.batches
    assert source.poll(first.cursor).batches == ()
    with log.open("a") as stream:
        stream.write(', "y": 4.5}\n')
    assert [batch.rows for batch in source.poll(first.cursor).batches] == [1]


def test_a_channel_takes_a_message(example: Path, tmp_path: Path):
    said, file = tmp_path / "said.jsonl", tmp_path / "notify.toml"
    file.write_text(f"[channels.ops]\nto = ['example-file://{said}']\n")
    file.chmod(0o600)
    plan = load_plan(file, source="here")
    assert plan.problems == ()
    (sender,) = plan.senders["ops"]
    moment = datetime(2013, 1, 1, tzinfo=UTC)
    sender.send(
        Message(key="k", channel="ops", subject="won", text="v2 won", at=moment, data={"n": 2})
    )
    assert json.loads(said.read_text()) == {
        "key": "k",
        "channel": "ops",
        "subject": "won",
        "text": "v2 won",
        "at": "2013-01-01T00:00:00.000000Z",
        "data": {"n": 2},
    }


def test_doctor_lists_them(example: Path, tmp_path: Path):
    shown = CliRunner().invoke(
        main, ["doctor", "--only", "plugins"], env={"INCUMBENT_HOME": str(tmp_path / "home")}
    )
    assert shown.exit_code == 0, shown.output
    for name in ("late_minutes", "example-lines", "example-file", "example-table"):
        assert name in shown.output
    assert f"API {PLUGIN_API}" in shown.output
