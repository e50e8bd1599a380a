"""Delegation: groups for a while, never a role, never around the rule that who asks cannot approve."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.errors import IncumbentError
from controller.service.commands.access import Person, Role, person_of
from controller.service.commands.delegate import Wish, add_delegation, take_back
from tests.support.house import MODEL
from tests.support.page import ASKS, GROUPS, Office, form

HELD = 6
ROLES = {"reviewer": ["ana", "ben", "carl"], "viewer": ["eve"], "admin": ["root"]}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"roles": ROLES, "login": "token"})
    office.held()
    return office


def person(name: str) -> Person:
    return person_of(f"person:{name}", GROUPS, ROLES)


def give(office: Office, by: str, to: str, **changes: object) -> int:
    now = office.house.clock.now()
    wish = {"to": to, "until": now + timedelta(days=2), "reason": "leave"} | changes
    with office.house.store.begin() as tx:
        return add_delegation(tx, person(by), Wish(**wish), now).id  # type: ignore[arg-type]


def test_who_stands_in_approves_and_the_log_says_for_whom(office: Office):
    carl = office.visitor("person:carl", "reviewer")
    before = form(carl.get(f"/decisions/{HELD}").text, "approve") | {"reason": "fine"}
    assert "is in none of the groups leads" in carl.post("/words", data=before).text
    give(office, "ana", "carl")
    text = carl.get(f"/decisions/{HELD}").text
    assert "In the place of person:ana." in text
    answer = carl.post("/words", data=form(text, "approve") | {"reason": "fine"})
    assert "v2 replaces" in answer.text
    assert "person:carl" in answer.text
    assert "approved v2 for person:ana: fine" in carl.get(f"/decisions/{HELD}").text


def test_a_delegation_that_ended_gives_nothing(office: Office):
    number = give(office, "ana", "carl")
    with office.house.store.begin() as tx:
        take_back(tx, person("ana"), number, office.house.clock.now())
    give(office, "ben", "carl", until=office.house.clock.now() + timedelta(hours=1))
    office.house.clock.advance(timedelta(hours=1))
    carl = office.visitor("person:carl", "reviewer")
    said = form(carl.get(f"/decisions/{HELD}").text, "approve") | {"reason": "fine"}
    assert "is in none of the groups" in carl.post("/words", data=said).text
    assert office.house.champion == 1


@pytest.mark.parametrize(
    ("by", "to", "changes", "said"),
    [
        pytest.param("eve", "ana", {}, "takes the role reviewer", id="a viewer"),
        pytest.param("ana", "ana", {}, "somebody else", id="oneself"),
        pytest.param("ana", "carl", {"reason": " "}, "needs a reason", id="no reason"),
        pytest.param("ana", "carl", {"days": 91}, "within 90 days", id="too long"),
        pytest.param("ana", "carl", {"days": 0}, "in the future", id="over already"),
    ],
)
def test_what_cannot_be_is_refused(office: Office, by: str, to: str, changes: dict, said: str):
    if "days" in changes:
        until = office.house.clock.now() + timedelta(days=changes["days"])
        changes = {"until": until}
    with pytest.raises(IncumbentError, match=said):
        give(office, by, to, **changes)


def test_the_same_key_is_the_same_delegation(office: Office):
    assert give(office, "ana", "carl", key="k") == give(office, "ana", "carl", key="k")
    with pytest.raises(IncumbentError, match="another delegation"):
        give(office, "ana", "ben", key="k")
    with pytest.raises(IncumbentError, match="already"):
        give(office, "ana", "carl")


def test_only_its_owner_or_an_admin_takes_it_back(office: Office):
    number = give(office, "ana", "carl")
    now = office.house.clock.now()
    with office.house.store.begin() as tx:
        with pytest.raises(IncumbentError, match="not yours"):
            take_back(tx, person("ben"), number, now)
        assert person("root").role(None) is Role.ADMIN
        take_back(tx, person("root"), number, now)
        with pytest.raises(IncumbentError, match="before"):
            take_back(tx, person("ana"), number, now)


def test_page_api_and_command_line_delegate(office: Office):
    ana = office.visitor("person:ana", "reviewer")
    mark = form(ana.get(f"/decisions/{HELD}").text, "hold")["mark"]
    fields = {"to": "carl", "days": "3", "reason": "leave", "mark": mark, "key": "x"}
    assert "person:carl approves in your place" in ana.post("/delegations", data=fields).text
    api = office.client("person:ben", "reviewer")
    until = (office.house.clock.now() + timedelta(days=1)).isoformat()
    body = {"to": "carl", "until": until, "reason": "leave"}
    made = api.post("/v1/delegations", json=body, headers={"idempotency-key": "a"})
    assert (made.status_code, made.json()["to"]) == (201, "person:carl")
    assert (
        api.post("/v1/delegations", json=body, headers={"idempotency-key": "a"}).json()
        == made.json()
    )
    assert [d["actor"] for d in api.get("/v1/delegations").json()] == ["person:ben", "person:ana"]
    assert api.delete(f"/v1/delegations/{made.json()['id']}").status_code == 200
    assert api.delete("/v1/delegations/1").status_code == 403
    said = office.app_context.run("delegate", "to", "ben", "--for", "2d", "--reason", "leave")
    assert said.stdout.strip() == "3"
    assert "person:ben" in office.app_context.run("delegate").stdout
    office.app_context.run("delegate", "revoke", "3")
    assert office.app_context.json("delegate", "list")[0]["revoked_at"] is not None


def test_an_approval_is_taken_back_by_page_and_command(office: Office):
    office.app_context.enforce(ASKS.replace("from: [leads]", "from: [leads], count: 2"))
    ana = office.visitor("person:ana", "reviewer")
    newest = len(office.house.records())
    said = form(ana.get(f"/decisions/{newest}").text, "approve") | {"reason": "fine"}
    assert "waits for 1 approval" in ana.post("/words", data=said).text
    newest = len(office.house.records())
    text = ana.get(f"/decisions/{newest}").text
    assert "You have approved it already." in text
    said = form(text, "withdraw") | {"reason": "looked again"}
    assert "waits for 2 approvals" in ana.post("/words", data=said).text
    again = office.app_context.run("withdraw", MODEL, "2", "--reason", "x", "--yes", code=4)
    assert "You have not approved" in again.stderr
