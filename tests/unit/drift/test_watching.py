"""Each question of the policy about its champion gets an answer, or the reason why there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from controller.domain.decay import DecayVerdict, MetricWatch
from controller.evidence.scored import Scored, ScoredSide
from controller.evidence.watching import RowsSince, answer_watch, estimates, metric_history

DAYS = timedelta(days=1).total_seconds()
WATCH = MetricWatch(
    name="w",
    asked_by="trigger",
    metric="mae",
    worse_than="training",
    margin=0.2,
    relative=True,
    window=7 * DAYS,
    min_labels=100,
)


def regression(
    days: int = 20, *, bad_from: int = 10**6, bad_until: int = 10**6, **more: Any
) -> RowsSince:
    """A hundred rows a day; errors of size 1, and of size 4 from ``bad_from`` until ``bad_until``."""
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(days), 100)
    size = np.where((day >= bad_from) & (day < bad_until), 4.0, 1.0)
    truth = rng.normal(size=day.size) * size
    times = np.datetime64("2013-01-01", "us") + (day * 86_400_000_000).astype("timedelta64[us]")
    record = Scored(
        run="r",
        y=rng.normal(size=1000),
        sides={"challenger": ScoredSide(name="challenger v1", values=np.zeros(1000))},
        baseline={"median": 3.0, "mean": 3.0},
    )
    values: dict[str, Any] = {
        "truth": truth,
        "times": times,
        "labelled": np.ones(day.size, dtype=bool),
        "sides": {"champion": ScoredSide(name="champion v1", values=np.zeros(day.size))},
        "record": record,
        "version": 1,
        "slices": {"even": np.where(day % 2 == 0, "yes", "no")},
    }
    return RowsSince(**(values | more))


def ask(since: RowsSince, **changes: Any):

    return answer_watch(since, replace(WATCH, **changes))


def test_decay_that_passed_is_not_told_again():
    bad = ask(regression(20, bad_from=12))
    assert bad.verdict is DecayVerdict.DECAYED
    over = ask(regression(40, bad_from=12, bad_until=20))
    assert over.proven_at is not None
    assert over.verdict is not DecayVerdict.DECAYED


def test_a_window_with_few_labels_has_no_verdict():
    few = ask(regression(), min_labels=5000)
    assert few.verdict is DecayVerdict.NOT_ENOUGH_DATA
    assert few.problem == "700 labels in the window, at least 5,000 are needed"


def test_no_label_is_told_as_such():
    none = ask(regression(labelled=np.zeros(2000, dtype=bool)))
    assert none.problem == "no label has come since it was judged"


def test_a_constant_guess_is_a_reference():
    found = ask(regression(), worse_than="baseline")
    assert found.reference is not None
    assert found.reference > 2.5
    assert found.verdict is DecayVerdict.HOLDING


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "mea"}, "Metric 'mea' is not known"),
        ({"worse_than": "anchor"}, "there is no anchor version to compare with"),
        ({"metric": "roc_auc"}, "roc_auc needs probabilities"),
        ({"metric": "rmse", "test": "adwin"}, "rmse is no mean of row losses"),
    ],
    ids=["unknown metric", "no anchor", "no probabilities", "no losses"],
)
def test_what_cannot_be_answered_says_why(changes: dict[str, Any], words: str):
    found = ask(regression(), **changes)
    assert found.verdict is DecayVerdict.NOT_ENOUGH_DATA
    assert words in found.problem


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "river", None)
    found = ask(regression(), test="adwin")
    assert "pip install 'incumbent[streams]'" in found.problem


def test_the_metric_by_day_window_and_slice_has_its_labels():
    found = metric_history(regression(), [WATCH])["mae"]
    assert [p.labels for p in found["days"]] == [100] * 20
    assert {p.slice for p in found["windows by even"]} == {"yes", "no"}


def test_unlabelled_rows_of_a_classifier_are_estimated_by_their_probabilities():
    rng = np.random.default_rng(2)
    p_then, p_now = rng.uniform(size=2000), rng.uniform(0.4, 0.6, size=500)
    then = (rng.uniform(size=2000) < p_then).astype(int)
    side = _classifier(p_now)
    since = RowsSince(
        truth=np.zeros(500),
        times=np.full(500, np.datetime64("2013-01-01", "us")),
        labelled=np.zeros(500, dtype=bool),
        sides={"champion": side},
        record=Scored(run="r", y=then, sides={"challenger": _classifier(p_then)}, baseline={}),
        version=1,
        slices={},
    )

    (found,) = estimates(since, [replace(WATCH, metric="accuracy")])
    assert (found["method"], found["is_estimate"], found["worse"]) == ("cbpe", True, True)
    assert found["value"] == pytest.approx(0.55, abs=0.05)
    assert found["reference"] == pytest.approx(0.75, abs=0.05)


def _classifier(p: Any) -> ScoredSide:
    return ScoredSide(
        name="v1",
        values=(p >= 0.5).astype(int),
        probabilities=np.column_stack([1 - p, p]),
        classes=(0, 1),
    )
