"""The front door: right answers, the right test, and a sentence for every wrong input."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.evidence import GateEvidence
from controller.domain.metrics import METRICS, PredictionType
from controller.domain.rules import Comparison
from controller.evidence.compare import Options, Question, compare_models

RNG = np.random.default_rng(42)
N = 800
Y = RNG.normal(20.0, 5.0, N)
GOOD = Y + RNG.normal(0.0, 1.0, N)
BAD = Y + RNG.normal(0.0, 1.5, N)
POOR = Y + RNG.normal(0.0, 6.0, N)
BETTER = Question(metric="mae", comparison=Comparison.BETTER_THAN)
NOT_WORSE = Question(metric="mae", comparison=Comparison.NOT_WORSE_THAN, margin=0.1)


def passes(evidence: GateEvidence) -> bool:
    """What a decision does with it at 95 % confidence."""
    met = evidence.p_pass is not None and evidence.p_pass < 0.05
    return evidence.problem is None and met


def assert_plain(evidence: GateEvidence) -> None:
    """JSON-ready, without NaN, and consistent in itself."""
    json.dumps(asdict(evidence), allow_nan=False)
    if evidence.problem is not None:
        assert evidence.problem.endswith((".", "?")), evidence.problem
        assert "\n" not in evidence.problem
        assert evidence.p_pass is None


# --- answers --------------------------------------------------------------------------------


def test_a_better_challenger_passes_and_a_worse_one_fails() -> None:
    up, down = compare_models(Y, GOOD, BAD, BETTER), compare_models(Y, BAD, GOOD, BETTER)
    assert_plain(up)
    assert passes(up)
    assert not passes(down)
    assert up.p_fail is not None
    assert up.p_fail > 0.99
    assert down.p_fail is not None
    assert down.p_fail < 0.001
    assert up.difference == pytest.approx(np.mean(np.abs(GOOD - Y) - np.abs(BAD - Y)))
    assert up.interval_low is not None
    assert up.interval_high is not None
    assert up.difference is not None
    assert up.interval_low < up.difference < up.interval_high < 0
    assert up.n == N
    assert up.method == "paired BCa bootstrap of 800 rows"
    assert up.resamples == 10_000


@pytest.mark.parametrize(
    ("metric", "y", "good", "bad"),
    [
        ("r2", Y, GOOD, BAD),
        ("rmse", Y, GOOD, BAD),
        ("absolute_error_p90", Y, GOOD, BAD),
        ("pinball_p90", Y, GOOD, BAD),
        ("roc_auc", Y > 20, GOOD, BAD),
        ("average_precision", Y > 20, GOOD, BAD),
        ("f1", Y > 20, GOOD > 20, POOR > 20),
        ("accuracy", Y > 20, GOOD > 20, POOR > 20),
        ("log_loss", Y > 20, 1 / (1 + np.exp(20 - GOOD)), 1 / (1 + np.exp(20 - BAD))),
        ("brier", Y > 20, 1 / (1 + np.exp(20 - GOOD)), 1 / (1 + np.exp(20 - BAD))),
        (
            "f1_macro",
            np.digitize(Y, [15, 25]),
            np.digitize(GOOD, [15, 25]),
            np.digitize(POOR, [15, 25]),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_of_metric_sees_the_better_model(
    metric: str, y: Any, good: Any, bad: Any
) -> None:
    question = Question(metric=metric, comparison=Comparison.BETTER_THAN)
    options = Options(resamples=1000)
    up, down = (
        compare_models(y, good, bad, question, options),
        compare_models(y, bad, good, question, options),
    )
    assert_plain(up)
    assert passes(up)
    assert not passes(down)
    assert up.theta is not None
    assert down.theta == pytest.approx(-up.theta)


@pytest.mark.parametrize(
    ("question", "theta"),
    [
        (BETTER, "new - old"),
        (replace(BETTER, margin=0.1), "new - old + 0.1"),
        (replace(BETTER, margin=0.1, relative=True), "new - 0.9 * old"),
        (NOT_WORSE, "new - old - 0.1"),
        (replace(NOT_WORSE, relative=True), "new - 1.1 * old"),
        (Question(metric="mae", comparison=Comparison.AT_MOST, threshold=2.0), "new - 2"),
        (Question(metric="mae", comparison=Comparison.AT_LEAST, threshold=2.0), "2 - new"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_theta_of_each_need(question: Question, theta: str) -> None:
    found = compare_models(Y, GOOD, BAD, question)
    values = {"new": found.challenger, "old": found.reference}
    assert found.theta == pytest.approx(eval(theta, {}, values))


def test_scores_turn_the_sign_and_the_relative_margin() -> None:
    question = Question(
        metric="r2", comparison=Comparison.NOT_WORSE_THAN, margin=0.1, relative=True
    )
    found = compare_models(Y, BAD, GOOD, question)
    assert found.challenger is not None
    assert found.reference is not None
    assert found.theta == pytest.approx(0.9 * found.reference - found.challenger)
    assert passes(found)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question(metric="mae", comparison=Comparison.AT_MOST, threshold=1.0), True),
        (Question(metric="mae", comparison=Comparison.AT_MOST, threshold=0.5), False),
        (Question(metric="r2", comparison=Comparison.AT_LEAST, threshold=0.5), True),
        (Question(metric="r2", comparison=Comparison.AT_LEAST, threshold=0.99), False),
    ],
    ids=["mae at most 1", "mae at most 0.5", "r2 at least 0.5", "r2 at least 0.99"],
)
def test_thresholds(question: Question, *, expected: bool) -> None:
    assert passes(compare_models(Y, GOOD, None, question)) is expected


def test_p_values_and_interval_tell_one_story() -> None:
    level = 0.05
    for shift in np.linspace(-0.2, 0.2, 9):
        found = compare_models(Y, BAD + shift, BAD, BETTER)
        if found.problem:
            continue
        assert found.p_pass is not None
        assert found.interval_high is not None
        assert (found.p_pass < level) == (found.interval_high < 0.0)


def test_missing_labels_are_dropped_and_counted() -> None:
    y: list[float | None] = [*Y[:-3], None, None, math.nan]
    found = compare_models(y, GOOD, BAD, BETTER)
    assert (found.n, found.n_dropped) == (N - 3, 3)
    assert found.challenger == pytest.approx(np.mean(np.abs(GOOD - Y)[:-3]))
    assert passes(found)


def test_an_inconclusive_test_says_how_many_rows_would_have_decided_it() -> None:
    nearly = Y + (BAD - Y) * 0.99
    few = compare_models(Y[:100], nearly[:100] + RNG.normal(0, 0.5, 100), BAD[:100], BETTER)
    assert few.p_pass is not None
    assert few.p_fail is not None
    assert min(few.p_pass, few.p_fail) > 0.05
    assert few.needed_n is not None
    assert few.needed_n > 100
    assert few.details["detectable"] is not None


def test_weights_count_rows() -> None:
    weights = np.where(np.arange(N) % 2, 2.0, 1.0)
    question = BETTER
    weighted = compare_models(Y, GOOD, BAD, question, Options(weights=weights))
    assert weighted.challenger == pytest.approx(np.average(np.abs(GOOD - Y), weights=weights))
    assert passes(weighted)


def test_zero_weights_leave_rows_out() -> None:
    weights = (np.arange(N) < 400) * 1.0
    found = compare_models(Y, GOOD, BAD, BETTER, Options(weights=weights))
    assert found.challenger == pytest.approx(np.mean(np.abs(GOOD - Y)[:400]))
    assert found.n == 400


# --- reproducible ------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["mae", "rmse", "absolute_error_p90"])
@pytest.mark.parametrize("blocks", [False, True], ids=["rows", "blocks"])
def test_the_same_seed_gives_the_same_bits(metric: str, *, blocks: bool) -> None:
    options = Options(seed=5, resamples=500, blocks=np.arange(N) % 40 if blocks else None)
    question = Question(metric=metric, comparison=Comparison.BETTER_THAN)
    one, two = (compare_models(Y, GOOD, BAD, question, options) for _ in range(2))
    assert one == two
    other = compare_models(Y, GOOD, BAD, question, replace(options, seed=6))
    assert other.interval_high != one.interval_high


# --- the choice of the test -------------------------------------------------------------------


def test_many_blocks_are_resampled_whole() -> None:
    found = compare_models(
        Y, GOOD, BAD, BETTER, Options(blocks=[f"day {i % 50}" for i in range(N)])
    )
    assert found.details["test"] == "bootstrap"
    assert found.blocks == 50
    assert found.method == "paired BCa bootstrap of 50 blocks"


def test_few_blocks_get_students_t() -> None:
    found = compare_models(Y, GOOD, BAD, BETTER, Options(blocks=np.arange(N) % 7))
    assert found.details["test"] == "t"
    assert found.method == "paired jackknife of 7 blocks, Student's t(6)"
    assert found.notes[0] == "Only 7 independent blocks: Student's t instead of a bootstrap."


def test_times_make_blocks_of_days() -> None:
    start = datetime(2013, 1, 1, tzinfo=UTC)
    times = [start + timedelta(hours=i) for i in range(N)]
    found = compare_models(Y, GOOD, BAD, BETTER, Options(time=times))
    assert found.blocks == math.ceil(N / 24)


def test_a_day_effect_widens_the_interval() -> None:
    day = np.repeat(np.arange(40), 20)
    effect = np.random.default_rng(1).normal(0, 0.5, 40)[day]
    challenger = Y + np.abs(BAD - Y) + effect
    rows = compare_models(Y, challenger, BAD, BETTER)
    days = compare_models(Y, challenger, BAD, BETTER, Options(blocks=day))
    assert rows.details["standard_error"] is not None
    assert days.details["standard_error"] is not None
    assert float(days.details["standard_error"]) > 2 * float(rows.details["standard_error"])


def test_hard_classes_get_mcnemar() -> None:
    y = np.array([0, 1] * 200)
    challenger, champion = y.copy(), y.copy()
    champion[:25] = 1 - champion[:25]
    challenger[30:45] = 1 - challenger[30:45]
    found = compare_models(
        y, challenger, champion, Question(metric="accuracy", comparison=Comparison.BETTER_THAN)
    )
    assert found.details["test"] == "mcnemar"
    assert (found.details["mcnemar_b"], found.details["mcnemar_c"]) == (15, 25)
    assert found.details["mcnemar_p"] == pytest.approx(0.15386, abs=5e-6)
    assert found.difference == pytest.approx(10 / 400)
    assert found.p_pass == pytest.approx(0.15386 / 2, abs=5e-6)
    assert found.interval_low is not None
    assert found.interval_low < 0 < (found.interval_high or 0)
    by_loss = compare_models(
        y,
        challenger,
        champion,
        Question(metric="accuracy", comparison=Comparison.BETTER_THAN),
        Options(test="bootstrap"),
    )
    assert by_loss.details["mcnemar_p"] == found.details["mcnemar_p"]


def test_forecasts_with_a_horizon_get_diebold_mariano() -> None:
    found = compare_models(Y, GOOD, BAD, BETTER, Options(horizon=3, time=np.arange(N)))
    assert found.details["test"] == "diebold_mariano"
    assert passes(found)
    backwards = compare_models(
        Y[::-1], GOOD[::-1], BAD[::-1], BETTER, Options(horizon=3, time=np.arange(N)[::-1])
    )
    assert backwards.p_pass == found.p_pass


@pytest.mark.parametrize(
    "test", ["bootstrap", "t", "normal", "wild_cluster", "diebold_mariano", "confidence_sequence"]
)
def test_a_named_test_is_run_and_shown(test: str) -> None:
    found = compare_models(Y, GOOD, BAD, BETTER, Options(test=test, blocks=np.arange(N) % 40))
    assert found.details["test"] == test
    assert passes(found)
    assert_plain(found)


def test_a_confidence_sequence_is_wider_than_a_fixed_test() -> None:
    fixed = compare_models(Y, GOOD, BAD, BETTER, Options(test="normal"))
    always = compare_models(Y, GOOD, BAD, BETTER, Options(test="confidence_sequence"))
    assert fixed.interval_high is not None
    assert always.interval_high is not None
    assert always.interval_high > fixed.interval_high


def test_a_point_test_has_no_interval_and_no_p_value() -> None:
    found = compare_models(Y, GOOD, BAD, BETTER, Options(test="point"))
    assert found.theta is not None
    assert found.theta < 0
    assert found.p_pass is None
    assert found.interval_low is None
    assert found.method == "bare numbers, no test"


def test_identical_in_truth_is_hardly_ever_promoted() -> None:
    rng = np.random.default_rng(7)
    promoted = 0
    for i in range(300):
        y = rng.normal(size=200)
        pair = y + rng.normal(size=(2, 200))
        found = compare_models(y, pair[0], pair[1], BETTER, Options(seed=i, resamples=500))
        promoted += passes(found)
    assert 0.01 < promoted / 300 < 0.09


# --- wrong input, shown ------------------------------------------------------------------------

NAN = np.where(np.arange(N) == 5, np.nan, GOOD)
INF = np.where(np.arange(N) == 5, np.inf, GOOD)
CLASSES = Question(metric="roc_auc", comparison=Comparison.BETTER_THAN)
WRONG: dict[str, tuple[Any, Any, Any, Question, Options, str]] = {
    "empty holdout": ([], [], [], BETTER, Options(), "empty"),
    "one row": ([1.0], [1.0], [2.0], BETTER, Options(), "One row"),
    "all losses equal": (Y, Y + 1.0, Y + 2.0, BETTER, Options(), "not vary"),
    "identical models": (Y, GOOD, GOOD, NOT_WORSE, Options(), "predict the same"),
    "NaN predictions": (Y, NAN, BAD, BETTER, Options(), "on 1 of 800 rows"),
    "infinite predictions": (Y, INF, BAD, BETTER, Options(), "on 1 of 800 rows"),
    "NaN of the reference": (Y, GOOD, NAN, BETTER, Options(), "The reference's predictions"),
    "None predictions": (Y, [None] * N, BAD, BETTER, Options(), "missing"),
    "infinite label": (INF, GOOD, BAD, BETTER, Options(), "labels are infinite"),
    "mismatched lengths": (Y, GOOD[:-1], BAD, BETTER, Options(), "799 rows"),
    "constant label": (np.ones(N), GOOD, BAD, BETTER, Options(), "constant label"),
    "no label at all": ([None] * N, GOOD, BAD, BETTER, Options(), "has a label"),
    "one class": (np.zeros(N), GOOD, BAD, CLASSES, Options(), "constant label"),
    "three classes for AUC": (np.arange(N) % 3, GOOD, BAD, CLASSES, Options(), "3"),
    "margin of zero": (Y, GOOD, BAD, replace(NOT_WORSE, margin=0.0), Options(), "margin of 0"),
    "negative margin": (Y, GOOD, BAD, replace(BETTER, margin=-1.0), Options(), "margin"),
    "NaN margin": (Y, GOOD, BAD, replace(BETTER, margin=math.nan), Options(), "margin"),
    "confidence 1": (Y, GOOD, BAD, BETTER, Options(confidence=1.0), "confidence"),
    "confidence 0": (Y, GOOD, BAD, BETTER, Options(confidence=0.0), "confidence"),
    "confidence NaN": (Y, GOOD, BAD, BETTER, Options(confidence=math.nan), "confidence"),
    "confidence 95": (Y, GOOD, BAD, BETTER, Options(confidence=95), "confidence"),
    "negative weights": (Y, GOOD, BAD, BETTER, Options(weights=-np.ones(N)), "weights"),
    "NaN weights": (Y, GOOD, BAD, BETTER, Options(weights=NAN), "weights"),
    "weights all zero": (Y, GOOD, BAD, BETTER, Options(weights=np.zeros(N)), "zero"),
    "short weights": (Y, GOOD, BAD, BETTER, Options(weights=[1.0]), "1 rows"),
    "unknown metric": (Y, GOOD, BAD, replace(BETTER, metric="maee"), Options(), "did you mean"),
    "operational metric": (
        Y,
        GOOD,
        BAD,
        replace(BETTER, metric="latency_ms_p95"),
        Options(),
        "measured on the model",
    ),
    "text predictions": (Y, ["a"] * N, BAD, BETTER, Options(), "must be numbers; found text"),
    "predictions of dicts": (Y, [{}] * N, BAD, BETTER, Options(), "must be numbers"),
    "ragged predictions": (Y, [[1, 2], [3]], BAD, BETTER, Options(), "array"),
    "a single number": (Y, 3.0, BAD, BETTER, Options(), "one value a row"),
    "a matrix of values": (Y, np.ones((N, 3)), BAD, BETTER, Options(), "one value a row"),
    "text for numbers": (
        np.arange(N) % 2,
        np.array(["yes", "no"] * (N // 2)),
        np.arange(N) % 2,
        replace(BETTER, metric="accuracy"),
        Options(),
        "one type",
    ),
    "probabilities above 1": (
        np.arange(N) % 2,
        GOOD,
        BAD,
        replace(BETTER, metric="log_loss"),
        Options(),
        "between 0 and 1",
    ),
    "MAPE of zero labels": (
        np.arange(N) * 1.0,
        GOOD,
        BAD,
        replace(BETTER, metric="mape"),
        Options(),
        "use wape",
    ),
    "log of negative": (Y - 50, GOOD, BAD, replace(BETTER, metric="rmsle"), Options(), "above -1"),
    "largest error": (Y, GOOD, BAD, replace(BETTER, metric="max_error"), Options(), "p99"),
    "no reference": (Y, GOOD, None, BETTER, Options(), "no reference"),
    "no threshold": (
        Y,
        GOOD,
        None,
        Question(metric="mae", comparison=Comparison.AT_MOST),
        Options(),
        "needs",
    ),
    "one block": (Y, GOOD, BAD, BETTER, Options(blocks=np.zeros(N)), "one block"),
    "missing block": (Y, GOOD, BAD, BETTER, Options(blocks=[None, *range(N - 1)]), "no block"),
    "unreadable time": (Y, GOOD, BAD, BETTER, Options(time=["soon"] * N), "times"),
    "short time": (Y, GOOD, BAD, BETTER, Options(time=[1, 2, 3], horizon=2), "times"),
    "unknown test": (Y, GOOD, BAD, BETTER, Options(test="anova"), "not known"),
    "mcnemar of numbers": (Y, GOOD, BAD, BETTER, Options(test="mcnemar"), "needs accuracy"),
    "wild cluster without blocks": (
        Y,
        GOOD,
        BAD,
        BETTER,
        Options(test="wild_cluster"),
        "needs blocks",
    ),
    "sequence of RMSE": (
        Y,
        GOOD,
        BAD,
        replace(BETTER, metric="rmse"),
        Options(test="confidence_sequence"),
        "mean of losses",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gives_a_sentence_and_never_a_pass(case: str) -> None:
    y, challenger, reference, question, options, words = WRONG[case]
    found = compare_models(y, challenger, reference, question, options)
    assert found.problem is not None
    assert words in found.problem
    assert not passes(found)
    assert_plain(found)


def test_lost_predictions_are_counted() -> None:
    found = compare_models(Y, NAN, BAD, BETTER)
    assert found.details["dropped_predictions"] == 1
    assert found.challenger is None


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=2),
    st.just(math.nan),
)
columns = st.one_of(
    st.lists(odd, max_size=8),
    st.lists(st.integers(0, 2), max_size=8),
    st.lists(st.floats(0, 1), max_size=8),
    st.just(np.empty((3, 2))),
    st.none(),
)
metrics = st.sampled_from(
    [*(n for n, m in METRICS.items() if m.prediction is not PredictionType.NONE), "nonsense"]
)


@settings(max_examples=300, deadline=None)
@given(
    y=columns,
    challenger=columns,
    reference=columns,
    metric=metrics,
    comparison=st.sampled_from(Comparison),
    margin=st.floats(),
    relative=st.booleans(),
    threshold=st.none() | st.floats(),
    confidence=st.floats(-1, 2),
    blocks=st.none() | columns,
    weights=st.none() | columns,
)
def test_no_input_raises_or_leaks_nan(
    *,
    y: Any,
    challenger: Any,
    reference: Any,
    metric: str,
    comparison: Comparison,
    margin: float,
    relative: bool,
    threshold: float | None,
    confidence: float,
    blocks: Any,
    weights: Any,
) -> None:
    question = Question(
        metric=metric, comparison=comparison, margin=margin, relative=relative, threshold=threshold
    )
    options = Options(confidence=confidence, blocks=blocks, weights=weights, resamples=20)
    assert_plain(compare_models(y, challenger, reference, question, options))


short = st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=2, max_size=45)


@settings(max_examples=100, deadline=None)
@given(rows=short)
def test_swapping_the_models_swaps_the_p_values(rows: list[tuple[float, float, float]]) -> None:
    y, new, old = map(list, zip(*rows, strict=True))
    options = Options(test="t")
    one = compare_models(y, new, old, BETTER, options)
    two = compare_models(y, old, new, BETTER, options)
    assert (one.problem is None) == (two.problem is None)
    if one.problem is None:
        assert one.p_pass == pytest.approx(two.p_fail, abs=1e-9)
