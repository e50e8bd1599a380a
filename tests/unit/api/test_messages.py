"""Messages and silences over the API, by right."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.ports import Delivery, DeliveryState, Notice
from tests.support.page import Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    now = office.house.clock.now()
    notice = Notice(event="held", model="flight-delay", sentence="v2 waits", at=now, decision=5)
    with office.house.store.begin() as tx:
        for state in (DeliveryState.SENT, DeliveryState.SENDING):
            tx.deliveries.put(
                Delivery(channel="leads", address="mail 1", lane="", state=state, created_at=now,
                         due_at=now, notices=(notice,), count=1)
            )  # fmt: skip
    return office


def test_the_log_is_read_and_a_message_sent_again(office: Office):
    viewer, operator = office.client(role="viewer"), office.client(role="operator")
    found = viewer.get("/v1/messages", params={"state": "sent"}).json()
    assert [(row["id"], row["notices"][0]["sentence"]) for row in found["items"]] == [
        (1, "v2 waits")
    ]
    assert viewer.post("/v1/messages/1/again").status_code == 403
    copy = operator.post("/v1/messages/1/again")
    assert (copy.status_code, copy.json()["again_of"], copy.json()["state"]) == (201, 1, "sending")
    assert operator.post("/v1/messages/2/again").status_code == 409
    assert operator.post("/v1/messages/99/again").status_code == 404
    page = viewer.get("/v1/messages", params={"limit": 1}).json()
    assert (page["items"][0]["id"], page["next"]) == (3, 3)


def test_silences_are_added_listed_and_ended(office: Office):
    viewer, operator = office.client(role="viewer"), office.client(role="operator")
    wanted = {"reason": "a move", "seconds": 7200, "model": "flight-*"}
    assert viewer.post("/v1/silences", json=wanted).status_code == 403
    kept = operator.post("/v1/silences", json=wanted).json()
    assert (kept["id"], kept["created_by"], kept["event"]) == (1, "person:ana", None)
    assert [row["reason"] for row in viewer.get("/v1/silences").json()] == ["a move"]
    assert operator.post("/v1/silences", json={"reason": "x", "seconds": 10**9}).status_code == 422
    assert operator.post("/v1/silences/1/end").status_code == 204
    assert operator.post("/v1/silences/1/end").status_code == 204  # it is over, said twice
    assert operator.post("/v1/silences/9/end").status_code == 404
    assert viewer.get("/v1/silences").json() == []


def test_an_order_under_the_same_key_counts_once(office: Office):
    operator = office.client(role="operator")
    again = {"Idempotency-Key": "k1"}
    copies = [operator.post("/v1/messages/1/again", headers=again).json()["id"] for _ in range(2)]
    assert copies == [3, 3]
    assert operator.post("/v1/messages/3/again", headers=again).status_code == 409
    wanted = {"reason": "a move", "seconds": 7200}
    kept = [operator.post("/v1/silences", json=wanted, headers=again).json() for _ in range(2)]
    assert kept[0] == kept[1]
    other = operator.post("/v1/silences", json=wanted | {"model": "x"}, headers=again)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(operator.get("/v1/silences").json()) == 1


def test_the_operator_of_a_team_handles_what_is_about_its_models(office: Office):
    office.held()  # the policy in force says that arrivals-team owns the model
    team = office.client("person:ben", "operator", "arrivals-team")
    other = office.client("person:cem", "operator", "cargo-team")
    wanted = {"reason": "a move", "seconds": 60, "model": "flight-delay"}
    assert other.post("/v1/silences", json=wanted).status_code == 403
    assert team.post("/v1/silences", json=wanted).status_code == 201
    for wide in ({"model": "flight-*"}, {"model": None}, {"model": "unknown"}):
        assert team.post("/v1/silences", json=wanted | wide).status_code == 403
    assert other.post("/v1/silences/1/end").status_code == 403
    assert team.post("/v1/silences/1/end").status_code == 204
    assert other.post("/v1/messages/1/again").status_code == 403
    assert team.post("/v1/messages/1/again").status_code == 201


def test_channels_are_named_without_their_secrets_and_tried_out_once(tmp_path: Path):
    file = tmp_path / "notify.toml"
    file.write_text('[channels.leads]\nto = ["json://user:hush@example.org/x"]\n')
    file.chmod(0o600)
    office = Office(tmp_path, {"notify": file})
    viewer, operator = office.client(role="viewer"), office.client(role="operator")
    assert viewer.get("/v1/channels").status_code == 403
    said = operator.get("/v1/channels")
    assert said.json() == {"configured": True, "channels": {"leads": ["json 1"]}, "problems": []}
    assert "hush" not in said.text
    assert viewer.post("/v1/channels/leads/test").status_code == 403
    assert operator.post("/v1/channels/feed/test").json()["hint"] == "There are: leads."
    for _ in range(2):
        tried = operator.post("/v1/channels/leads/test", headers={"Idempotency-Key": "k"})
        assert (tried.status_code, tried.json()) == (202, {"channel": "leads"})
    with office.house.store.read() as tx:
        assert tx.outbox.depth() == {"notify": 1}
