"""McNemar's exact test against the check numbers and statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as reference

from controller.evidence.mcnemar import mcnemar_exact, mcnemar_interval


@pytest.mark.parametrize(("b", "c", "p"), [(25, 15, 0.15386), (11, 1, 0.0063477)])
def test_check_numbers(b: int, c: int, p: float) -> None:
    assert mcnemar_exact(b, c).p_value == pytest.approx(p, abs=5e-6)


@given(st.integers(0, 60), st.integers(0, 60))
def test_statsmodels_agrees(b: int, c: int) -> None:
    ours = mcnemar_exact(b, c)
    theirs = reference([[5, b], [c, 5]], exact=True).pvalue
    assert ours.p_value == pytest.approx(min(theirs, 1.0), abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60))
def test_interval_excludes_zero_exactly_when_the_test_rejects(b: int, c: int) -> None:
    low, high = mcnemar_interval(b, c, 500, 0.95)
    found = mcnemar_exact(b, c)
    assert (high < 0.0) == (found.p_better < 0.025)
    assert (low > 0.0) == (found.p_worse < 0.025)


def test_no_discordant_rows_prove_nothing() -> None:
    assert mcnemar_exact(0, 0).p_better == 1.0
    assert mcnemar_interval(0, 0, 0, 0.95) == (0.0, 0.0)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)
