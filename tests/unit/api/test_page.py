"""The page: who gets in, what a reviewer sees, and what a button does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.domain.errors import ConfigurationError
from controller.domain.signals import SignalKind
from controller.entrypoints.api.app import check_exposure
from controller.entrypoints.api.context import LoginLinks
from controller.ports import JournalEntry, SourceState
from controller.settings import load_settings
from tests.support.house import MODEL
from tests.support.page import Office, form

PAGES = [
    "/", "/models", f"/models/{MODEL}", "/decisions", "/decisions/1", "/decisions/3", "/decisions/6",
    "/signals", "/signals/1", "/runs", f"/runs/{MODEL}.r1", f"/runs/{MODEL}.r1/live", "/policies",
    f"/policies/{MODEL}", "/drift", "/audit", "/audit?at=2013-02-20", "/system",
]  # fmt: skip
HELD = 6
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.held()
    return office


def test_every_page_is_there_small_and_without_inline_script(office: Office):
    ana = office.visitor()
    for path in PAGES:
        answer = ana.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        assert len(answer.content) < 300_000
        assert "unsafe" not in answer.headers["content-security-policy"]
        for word in (" style=", "<script>", "onclick", "<style"):
            assert word not in answer.text, path


def test_a_held_decision_is_understood_approved_and_becomes_champion(office: Office):
    ana = office.visitor()
    inbox = ana.get("/").text
    assert f'href="/decisions/{HELD}"' in inbox
    assert "Then it is rejected, and the champion stays." in inbox
    text = ana.get(f"/decisions/{HELD}").text
    for said in (
        "v2 against champion v1",
        "&#39;better&#39; is inconclusive",
        "With the bare numbers",
        "Verified: derived again from its snapshot and rules, byte for byte.",
        'class="hit inconclusive"',
        'aria-label="better: gain 0.4, bounds 0.25 to 0.55, needed 0: inconclusive"',
    ):
        assert said in text, said
    answer = ana.post("/words", data=form(text, "approve") | {"reason": "looks right"})
    assert "v2 replaces v1 as champion" in answer.text
    assert office.house.champion == 2


def test_a_double_click_approves_once(office: Office):
    ana = office.visitor()
    fields = form(ana.get(f"/decisions/{HELD}").text, "approve") | {"reason": "looks right"}
    first, second = (ana.post("/words", data=fields, follow_redirects=False) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert len([k for k in office.house.statuses() if k > HELD]) == 1


def test_of_two_reviewers_who_race_the_second_is_told(office: Office):
    ana, ben = office.visitor(), office.visitor("person:ben")
    yes = form(ana.get(f"/decisions/{HELD}").text, "approve") | {"reason": "yes"}
    no = form(ben.get(f"/decisions/{HELD}").text, "reject") | {"reason": "no"}
    assert "as champion" in ana.post("/words", data=yes).text
    assert "v2 is the champion: roll back instead" in ben.post("/words", data=no).text
    assert office.house.champion == 2


def test_a_bad_champion_is_rolled_back(office: Office):
    office.app_context.run("approve", MODEL, "2", "--reason", "fine", "--yes")
    ana = office.visitor()
    newest = len(office.house.records())
    fields = form(ana.get(f"/decisions/{newest}").text, "rollback") | {"reason": "complaints"}
    assert "verifies that v1 still answers" in ana.post("/words", data=fields).text
    office.house.work()
    assert office.house.champion == 1
    assert "person:ana rolled back from v2 to v1" in ana.get(f"/models/{MODEL}").text


def test_a_viewer_sees_why_the_button_is_off_and_cannot_press_it(office: Office):
    eve = office.visitor("person:eve", "viewer")
    text = eve.get(f"/decisions/{HELD}").text
    assert "This takes the role reviewer for models of arrivals-team; you are viewer." in text
    fields = form(text, "approve") | {"reason": "let me"}
    refused = eve.post("/words", data=fields)
    assert refused.status_code == 403
    assert office.house.champion == 1


def test_who_asked_for_the_training_cannot_approve_it(tmp_path: Path):
    office = Office(tmp_path)
    office.held()
    office.house.signal(SignalKind.REJECT, version=2, reason="make room")
    office.house.tick()
    office.house.signal(SignalKind.MANUAL, reason="try", actor="person:ana")
    office.house.work({"p_pass": 0.2, "p_fail": 0.8})
    held = max(r.id for r in office.house.records() if '"verdict":"hold"' in r.decision)
    ana, ben = office.visitor(), office.visitor("person:ben")
    text = ana.get(f"/decisions/{held}").text
    assert "You asked for this training; somebody else has to approve it." in text
    fields = form(text, "approve") | {"reason": "mine"}
    assert ana.post("/words", data=fields).status_code == 403
    fields = form(ben.get(f"/decisions/{held}").text, "approve") | {"reason": "not mine"}
    ben.post("/words", data=fields)
    assert office.house.champion == 3


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        pytest.param({"mark": ""}, {}, id="no mark"),
        pytest.param({"mark": "ImZvcmdlZCI.abc.def"}, {}, id="forged mark"),
        pytest.param({}, {"origin": "https://evil.example"}, id="other origin"),
        pytest.param({}, {"sec-fetch-site": "cross-site"}, id="other site"),
    ],
)
def test_a_form_from_elsewhere_does_nothing(
    office: Office, changes: dict[str, str], headers: dict[str, str]
):
    ana = office.visitor()
    fields = form(ana.get(f"/decisions/{HELD}").text, "approve") | {"reason": "x"} | changes
    assert ana.post("/words", data=fields, headers=headers).status_code == 403
    assert office.house.champion == 1


def test_a_get_changes_nothing(office: Office):
    ana = office.visitor()
    before = (len(office.house.records()), office.house.statuses())
    key = LoginLinks.new(office.served.key, "person:ana")
    for path in (
        *PAGES,
        f"/go?key={key}",
        office.served.message_links.to(f"/decisions/{HELD}", office.house.clock.now()),
    ):
        ana.get(path)
    office.house.tick()
    assert (len(office.house.records()), office.house.statuses()) == before
    assert LoginLinks.use(office.house.store, office.served.key, key) == "person:ana"


def test_who_is_not_logged_in_is_sent_to_the_login_and_back(office: Office):
    nobody = office.client(None)
    answer = nobody.get("/decisions/6", headers={"accept": "text/html"}, follow_redirects=False)
    assert answer.headers["location"] == "/login?next=%2Fdecisions%2F6"
    page = nobody.get("/login?next=%2Fdecisions%2F6").text
    assert 'name="following" value="/decisions/6"' in page
    assert 'value="/"' in nobody.get("/login?next=https://evil.example").text
    wrong = nobody.post("/login", data={"token": "inc_no", "following": "/"})
    assert (wrong.status_code, "not known here" in wrong.text) == (401, True)


def test_a_login_link_is_good_once(office: Office):
    key = LoginLinks.new(office.served.key, "person:ana")
    nobody = office.client(None)
    said = nobody.post("/go", data={"key": key}, follow_redirects=False)
    cookie = said.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    again = office.client(None).post("/go", data={"key": key})
    assert again.status_code == 401


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda link: link, "ran out", id="expired"),
        pytest.param(lambda link: link[:-1], "not ours", id="cut"),
        pytest.param(lambda link: link.replace("to=", "to=x"), "not ours", id="forged"),
        pytest.param(lambda link: link.partition("=")[0] + "=.", "not ours", id="empty"),
    ],
)
def test_a_link_of_a_message_leads_to_its_page_until_it_ends(
    office: Office, spoil: Callable[[str], str], said: str
):
    link = office.served.message_links.to("/decisions/6", office.house.clock.now())
    ana = office.visitor()
    assert ana.get(link, follow_redirects=False).headers["location"] == "/decisions/6"
    office.house.clock.advance(timedelta(days=7))
    late = ana.get(spoil(link))
    assert (late.status_code, said in late.text) == (401, True)


def test_a_session_ends_with_its_token(office: Office):
    eve = office.visitor("person:eve", "viewer")
    assert eve.get("/").status_code == 200
    with office.house.store.begin() as tx:
        tx.tokens.revoke(1, office.house.clock.now())
    assert eve.get("/", follow_redirects=False).status_code == 303


def test_markup_is_shown_as_text_wherever_it_comes_from(office: Office):
    house, ana = office.house, office.visitor()
    house.signal(SignalKind.DRIFT, EVIL, data={"note": EVIL}, actor=EVIL)
    house.signal(SignalKind.HOLD, reason=EVIL, actor="person:<b>ana")
    house.tick()
    house.signal(SignalKind.RELEASE, reason="go on", actor="person:ben")
    house.clock.advance(timedelta(days=31))
    house.data(30_000, EVIL)
    house.tick()
    run = house.claim()
    assert run is not None
    with house.store.begin() as tx:
        at = house.clock.now()
        tx.journal.append(
            run.id, run.fence,
            [JournalEntry(at=at, kind="log", text=EVIL),
             JournalEntry(at=at, kind="metric", name=EVIL, step=1, value=1.0),
             JournalEntry(at=at, kind="metric", name=EVIL, step=2, value=2.0)],
        )  # fmt: skip
    house.fail(run, EVIL)
    house.tick()
    fields = form(ana.get(f"/decisions/{HELD}").text, "comment")
    ana.post("/comments", data=fields | {"text": f"**bold** {EVIL} [x](javascript:alert(3))"})
    newest = len(house.records())
    seen = ["/", "/signals", f"/runs/{run.id}", f"/models/{MODEL}", "/audit", "/drift", *(
        f"/decisions/{n}" for n in range(HELD, newest + 1)), *(f"/signals/{n}" for n in house.statuses())]  # fmt: skip
    text = "".join(ana.get(path).text for path in seen)
    assert "&lt;script&gt;alert(1)" in text
    assert "<strong>bold</strong>" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert not re.search(r'href="javascript:', text)
    assert "<b>ana" not in text


def test_a_broken_page_is_one_sentence(office: Office):
    ana = office.visitor()
    for path, status in (
        ("/decisions/999", 404),
        ("/decisions/x", 404),
        ("/nowhere", 404),
        ("/models/none", 404),
    ):
        answer = ana.get(path)
        assert answer.status_code == status
        assert "Traceback" not in answer.text
        assert 'role="alert"' in answer.text


def test_another_name_for_this_machine_is_refused(office: Office):
    answer = office.client().get("/v1/models", headers={"host": "rebound.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        pytest.param({"host": "0.0.0.0"}, True, id="everywhere with the login of one machine"),
        pytest.param({"host": "0.0.0.0", "login": "token"}, False, id="tokens"),
        pytest.param({"host": "0.0.0.0", "login": "none"}, False, id="told so by name"),
        pytest.param({}, False, id="this machine"),
    ],
)
def test_beyond_this_machine_it_refuses_to_start_without_a_login(
    tmp_path: Path, changes: dict[str, Any], refused: bool
):
    settings = load_settings(home=tmp_path, **changes)
    if refused:
        with pytest.raises(ConfigurationError, match="would listen on"):
            check_exposure(settings)
    else:
        check_exposure(settings)


def test_without_a_login_everybody_beyond_this_machine_only_reads(tmp_path: Path):
    office = Office(tmp_path, {"host": "0.0.0.0", "login": "none"})
    office.held()
    nobody = office.client(None)
    text = nobody.get(f"/decisions/{HELD}").text
    assert "you are viewer" in text
    refused = nobody.post("/words", data=form(text, "approve") | {"reason": "x"})
    assert refused.status_code == 403


def test_the_drift_view_shows_a_model_s_quarantine_escaped(office: Office):
    page = office.visitor()
    assert f"/drift?model={MODEL}" in page.get("/drift").text
    with office.house.store.begin() as tx:
        tx.data.quarantine(MODEL, 1, "12 rows are <null>")
    assert "12 rows are &lt;null&gt;" in page.get("/drift", params={"model": MODEL}).text
    assert page.get("/drift", params={"model": "nobody"}).status_code == 200


def test_the_system_page_says_how_each_source_fares(office: Office):
    at = office.house.clock.now()
    with office.house.store.begin() as tx:
        tx.sources.note(
            [
                SourceState(model="well", source="data/*.parquet", checked_at=at, good_at=at),
                SourceState(model="away", source="s3://away", checked_at=at, error="it is away."),
                SourceState(
                    model="odd", source="odd/*.csv", checked_at=at, problems=("a.csv is no data.",)
                ),
            ]
        )
    text = office.visitor().get("/system").text
    rows = {
        name: text.split(f"<td>{name}</td>")[1].split("</tr>")[0]
        for name in ("well", "away", "odd")
    }
    assert "not well" not in rows["well"]
    assert "not well" in rows["away"]
    assert "it is away." in rows["away"]
    assert "not well" in rows["odd"]
