"""A signal that is stuck or unwanted is ended by an operator: at the page, over the API, and from afar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.domain.signals import SignalKind
from controller.entrypoints.api.serve import Server
from controller.ports import Query
from tests.support.afar import Afar
from tests.support.house import MODEL
from tests.support.page import Office, form


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"port": 0, "api_rate": 10_000})
    office.held()
    return office


@pytest.fixture
def stuck(office: Office) -> int:
    """A signal that waits: no controller has looked yet."""
    return office.house.signal(SignalKind.MANUAL, reason="by mistake")


def ended(office: Office, signal: int) -> str:
    """How the signal ended; the decision that ended it names who wanted it, and the chain holds it."""
    with office.house.store.read() as tx:
        found = tx.signals.get(signal)
        assert found is not None
        if found.decision is None:
            return found.status.value
        record = tx.decisions.get(found.decision)
        wish = next(iter(tx.signals.find(Query(kinds=("dismiss",), limit=1))))
    assert record is not None
    assert f'"signal":{signal}' in record.decision
    assert wish.actor in record.decision
    return found.status.value


def test_the_page_has_a_button_for_who_may(office: Office, stuck: int):
    ana = office.visitor()
    fields = form(ana.get(f"/signals/{stuck}").text, "dismiss") | {"reason": "sent twice"}
    answer = ana.post("/words", data=fields)
    assert answer.status_code == 200, answer.text
    assert f"person:ana dismissed signal {stuck}: sent twice" in answer.text
    assert ended(office, stuck) == "skipped"
    assert "What you can do" not in ana.get(f"/signals/{stuck}").text
    office.house.tick()
    with office.house.store.read() as tx:
        assert all(run.state.ended for run in tx.runs.find(Query(limit=100))), "nothing was trained"


def test_the_page_says_why_a_viewer_may_not(office: Office, stuck: int):
    text = office.visitor("person:eve", "viewer").get(f"/signals/{stuck}").text
    assert '<button class="danger" disabled aria-describedby="why-dismiss">' in text
    assert "operator" in text


def dismiss(office: Office, signal: object, role: str = "operator", **more: str):
    body = {"action": "dismiss", "reason": "sent twice", "payload": {"signal": signal}}
    client = office.client("person:ben", role)
    return client.post(f"/v1/models/{MODEL}/words", json=body, headers=more)


def test_the_api_takes_it_from_an_operator(office: Office, stuck: int):
    refused = dismiss(office, stuck, "viewer")
    assert refused.status_code == 403, refused.text
    assert ended(office, stuck) == "open"
    answer = dismiss(office, stuck)
    assert answer.status_code == 200, answer.text
    assert f"person:ben dismissed signal {stuck}: sent twice" in answer.json()["reason"]
    assert ended(office, stuck) == "skipped"


def test_what_has_its_answer_is_not_dismissed(office: Office, stuck: int):
    dismiss(office, stuck)
    answer = dismiss(office, stuck)
    assert answer.status_code in {200, 409}
    assert "does not wait" in answer.text or "has its answer already" in answer.text


@pytest.mark.parametrize("signal", [0, -1, 2**70, "7", [1], None, 1.5, True])
def test_the_api_names_the_field(office: Office, signal: object):
    answer = dismiss(office, signal)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == "payload.signal"


def test_the_command_line_does_it_from_afar(office: Office, stuck: int):
    house = office.house
    with Server(
        office.settings, house.store, clock=house.clock, parse=house.parse, key="k",
        decide_until_idle=house.engine.decide_until_idle, artifacts=office.artifacts,
    ) as server:  # fmt: skip
        words = ("signals", "dismiss", f"{stuck}", "--reason", "sent twice", "--yes")
        refused = Afar(office, server.url, "person:eve", "viewer").run(*words, code=2)
        assert "operator" in refused.stderr
        afar = Afar(office, server.url, "person:ana", "operator")
        said = afar.run(*words)
        assert f"person:ana dismissed signal {stuck}: sent twice" in said.stdout
        assert ended(office, stuck) == "skipped"
        again = afar.run(*words, code=4)
        assert f"Signal {stuck} has its answer already" in again.stderr


def test_the_command_line_repeats_its_answer_under_a_key(office: Office, stuck: int):
    house = office.house
    with Server(
        office.settings, house.store, clock=house.clock, parse=house.parse, key="k",
        decide_until_idle=house.engine.decide_until_idle, artifacts=office.artifacts,
    ) as server:  # fmt: skip
        afar = Afar(office, server.url, "person:ana", "operator")
        words = ("signals", "dismiss", f"{stuck}", "--reason", "sent twice", "--yes")
        first, again = (json.loads(afar.run(*words, "--key", "k", "--json").stdout) for _ in "ab")
    assert first["signal"] != stuck
    assert first["status"] == "handled"
    assert again == first
