"""The page of a version: its lineage, what became of it, and what people say about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.house import MODEL
from tests.support.page import Office, form
from tests.support.story import tell

PLACE = f"/models/{MODEL}/versions/4"
SUBJECT = f"version:{MODEL}/4"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(Path(tmp_path_factory.mktemp("office")))
    tell(office)
    return office


def test_it_says_where_a_version_comes_from_and_what_became_of_it(office: Office):
    ana = office.visitor()
    text = ana.get(PLACE).text
    with office.house.store.read() as tx:
        kept = tx.registry.versions(MODEL, numbers=(4,))[0]
        moves = tx.facts.of(MODEL, 4)
    assert len(moves) > 1
    for fact in moves:
        assert f'href="/decisions/{fact.decision}"' in text
    assert f'href="/runs/{kept.run}"' in text
    assert kept.digest[:24] in text
    assert "Environment and lineage" in text
    assert f'href="{PLACE}"' in ana.get(f"/models/{MODEL}").text
    held = max(r.id for r in office.house.records() if '"verdict":"hold"' in r.decision)
    assert f'href="/models/{MODEL}/versions/5"' in ana.get(f"/decisions/{held}").text


def test_comments_are_written_once_and_shown_as_harmless_markdown(office: Office):
    ana = office.visitor()
    empty = ana.get(PLACE).text
    assert "Nobody has said anything yet." in empty
    said = form(empty, "comment") | {"text": "**solid** <script>alert(1)</script> @ben"}
    assert said["subject"] == SUBJECT
    for _ in range(2):
        answer = ana.post("/comments", data=said, follow_redirects=False)
        assert answer.headers["location"] == f"{PLACE}#talk"
    text = ana.get(PLACE).text
    assert text.count("<strong>solid</strong>") == 1
    assert "<script>alert" not in text
    assert office.client().get(f"/v1/comments/{SUBJECT}").json()[0]["actor"] == "person:ana"
    assert f'href="{PLACE}#talk"' in office.visitor("person:ben").get("/").text


def test_who_may_not_comment_is_told_why_and_refused(office: Office):
    eve = office.visitor("person:eve", "viewer")
    text = eve.get(PLACE).text
    assert "This takes the role reviewer" in text
    assert "talk-text" not in text
    mark = text.split('name="mark" value="')[1].split('"')[0]  # of the form that logs out
    said = {"subject": SUBJECT, "text": "x", "mark": mark}
    assert eve.post("/comments", data=said).status_code == 403


@pytest.mark.parametrize(
    "place",
    [
        f"{MODEL}/versions/99",
        f"{MODEL}/versions/x",
        f"{MODEL}/versions/{10**12}",
        "nobody/versions/1",
        "%3Cb%3E/versions/1",
    ],
)
def test_a_version_that_is_not_there_is_said_so(office: Office, place: str):
    answer = office.visitor().get(f"/models/{place}")
    assert (answer.status_code, "has no version" in answer.text) == (404, True)
    assert "<b>/" not in answer.text
