"""The page of messages: what was told about what, what failed and why, what is silenced, and who may do something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support.house import MODEL
from tests.support.page import Office
from tests.support.story import tell, told


def made(home: Path) -> Office:
    office = Office(home)
    tell(office)
    told(office, held(office))
    return office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return made(tmp_path)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """One that is only looked at."""
    return made(Path(tmp_path_factory.mktemp("seen")))


def held(office: Office) -> int:
    return max(r.id for r in office.house.records() if '"verdict":"hold"' in r.decision)


def row(text: str, number: int) -> str:
    """The table's row of one message."""
    found = re.search(
        rf'<tr><td class="num"><a href="/messages/{number}">.*?</tr>', text, re.DOTALL
    )
    assert found, text
    return re.sub(r"\s+", " ", found[0])


def fields(text: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that leads to ``action``."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.DOTALL)
    assert found, f"no form for {action}"
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[0]))


def test_each_message_says_what_about_what_and_what_became_of_it(seen: Office):
    text = seen.visitor().get("/messages").text
    assert "Arrived" in row(text, 1)
    assert "Given up after 9 tries: feed.example said 500" in row(text, 2)
    assert "Tried 2 times, again" in row(text, 3)
    assert "no route to host" in row(text, 3)
    assert "Silenced: moving the warehouse (until" in row(text, 4)
    assert "Went nowhere: no channel called lost is configured" in row(text, 5)
    about = row(text, 1)
    assert f'href="/decisions/{held(seen)}"' in about
    assert "v5 waits for &lt;b&gt;approval&lt;/b&gt;" in about
    assert "3 times, first" in about
    assert "and 25 more" in about
    assert "<b>approval" not in text


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("", [5, 4, 3, 2, 1]), ("?state=failed", [2]), ("?channel=leads", [1]), ("?state=nonsense", [5, 4, 3, 2, 1]),
        ("?decision=1", []), ("?before=3", [2, 1]), ("?channel=%3Cscript%3E", []),
    ],
)  # fmt: skip
def test_the_log_is_filtered(seen: Office, asked: str, numbers: list[int]):
    text = seen.visitor().get(f"/messages{asked}").text
    assert [int(n) for n in re.findall(r'href="/messages/(\d+)"', text)] == numbers
    assert numbers or "No such message." in text
    assert "<script>" not in text.replace('<script src="', "")


def test_the_page_of_a_decision_leads_to_its_messages(seen: Office):
    ana, number = seen.visitor(), held(seen)
    text = ana.get(f"/decisions/{number}").text
    assert f'href="/messages?decision={number}"' in text
    assert "messages?decision" in text
    assert row(ana.get(f"/messages?decision={number}").text, 1)


def test_what_failed_is_sent_again_once(office: Office):
    ana = office.visitor()
    form = fields(ana.get("/messages").text, "/messages/2/again")
    answers = [ana.post("/messages/2/again", data=form, follow_redirects=False) for _ in range(2)]
    assert [a.headers["location"] for a in answers] == ["/messages/6", "/messages/6"]
    copy = ana.get("/messages/6").text
    assert "On its way." in copy
    assert 'href="/messages/2"' in copy
    assert "Message 6 is still on its way" in copy
    refused = ana.post("/messages/6/again", data=form | {"key": "other"})
    assert (refused.status_code, "is still on its way" in refused.text) == (409, True)


def test_who_may_not_is_told_why_and_refused(seen: Office):
    eve = seen.visitor("person:eve", "viewer")
    text = eve.get("/messages").text
    assert "This takes the role operator" in row(text, 2)
    assert "/again" not in text
    assert "End silence" not in text
    assert "Where channels lead" not in text
    own = eve.get("/messages/2").text
    assert re.search(r"<button disabled aria-describedby=.why-again-2.>Send 2 again", own)
    form = fields(own, "/messages/2/again")
    for path, data in (
        ("/messages/2/again", form),
        ("/silences", form | {"hours": "2", "reason": "x"}),
        ("/silences/1/end", form),
    ):
        assert eve.post(path, data=data).status_code == 403, path
    forged = seen.visitor().post("/messages/2/again", data={"mark": form["mark"]})
    assert "too old or not yours" in forged.text


def test_silences_are_shown_ended_and_added(office: Office):
    ana = office.visitor()
    text = ana.get("/messages").text
    assert f"held about {MODEL} to oncall until" in re.sub(r"\s+", " ", text)
    assert "by person:ben: moving the warehouse" in text
    ended = ana.post("/silences/1/end", data=fields(text, "/silences/1/end"))
    assert "Nothing is silenced." in ended.text
    order = fields(text, "/silences") | {"hours": "3", "reason": "<i>calm</i>", "model": "flight-*"}
    for _ in range(2):
        kept = ana.post("/silences", data=order).text
    assert kept.count("everything about flight-* to every channel") == 1
    assert "&lt;i&gt;calm&lt;/i&gt;" in kept
    assert ana.post("/silences", data=order | {"reason": " ", "key": "k"}).status_code == 422
    assert ana.post("/silences", data=order | {"hours": "1000"}).status_code == 422


def test_nothing_told_yet_says_how_to_begin(tmp_path: Path):
    text = Office(tmp_path).visitor().get("/messages").text
    assert "Nobody was told anything yet." in text
    assert "INCUMBENT_NOTIFY names no file here" in text


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ('[channels.leads]\nto = ["env:NOT_THERE"]\n', "names the variable NOT_THERE"),
        ("[channels", "notify.toml"),
        (None, "notify.toml"),
    ],
    ids=["a channel", "no TOML", "no file"],
)
def test_a_mistake_in_the_file_of_channels_is_shown_and_stops_nothing(
    tmp_path: Path, file: str | None, said: str
):
    place = tmp_path / "notify.toml"
    if file is not None:
        place.write_text(file)
    answer = Office(tmp_path, {"notify": place}).visitor().get("/messages")
    assert answer.status_code == 200
    assert said in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("number", ["99", "0", "x", "9" * 30])
def test_a_message_that_is_not_there_is_said_so(seen: Office, number: str):
    answer = seen.visitor().get(f"/messages/{number}")
    assert (answer.status_code, "There is no message" in answer.text) == (404, True)


def test_who_is_not_logged_in_is_asked_to(seen: Office):
    client = TestClient(seen.app, base_url="http://127.0.0.1:8321", headers={"accept": "text/html"})
    answer = client.get("/messages", follow_redirects=False)
    assert answer.headers["location"] == "/login?next=%2Fmessages"
