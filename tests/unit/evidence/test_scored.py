"""From one evaluation's predictions to the evidence of each gate: who is held against whom, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.errors import IntegrityError
from controller.domain.metrics import METRICS, Direction
from controller.domain.rules import Comparison, Gate, Margin, Reference, Slices
from controller.evidence.scored import OwnMetric, Scored, ScoredSide, gate_evidence, seed_of
from controller.evidence.stored import evidence_from, read_scored, write_scored

CHANCE = np.random.default_rng(1)
N = 400
LABELS = CHANCE.normal(size=N)
DAYS = np.datetime64("2013-01-01") + np.repeat(np.arange(40), 10).astype("timedelta64[D]")
GOOD = LABELS + 0.1 * CHANCE.normal(size=N)
POOR = LABELS + CHANCE.normal(size=N)


def side(name: str, values: Any = None, **more: Any) -> ScoredSide:
    return ScoredSide(name=name, values=None if values is None else np.asarray(values), **more)


def scored(**changes: Any) -> Scored:
    fields: dict[str, Any] = {
        "run": "toy.r2",
        "y": LABELS,
        "sides": {"challenger": side("challenger v2", GOOD), "champion": side("champion v1", POOR)},
        "baseline": {"median": 0.0, "mean": 0.1, "majority": 0.0, "last": 0.5},
        "time": DAYS,
    }
    return Scored(**(fields | changes))


def gate(metric: str = "mae", **changes: Any) -> Gate:
    fields: dict[str, Any] = {
        "name": "g",
        "metric": metric,
        "comparison": Comparison.BETTER_THAN,
        "reference": Reference.CHAMPION,
    }
    return Gate(**(fields | changes))


EMPTY_SEAT = {"challenger": side("challenger v2", GOOD)}


@pytest.mark.parametrize(
    ("asked", "held_against"),
    [
        pytest.param(gate(), "training median", id="absolute errors: the median"),
        pytest.param(gate("rmse"), "training mean", id="squared errors: the mean"),
        pytest.param(gate("accuracy"), "training majority", id="classes: the majority"),
        pytest.param(
            gate(test="diebold_mariano"), "last training value", id="forecasts: the last value"
        ),
        pytest.param(gate(reference=Reference.ANCHOR), "training median", id="no anchor either"),
    ],
)
def test_an_empty_seat_is_replaced_by_the_best_constant(asked: Gate, held_against: str):
    assert gate_evidence(scored(sides=EMPTY_SEAT), asked).reference_name == held_against


def test_without_an_anchor_the_champion_is_held_against():
    assert gate_evidence(scored(), gate(reference=Reference.ANCHOR)).reference_name == "champion v1"


def test_the_baseline_can_be_asked_for_by_name():
    found = gate_evidence(scored(), gate(reference=Reference.BASELINE))
    assert found.reference_name == "training median"


def test_the_better_side_is_seen_and_days_are_the_blocks():
    found = gate_evidence(scored(), gate())
    assert (found.reference_name, found.blocks, found.problem) == ("champion v1", 40, None)
    assert found.p_pass is not None
    assert found.p_pass < 0.001


@pytest.mark.parametrize("broken", ["challenger", "champion"])
def test_a_side_without_answers_lets_nobody_pass(broken: str):
    sides = dict(scored().sides)
    sides[broken] = ScoredSide(name=f"{broken} v9", problem="it cannot be loaded")
    found = gate_evidence(scored(sides=sides), gate())
    assert found.problem == f"{broken} v9: it cannot be loaded"
    assert (found.challenger, found.p_pass) == (None, None)


def test_seeds_follow_from_names():
    assert seed_of("toy.r2", "better") == seed_of("toy.r2", "better")
    assert (
        len({seed_of("toy.r2", "better"), seed_of("toy.r3", "better"), seed_of("toy.r2", "b")}) == 3
    )


def test_slices_come_the_worst_first_and_small_ones_are_counted():
    place = np.array(["north"] * 200 + ["south"] * 195 + ["isle"] * 5, dtype=object)
    answers = np.where(place == "south", LABELS + 3, GOOD)
    held = scored(
        sides={"challenger": side("challenger v2", answers), "champion": side("champion v1", POOR)},
        groups={"place": place},
    )
    asked = gate(
        comparison=Comparison.NOT_WORSE_THAN,
        margin=Margin(value=0.1),
        slices=Slices(by=("place",), min_rows=100),
    )
    parts = gate_evidence(held, asked).slices
    assert [(part.slice["place"], part.n) for part in parts[:2]] == [("south", 195), ("north", 200)]
    assert (parts[2].slice["place"], parts[2].n, parts[2].challenger) == ("isle", 5, None)


def test_a_column_that_is_not_there_gives_no_slices():
    asked = gate(slices=Slices(by=("nowhere",)))
    assert gate_evidence(scored(), asked).slices == ()


# --- classes and probabilities ------------------------------------------------------------------------------

CLASSES = np.array(["no", "yes"], dtype=object)[(LABELS > 0).astype(int)]
CERTAIN = 1 / (1 + np.exp(-6 * GOOD))
VAGUE = 1 / (1 + np.exp(-1 * POOR))


def classifier(name: str, p: Any) -> ScoredSide:
    return ScoredSide(
        name=name,
        values=np.array(["no", "yes"], dtype=object)[(np.asarray(p) > 0.5).astype(int)],
        probabilities=np.column_stack([1 - p, p]),
        classes=("no", "yes"),
    )


def classified(**changes: Any) -> Scored:
    sides = {
        "challenger": classifier("challenger v2", CERTAIN),
        "champion": classifier("champion v1", VAGUE),
    }
    baseline = {"majority": "no", "shares": [["yes", 0.4], ["no", 0.6]]}
    return scored(y=CLASSES, sides=sides, baseline=baseline, **changes)


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "log_loss", "brier", "roc_auc"])
def test_classifiers_are_compared(metric: str):
    found = gate_evidence(classified(), gate(metric))
    assert found.problem is None
    assert found.p_pass is not None
    assert found.p_pass < 0.05


@pytest.mark.parametrize(
    ("metric", "name"),
    [("log_loss", "training frequencies"), ("accuracy", "training majority")],
)
def test_a_first_classifier_is_held_against_what_is_frequent(metric: str, name: str):
    held = classified()
    found = gate_evidence(
        replace(held, sides={"challenger": held.sides["challenger"]}), gate(metric)
    )
    assert (found.reference_name, found.problem) == (name, None)


def test_probabilities_that_nobody_gave_are_missed():
    held = scored(y=CLASSES, sides={"challenger": side("challenger v2", CLASSES)})
    found = gate_evidence(
        held, gate("log_loss", reference=None, comparison=Comparison.AT_MOST, threshold=1.0)
    )
    assert found.problem == "log_loss needs probabilities, and there are none"


# --- what is measured on the model --------------------------------------------------------------------------


def test_a_measured_value_is_held_against_its_threshold():
    sides = {"challenger": side("challenger v2", GOOD, measured={"latency_ms_p95": 20.0})}
    asked = gate("latency_ms_p95", reference=None, comparison=Comparison.AT_MOST, threshold=50.0)
    found = gate_evidence(scored(sides=sides), asked)
    assert (found.challenger, found.reference, found.theta) == (20.0, 50.0, -30.0)
    missing = gate_evidence(scored(), asked)
    assert (missing.challenger, missing.problem) == (None, "latency_ms_p95 was not measured")


def churn(**changes: Any) -> Gate:
    return gate(
        "prediction_change_rate",
        reference=None,
        comparison=Comparison.AT_MOST,
        threshold=0.1,
        **changes,
    )


def test_predictions_that_moved_little_have_not_changed():
    moved = POOR.copy()
    moved[:100] += 10
    sides = {"challenger": side("c", moved + 0.001), "champion": side("champion v1", POOR)}
    assert gate_evidence(scored(sides=sides), churn()).challenger == 0.25


def test_classes_change_where_they_differ():
    other = CLASSES.copy()
    other[:40] = np.where(other[:40] == "no", "yes", "no")
    sides = {"challenger": side("c", other), "champion": side("champion v1", CLASSES)}
    assert gate_evidence(scored(y=CLASSES, sides=sides), churn()).challenger == 0.1


def test_with_an_empty_seat_nothing_changes():
    found = gate_evidence(scored(sides=EMPTY_SEAT), churn())
    assert (found.challenger, found.problem) == (0.0, None)


# --- the stored file ----------------------------------------------------------------------------------------


def test_the_stored_file_gives_the_same_evidence(tmp_path: Path):
    held = classified(groups={"place": np.array(["a", "b"] * 200, dtype=object)})
    rows = {
        "y": pa.chunked_array([pa.array(held.y)]),
        "time": pa.chunked_array([pa.array(held.time)]),
    }
    groups = {"place": pa.chunked_array([pa.array(held.groups["place"])])}
    path = tmp_path / "scored.parquet"
    write_scored(path, rows, groups, (held.run, held.sides, held.baseline))
    gates = [gate("log_loss"), gate("accuracy", slices=Slices(by=("place",))), churn()]
    assert evidence_from(read_scored(path.read_bytes()), gates) == evidence_from(held, gates)


def test_what_is_no_such_file_is_one_sentence():
    with pytest.raises(IntegrityError, match="the stored predictions cannot be read"):
        read_scored(b"PAR1 but not really")


# --- metrics that a package brings ------------------------------------------------------------------------------


def own(loss: Any, *, lower: bool = True, problem: str = "") -> dict[str, OwnMetric]:
    metric = replace(
        METRICS["mae"],
        name="cost",
        direction=Direction.LOWER if lower else Direction.HIGHER,
        given=True,
    )
    return {"cost": OwnMetric(metric=metric, package="acme 1.0", loss=loss, problem=problem)}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), threshold=st.floats(0, 3), margin=st.floats(0, 1))
def test_a_metric_of_a_package_is_compared_like_one_of_ours(
    seed: int, threshold: float, margin: float
):
    chance = np.random.default_rng(seed)
    sides = {
        "challenger": side("challenger v2", LABELS + chance.normal(size=N)),
        "champion": side("champion v1", LABELS + chance.normal(size=N)),
    }
    held = scored(sides=sides, own=own(lambda y, p: np.abs(y - p)))
    for asked in (
        gate(margin=Margin(value=margin)),
        gate(reference=None, comparison=Comparison.AT_MOST, threshold=threshold),
    ):
        ours = gate_evidence(held, asked)
        theirs = gate_evidence(held, replace(asked, metric="cost"))
        assert theirs.details["plugin"] == "acme 1.0"
        same = ("challenger", "reference", "theta", "p_pass", "p_fail", "n", "blocks", "problem")
        assert [getattr(theirs, name) for name in same] == [getattr(ours, name) for name in same]


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (lambda _y, _p: 1.0, "gave the shape () for 400 rows"),
        (lambda y, _p: np.full(len(y), np.nan), "no finite number for 400 rows"),
        (lambda _y, _p: 1 / 0, "raised ZeroDivisionError"),
        (lambda _y, _p: "dear", "raised ValueError"),
        (None, "has no loss"),
    ],
)
def test_a_metric_that_gives_no_number_a_row_lets_nobody_pass(loss: Any, sentence: str):
    found = gate_evidence(scored(own=own(loss)), gate("cost"))
    assert found.problem is not None
    assert sentence in found.problem
    assert (found.challenger, found.p_pass) == (None, None)
    assert found.details["plugin"] == "acme 1.0"


def test_a_metric_cannot_change_what_is_stored():
    def spoil(y: Any, p: Any) -> Any:
        p[:] = y[:] = 0.0
        return np.abs(y - p)

    held = scored(own=own(spoil))
    before = gate_evidence(held, gate())
    gate_evidence(held, gate("cost"))
    assert gate_evidence(held, gate()) == before


@pytest.mark.parametrize(
    ("lower", "said", "agrees"),
    [
        (True, None, True),
        (True, False, True),
        (True, True, False),
        (False, None, False),
        (False, True, True),
    ],
)
def test_the_policy_and_the_package_must_mean_the_same_direction(
    *, lower: bool, said: bool | None, agrees: bool
):
    held = scored(own=own(lambda y, p: np.abs(y - p), lower=lower))
    found = gate_evidence(held, gate("cost", higher_is_better=said))
    assert (found.problem is None) is agrees
    threshold = gate(
        "cost", reference=None, comparison=Comparison.AT_MOST, threshold=9.0, higher_is_better=said
    )
    assert gate_evidence(held, threshold).problem is None


def test_class_labels_reach_the_metric_as_they_are():
    labels = np.random.default_rng(3).choice(np.array(["late", "punctual"], dtype=object), N)
    sides = {
        "challenger": side("challenger v2", labels),
        "champion": side("champion v1", np.array(["late"] * N, dtype=object)),
    }
    held = scored(y=labels, sides=sides, own=own(lambda y, p: (y != p).astype(float)))
    found = gate_evidence(held, gate("cost"))
    assert (found.problem, found.challenger) == (None, 0.0)
    assert found.reference == pytest.approx((labels != "late").mean())
