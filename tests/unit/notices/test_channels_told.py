"""Who hears of trouble."""

from __future__ import annotations

import pytest

from controller.domain.notices import OPERATORS, channels_told


@pytest.mark.parametrize("event", ["stopped", "resumed", "signal_failed", "source_failed"])
def test_trouble_is_never_silent(event: str):
    assert channels_told({event: ("a",), "failed": ("b",)}, event) == ("a",)
    assert channels_told({"failed": ("b",)}, event) == ("b",)
    assert channels_told({"promoted": ("c",)}, event) == (OPERATORS,)


def test_other_news_goes_where_the_policy_says_only():
    assert channels_told({"failed": ("b",)}, "promoted") == ()
    assert channels_told({}, "failed") == ()
