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
    assert operator.post("/v1/silences/1/end").status_code == 404
    assert viewer.get("/v1/silences").json() == []
