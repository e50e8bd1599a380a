"""A command that is sent twice under one key is answered twice as it was answered once, whatever it has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.domain.signals import SignalKind
from tests.support.house import MODEL, UNDECIDED
from tests.support.page import Office
from tests.support.stores import Bench


@pytest.fixture
def office(tmp_path: Path, bench: Bench) -> Office:
    """v1 sits, v2 waits for approval, a training runs."""
    office = Office(tmp_path, given=bench.store)
    office.held()
    return office


def evidence(office: Office) -> str:
    rows = office.client().get("/v1/inbox").json()
    return str(next(row["evidence"] for row in rows if row["version"] == 2))


def seat(office: Office) -> None:
    """v2 becomes champion by hand."""
    office.house.signal(SignalKind.PROMOTE, actor="person:ben", version=2, reason="now")
    office.house.tick()
    assert office.house.champion == 2


def running(office: Office) -> str:
    office.house.signal(SignalKind.MANUAL, actor="person:ben", reason="try")
    office.house.tick()
    return f"{MODEL}.r5"


def test_each_command_of_the_api_that_changes_what_it_asks_about(office: Office):
    ana, ben = office.client(), office.client("person:ben", "reviewer", "arrivals-team")
    run = running(office)
    say: list[tuple[Any, str, dict[str, Any]]] = [
        (ana, f"/v1/runs/{run}/cancel", {"reason": "no"}),
        (
            ben,
            f"/v1/models/{MODEL}/approve",
            {"version": 2, "reason": "fine", "evidence": evidence(office)},
        ),
        (ana, f"/v1/models/{MODEL}/rollback", {"reason": "bad", "force": True}),
        (ana, f"/v1/models/{MODEL}/promote", {"version": 1, "reason": "as before"}),
    ]
    for client, path, body in say:
        first = client.post(path, json=body, headers={"Idempotency-Key": "k"})
        assert first.status_code in {200, 202}, first.text
        office.house.tick()
        again = client.post(path, json=body, headers={"Idempotency-Key": "k"})
        assert again.status_code == 200, again.text
        assert again.json()["signal"] == first.json()["signal"]
        if first.status_code == 200:
            assert again.json() == first.json() | {"fresh": False}
        other = client.post(path, json=body | {"reason": "else"}, headers={"Idempotency-Key": "k"})
        assert (other.status_code, other.json()["code"]) == (409, "conflict"), other.text


CHANGES = [
    pytest.param({"version": 1}, id="to another version"),
    pytest.param({"force": True}, id="by force"),
    pytest.param({"expect_version": 7}, id="with another expectation"),
    pytest.param({"reason": "else"}, id="for another reason"),
]


@pytest.mark.parametrize("bench", ["memory"], indirect=True)
@pytest.mark.parametrize("changes", CHANGES)
def test_the_same_key_with_other_content_is_a_conflict(office: Office, changes: dict[str, Any]):
    seat(office)
    api, path = office.client(), f"/v1/models/{MODEL}/rollback"
    key = {"Idempotency-Key": "k"}
    assert api.post(path, json={"reason": "bad"}, headers=key).status_code in {200, 202}
    other = api.post(path, json={"reason": "bad"} | changes, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "conflict"), other.text


def test_at_the_command_line(office: Office):
    desk = office.app_context
    words = {
        "promote": ("promote", MODEL, "2", "--reason", "now", "--key", "k", "--yes"),
        "rollback": ("rollback", MODEL, "--reason", "bad", "--force", "--key", "k", "--yes"),
    }
    for command, after in (("promote", 2), ("rollback", 1)):
        first = desk.run(*words[command])
        again = desk.run(*words[command])
        assert office.house.champion == after
        assert again.stdout == first.stdout
        assert "had that key already; it counts once." in again.stderr
        other = (*words[command][:-2], "k", "--yes", "--expect-version", "7")
        assert "was used for something else" in desk.run(*other, code=4).stderr


@pytest.mark.parametrize("bench", ["memory"], indirect=True)
def test_a_command_without_a_key_is_a_new_one(office: Office):
    desk = office.app_context
    desk.run("promote", MODEL, "2", "--reason", "now", "--yes")
    refused = desk.run("promote", MODEL, "2", "--reason", "now", "--yes", code=4)
    assert "v2 is the champion already" in refused.stderr
    office.house.work(UNDECIDED)
