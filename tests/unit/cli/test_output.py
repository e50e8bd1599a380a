"""What commands print: plain and whole off a terminal, in colours only where they are wanted."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.domain.errors import UserError
from controller.entrypoints.cli import output
from controller.entrypoints.cli.session import parse_when


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        pytest.param(None, "-", id="nothing"),
        pytest.param("", "-", id="empty"),
        pytest.param(True, "yes", id="truth"),
        pytest.param(24.6789, "24.68", id="number"),
        pytest.param(206_352_384.0, "206,352,384", id="large"),
        pytest.param(0.0, "0", id="zero"),
        pytest.param(datetime(2013, 2, 1, 11, tzinfo=UTC), "2013-02-01 11:00", id="time"),
        pytest.param(["a", "b"], "a, b", id="list"),
        pytest.param([], "-", id="empty-list"),
    ],
)
def test_a_value_is_a_short_cell(value: object, cell: str):
    assert output.show_cell(value) == cell


def test_columns_are_aligned_and_nothing_is_cut():
    lines = list(output.align([["N", "WHAT"], ["10", "a long sentence"], ["9", ""]], [True, False]))
    assert lines == [" N  WHAT", "10  a long sentence", " 9"]


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        pytest.param({}, True, id="terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="no-color"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_colours_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, coloured: bool
):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert output.colours() is coloured
    assert ("\x1b" in output.style("x", fg="red")) is coloured


def test_off_a_terminal_there_is_no_colour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert output.style("x", fg="red", bold=True) == "x"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2013-06-01", "2013-06-01T00:00:00+00:00", id="day"),
        pytest.param("2013-06-01T06:00+02:00", "2013-06-01T04:00:00+00:00", id="zone"),
        pytest.param("36h", "2013-06-08T12:00:00+00:00", id="hours"),
        pytest.param("1w", "2013-06-03T00:00:00+00:00", id="week"),
    ],
)
def test_times_and_ages_are_understood(text: str, moment: str):
    now = datetime(2013, 6, 10, tzinfo=UTC)
    found = parse_when(text, now)
    assert found is not None
    assert found.isoformat() == moment


@example(text="9" * 20 + "d")
@example(text="0001-01-01T00:00+14:00")
@example(text="9999-12-31T23:59-14:00")
@given(
    text=st.from_regex(
        r"[0-9]{1,25} ?[wdhms]?|[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00[+-][01][0-9]:[0-5][0-9]",
        fullmatch=True,
    )
)
def test_any_time_is_understood_or_refused_in_a_sentence(text: str):
    with suppress(UserError):
        parse_when(text, datetime(2013, 6, 10, tzinfo=UTC))
