"""Evaluations on a real Celery worker: the same rows for all, evidence for every gate, never a pass by accident."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from controller.domain.codec import load_plain
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import SERVABLE, Comparison, Gate, Margin, Reference, Slices
from controller.domain.runs import Run, RunKind, RunState
from controller.evidence.stored import recompute
from tests.support.workplace import DATA, Workplace, rows_of

BETTER = Gate(
    name="better", metric="mae", comparison=Comparison.BETTER_THAN, reference=Reference.CHAMPION
)
GATES = (
    BETTER,
    Gate(name="absolute", metric="mae", comparison=Comparison.AT_MOST, threshold=1.0),
    Gate(name="fast", metric="latency_ms_p95", comparison=Comparison.AT_MOST, threshold=1000.0),
    Gate(name="small", metric="model_size_bytes", comparison=Comparison.AT_MOST, threshold=1e6),
    Gate(
        name="churn", metric="prediction_change_rate", comparison=Comparison.AT_MOST, threshold=0.1
    ),
    Gate(
        name="everywhere",
        metric="mae",
        comparison=Comparison.NOT_WORSE_THAN,
        reference=Reference.CHAMPION,
        margin=Margin(value=0.05, relative=True),
        slices=Slices(by=("place",), min_rows=100),
    ),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    place = Workplace.open(tmp_path_factory.mktemp("place"))
    try:
        place.bring(rows_of(0))
        place.bring(rows_of(10))
        place.start_worker()
        yield place
    finally:
        place.close()


@pytest.fixture(scope="module")
def good(place: Workplace) -> int:
    return place.register(place.train())


@pytest.fixture(scope="module")
def poor(place: Workplace) -> int:
    return place.register(place.train(params={"slope": 0.5}))


def evaluation(run: Run) -> Evaluation:
    assert run.state is RunState.DONE, run.reason
    found: Evaluation = load_plain(Evaluation, run.result["evaluation"])
    return found


def gate(found: Evaluation, name: str) -> GateEvidence:
    evidence = found.for_gate(name)
    assert evidence is not None
    return evidence


def test_a_better_challenger_has_the_evidence_for_it(place: Workplace, good: int, poor: int):
    found = evaluation(place.evaluate(good, champion=poor, gates=GATES))
    assert [item.gate for item in found.evidence] == [SERVABLE, *(g.name for g in GATES)]
    assert [item.problem for item in found.evidence] == [None] * 7
    servable, better = gate(found, SERVABLE), gate(found, "better")
    assert (servable.challenger, servable.p_pass) == (1.0, 0.0)
    assert better.reference_name == f"champion v{poor}"
    assert better.challenger is not None
    assert better.reference is not None
    assert better.challenger < better.reference
    assert better.p_pass is not None
    assert better.p_pass < 0.01
    assert (better.n, better.blocks) == (500, 5)
    assert gate(found, "fast").challenger is not None
    assert gate(found, "churn").challenger is not None
    slices = gate(found, "everywhere").slices
    assert {part.slice["place"] for part in slices} == {"north", "south"}
    assert sum(part.n for part in slices) == 500
    assert found.holdout is not None
    assert (found.holdout.rows, found.holdout.labelled) == (500, 500)
    assert found.metrics["mae"] == pytest.approx(better.challenger)
    assert found.details["champion"]["mae"] == pytest.approx(better.reference)


def test_the_predictions_are_kept_row_by_row(place: Workplace, good: int, poor: int):
    found = evaluation(place.evaluate(good, champion=poor, anchor=good, gates=GATES))
    assert found.predictions
    table = pq.read_table(io.BytesIO(place.artifacts.read_bytes(found.predictions)))
    assert table.column_names == [
        "key",
        "time",
        "y",
        "challenger",
        "champion",
        "anchor",
        "slice_place",
    ]
    assert table.num_rows == 500
    facts = json.loads(table.schema.metadata[b"incumbent"])
    assert facts["sides"]["champion"]["name"] == f"champion v{poor}"
    assert table["anchor"].equals(table["challenger"])


def test_the_evidence_can_be_computed_again_bit_for_bit(place: Workplace, good: int, poor: int):
    found = evaluation(place.evaluate(good, champion=poor, gates=GATES))
    assert found.predictions
    content = place.artifacts.read_bytes(found.predictions)
    assert recompute(found, GATES, content) == []
    forged = replace(gate(found, "better"), p_pass=0.5)
    lie = replace(
        found, evidence=tuple(forged if e.gate == "better" else e for e in found.evidence)
    )
    (sentence,) = recompute(lie, GATES, content)
    assert sentence.startswith("gate better: p_pass is stored as 0.5 and comes out as ")
    assert recompute(found, GATES[1:], content) == [
        "gate better is not among those that were asked for."
    ]


def test_two_evaluations_of_the_same_pair_agree(place: Workplace, good: int, poor: int):
    first, second = (
        evaluation(place.evaluate(good, champion=poor, gates=(BETTER,))) for _ in range(2)
    )
    assert gate(first, "better").difference == gate(second, "better").difference
    assert first.holdout == second.holdout


def test_an_empty_seat_is_replaced_by_the_training_median(place: Workplace, good: int):
    found = gate(evaluation(place.evaluate(good, gates=(BETTER,))), "better")
    assert found.reference_name == "training median"
    assert found.p_pass is not None
    assert found.p_pass < 0.01


def test_the_same_model_is_not_better_than_itself(place: Workplace, good: int):
    found = gate(evaluation(place.evaluate(good, champion=good, gates=(BETTER,))), "better")
    assert found.problem is not None
    assert "predict the same" in found.problem


@pytest.mark.parametrize(
    ("entrypoint", "problem"),
    [("unloadable", "it cannot be loaded in a fresh process: ZeroDivisionError: division by zero")],
)
def test_a_challenger_that_cannot_be_loaded_is_not_servable(
    place: Workplace, good: int, entrypoint: str, problem: str
):
    challenger = place.register(place.train(f"toy_training:{entrypoint}"))
    found = evaluation(place.evaluate(challenger, champion=good, gates=GATES))
    assert gate(found, SERVABLE).problem == problem
    assert gate(found, SERVABLE).challenger == 0.0
    for item in found.evidence[1:]:
        assert item.challenger is None
        assert item.problem == f"challenger v{challenger}: {problem}"


def test_a_champion_that_cannot_be_loaded_lets_nobody_pass(place: Workplace, good: int):
    broken = place.register(place.train("toy_training:unloadable"))
    found = evaluation(place.evaluate(good, champion=broken, gates=(BETTER,)))
    assert gate(found, SERVABLE).problem is None
    assert gate(found, "better").problem is not None
    assert gate(found, "better").p_pass is None


def test_predictions_that_are_no_numbers_never_pass(place: Workplace, good: int):
    rogue = place.register(place.train("toy_training:rogue"))
    found = gate(evaluation(place.evaluate(rogue, champion=good, gates=(BETTER,))), "better")
    assert found.p_pass is None
    assert (
        found.problem
        == "The challenger's predictions are missing, NaN or infinite on 12 of 500 rows."
    )


def test_a_damaged_artifact_is_named(place: Workplace, good: int):
    lost = place.register(place.train(params={"slope": 0.9}))
    with place.store.read() as tx:
        digest = next(v.digest for v in tx.registry.versions("toy") if v.number == lost)
    place.artifacts.delete(digest)
    problem = gate(
        evaluation(place.evaluate(lost, champion=good, gates=(BETTER,))), SERVABLE
    ).problem
    assert problem is not None
    assert digest in problem


def test_a_version_that_nobody_knows_is_a_failure(place: Workplace, good: int):
    run = place.evaluate(good, champion=999, gates=(BETTER,))
    assert run.state is RunState.FAILED
    assert run.reason == "version 999 of toy is not in the registry"


def test_a_version_is_verified_by_answering(place: Workplace, good: int):
    run = place.ended(place.order(kind=RunKind.VERIFY, version=good))
    assert run.state is RunState.DONE, run.reason
    assert run.result["verified"] is True
    assert run.result["rows"] == 500


def test_missing_labels_are_counted_and_do_not_judge(place: Workplace, good: int):
    table = rows_of(20, days=3)
    labels: list[Any] = table["y"].to_pylist()
    labels[250:280] = [None] * 30
    import pyarrow as pa

    batch = place.bring(table.set_column(4, "y", pa.array(labels)), "late.parquet")
    found = evaluation(place.evaluate(good, gates=(BETTER,)))
    with place.store.begin() as tx:
        tx.data.quarantine("toy", batch.sequence, "only for this test")
    assert found.holdout is not None
    assert (found.holdout.rows, found.holdout.labelled) == (500, 470)
    assert found.details["unlabelled"] == 30
    assert gate(found, "better").n == 470


def test_labels_that_are_not_due_are_left_out(place: Workplace, good: int):
    late = replace(DATA, label_delay=timedelta(days=365 * 100))
    run = place.evaluate(good, gates=(BETTER,), data=late)
    assert run.state is RunState.FAILED
    assert run.reason.startswith("holdout has 0 labelled rows")
