"""Holm's procedure against statsmodels."""

from __future__ import annotations

import math
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from controller.policy.holm import holm_adjusted, holm_rejects


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_statsmodels_agrees(p_values: list[float]):
    # multipletests collects garbage at every call: in a whole test run a third of a second each.
    with patch("gc.collect", return_value=0):
        rejected, adjusted, *_ = multipletests(p_values, alpha=0.05, method="holm")
    assert holm_adjusted(p_values) == pytest.approx(list(adjusted))
    assert holm_rejects(p_values, 0.05) == tuple(bool(r) for r in rejected)


def test_by_hand():
    assert holm_adjusted([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm_rejects([0.01, 0.04, 0.03], 0.05) == (True, False, False)
    assert holm_adjusted([]) == ()


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm_adjusted([0.01, bad])
