"""Which batches a reference means."""

from __future__ import annotations

import pytest

from controller.ports import Batch
from workers.windows import window_of


def batch(number: int, first: str = "", last: str = "") -> Batch:
    details = {"time_min": f"{first}T00:00:00Z", "time_max": f"{last}T23:59:59Z"} if first else {}
    return Batch(uri=f"{number}", digest="d", size=1, rows=1, sequence=number, details=details)


MONTHS = [
    batch(1, "2012-12-01", "2012-12-31"),
    batch(2, "2013-01-01", "2013-01-31"),
    batch(3, "2013-02-01", "2013-02-28"),
    batch(4, "2013-03-01", "2013-03-31"),
    batch(5, "2014-01-01", "2014-01-31"),
]


@pytest.mark.parametrize(
    ("name", "fresh", "wanted"),
    [
        ("previous", batch(6, "2014-02-01", "2014-02-28"), [5]),
        ("same_season", batch(6, "2014-02-01", "2014-02-28"), [3]),
        ("same_season", batch(6, "2014-01-10", "2014-01-10"), [2]),
        ("2012-12-01/2013-02-01", batch(6), [1, 2]),
    ],
    ids=["the batch before", "a month", "a day is held against its weeks", "a window"],
)
def test_a_reference_means_these_batches(name: str, fresh: Batch, wanted: list[int]):
    found, problem = window_of(name, MONTHS, [fresh])
    assert ([b.sequence for b in found], problem) == (wanted, "")


@pytest.mark.parametrize(
    ("name", "fresh", "older", "words"),
    [
        ("previous", batch(6), [], "there is no batch before"),
        ("same_season", batch(6), MONTHS, "nobody can tell their season"),
        ("same_season", batch(6, "2011-01-01", "2011-01-31"), MONTHS, "the same season a year"),
        ("2010-01-01/2010-02-01", batch(6), MONTHS, "no data of 2010-01-01/2010-02-01"),
        ("same_season", batch(6, "2014-02-01", "2014-02-28"), [batch(1)], "no data of the same"),
    ],
    ids=["the first batch", "no times", "nothing a year before", "empty window", "old untimed"],
)
def test_a_reference_without_batches_says_why(name: str, fresh: Batch, older: list, words: str):
    found, problem = window_of(name, older, [fresh])
    assert found == ()
    assert words in problem


def test_the_29th_of_february_has_a_year_before():
    found, _ = window_of("same_season", MONTHS, [batch(6, "2016-02-29", "2016-02-29")])
    assert found == ()
    old = [batch(1, "2015-02-01", "2015-02-28")]
    found, problem = window_of("same_season", old, [batch(6, "2016-02-29", "2016-02-29")])
    assert ([b.sequence for b in found], problem) == ([1], "")
