"""A search for parameters on a real worker: the best trial's parameters train the challenger."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from controller.domain.rules import Search
from controller.domain.runs import Run, RunState
from tests.support.workplace import Workplace, rows_of

SLOPES = Search(trials=8, metric="mae", space={"slope": [0.25, 1.0, 2.0]})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    place = Workplace.open(tmp_path_factory.mktemp("search"), INCUMBENT_GRACE="0.5")
    try:
        place.bring(rows_of(0))
        place.bring(rows_of(10))
        place.start_worker()
        yield place
    finally:
        place.close()


def lineage(place: Workplace, run: Run) -> dict[str, Any]:
    assert run.state is RunState.DONE, run.reason
    return dict(place.lineage(run))


def test_the_best_trial_trains_the_challenger_as_if_its_parameters_had_been_given(place: Workplace):
    searched = place.train(search=SLOPES)
    given = place.train(params={"slope": 1.0})

    facts = lineage(place, searched)
    assert facts["params"] == {"slope": 1.0}
    assert searched.result["digest"] == given.result["digest"]
    tried = {t["params"]["slope"]: t["value"] for t in facts["search"]["trials"]}
    assert min(tried, key=lambda slope: tried[slope]) == 1.0
    assert facts["search"]["value"] == tried[1.0]
    assert facts["search"]["rows"] == 300
    assert lineage(place, given).get("search") is None


def test_the_same_order_searches_the_same_way(place: Workplace):
    space = {"slope": {"low": 0.5, "high": 1.5}}
    search = Search(trials=5, metric="rmse", space=space)
    once, again = (lineage(place, place.train(search=search)) for _ in range(2))
    assert once["search"] == again["search"]
    assert len(once["search"]["trials"]) == 5


def test_a_trial_that_fails_is_told_and_left_out(place: Workplace):
    facts = lineage(place, place.train("toy_training:picky", search=SLOPES))
    problems = {t["params"]["slope"]: t.get("problem") for t in facts["search"]["trials"]}
    assert problems[2.0] == "training raised ValueError: too steep"
    assert facts["params"] == {"slope": 1.0}


@pytest.mark.parametrize(
    ("entrypoint", "search", "reason"),
    [
        (
            "toy_training:raises",
            SLOPES,
            "none of 8 trials could be ranked; the first: training raised ValueError: "
            "the labels are upside down",
        ),
        (
            "toy_training:train",
            Search(trials=2, metric="profit", space={"slope": [1.0]}),
            "profit cannot be computed here and the training reported none",
        ),
    ],
    ids=["every trial raises", "a metric that nobody reports"],
)
def test_a_search_without_a_result_is_one_sentence(place, entrypoint, search, reason):
    run = place.train(entrypoint, search=search)
    assert run.state is RunState.FAILED
    assert reason in run.reason


COMMAND = """
import json, os, pathlib, pyarrow.parquet as pq
params = json.loads(os.environ["INCUMBENT_PARAMS"])
folder = pathlib.Path(os.environ["INCUMBENT_RUN_DIR"])
rows = pq.read_table(os.environ["INCUMBENT_DATA"]).num_rows
if "INCUMBENT_VALIDATION" in os.environ:
    rows += pq.read_table(os.environ["INCUMBENT_VALIDATION"]).num_rows
(folder / "metrics.json").write_text(json.dumps({"mae": abs(params["slope"] - 1.0), "rows": rows}))
(folder / "model.json").write_text(json.dumps(params))
"""


def test_a_command_searches_by_what_it_reports_on_the_validation_rows(place: Workplace):
    (place.home / "tries.py").write_text(COMMAND)
    run = place.train(entrypoint=None, command=(sys.executable, "tries.py"), search=SLOPES)  # type: ignore[arg-type]
    facts = lineage(place, run)
    assert facts["params"] == {"slope": 1.0}
    assert run.result["metrics"] == {"mae": 0.0, "rows": 1500.0}
