"""The decision page whole: what a reviewer needs, in the order in which it is needed, and the file for auditors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.page import Office
from tests.support.story import tell


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(Path(tmp_path_factory.mktemp("office")))
    tell(office)
    return office


@pytest.fixture(scope="module")
def text(office: Office) -> str:
    held = len(office.house.records())
    return office.visitor().get(f"/decisions/{held}").text


def test_everything_stands_in_the_order_of_a_reviewers_questions(text: str):
    order = [
        "3 of 4 gates passed, 1 inconclusive", 'aria-label="How far it has come"', 'aria-label="How it came to this"',
        'id="gates"', 'id="against"', "<b>Calibration</b>", "<b>Spread of the answers</b>", "latency, median (ms)",
        "size (MB)", 'id="sides"', "The signals behind it", "Drift at that time", 'id="rules"', "What would flip it",
        "The smallest change of one setting", "With the bare numbers", "Under the previous policy",
        'id="acts"', "Verified: derived again", "Who did what", 'id="talk"',
    ]  # fmt: skip
    places = [text.find(words) for words in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_slices_stand_worst_first_with_their_bounds(text: str):
    forest = text[text.index('id="against"') : text.index("<b>Calibration</b>")]
    assert re.findall(r"<td>(origin=\w+)</td>", forest) == [
        "origin=JFK",
        "origin=LGA",
        "origin=EWR",
    ]
    assert "-0.45 to 0.21" in forest


def test_what_differs_is_told_by_subject(text: str):
    sides = text[text.index('id="sides"') : text.index("What is the same")]
    subjects = re.findall(r'scope="rowgroup" colspan="3">(\w+)', sides)
    assert subjects == ["Data", "Features", "Parameters", "Code", "Environment", "Result"]
    for what, left, right in (
        ("sched_dep_time", "–", "double"), ("depth", "–", "6"), ("scikit-learn", "1.8.0", "1.8.1"),
        ("commit", "a30000000000", "b40000000000"),
    ):  # fmt: skip
        assert (
            f'<td>{what}</td><td>{left}</td><td>{right} <span class="small soft">differs' in sides
        )


def test_author_pull_request_and_reviewers_are_links(text: str):
    rules = text[text.index('id="rules"') : text.index("What would flip it")]
    assert 'href="https://forge.example/arrivals/rules/pull/12"' in rules
    assert 'href="https://forge.example/ben-r"' in rules
    assert "by Cleo Marsh" in rules
    assert 'id="line-13" class="hit inconclusive"' in rules


def test_the_smallest_change_that_would_have_turned_it_is_named(text: str):
    flips = text[text.index("The smallest change") :]
    assert "confidence: 95 % → 89 %" in flips
    assert "by: 0.1 → 0.04" in flips


def test_the_export_holds_all_that_the_decision_rests_on(office: Office):
    number = len(office.house.records())
    ana = office.visitor()
    answer = ana.get(f"/decisions/{number}/export")
    body = answer.json()
    assert answer.headers["content-disposition"] == f'attachment; filename="decision-{number}.json"'
    record = office.house.records()[-1]
    assert (body["snapshot"], body["decision"]) == (record.snapshot, record.decision)
    assert body["rules"].startswith("version: 1")
    assert body["review"]["proven"] is True
    assert body["verification"]["first"] is None
