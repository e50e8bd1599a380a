"""Who caused a training cannot approve its result: at every door, in the decision, and when it is derived again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from controller.domain.canonical import digest
from controller.domain.signals import SignalKind
from controller.rulefmt import blob_id
from controller.service.replay.verify import Verifier
from tests.support.house import MODEL, UNDECIDED
from tests.support.page import ASKS, BASE, Office, form

RULES = ASKS.replace(
    "  - new_data: {rows: 20000}\n",
    "  - new_data: {rows: 20000}\n  - webhook: {type: labels.ready}\n"
    "  - decay: {metric: mae, margin: 10%, min_labels: 10}\n",
)
ANA, BEN = "person:ana", "person:ben"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """v1 sits in the seat."""
    office = Office(tmp_path)
    office.app_context.enforce(RULES)
    office.house.data(30_000, "jan")
    office.house.work()
    return office


def by_metric(office: Office) -> None:
    said = {"metric": "mae", "value": 30.0, "reference": 14.0, "labels": 1000, "p_worse": 0.0001}
    body = {"model": MODEL, "kind": "decay", "payload": said}
    assert office.client().post("/v1/signals", json=body).status_code == 202


def by_batch(office: Office) -> None:
    """Ana releases a batch that was set aside."""
    office.house.data(30_000, "feb")
    with office.house.store.begin() as tx:
        (news,) = [s for s in tx.signals.pending(MODEL) if s.kind is SignalKind.NEW_DATA]
        number = int(news.payload["sequence"])
        tx.data.quarantine(MODEL, number, "broken")
    office.house.signal(SignalKind.DISMISS, actor=BEN, signal=news.id, reason="it is set aside")
    office.house.tick()
    body = {"reason": "it is fine"}
    answer = office.client().post(f"/v1/models/{MODEL}/batches/{number}/release", json=body)
    assert answer.status_code in {200, 202}, answer.text


def by_link(office: Office) -> None:
    """Ana opens the page by a signed link and presses the button."""
    ana = office.visitor(ANA)
    fields = form(ana.get(f"/models/{MODEL}").text, "train") | {"reason": "please"}
    assert ana.post("/words", data=fields).status_code == 200


def by_retry(office: Office) -> None:
    """Ben's training fails, and Ana tries it again."""
    office.house.signal(SignalKind.MANUAL, actor="person:carl", reason="try")
    office.house.tick()
    run = office.house.claim()
    assert run is not None
    office.house.fail(run, "no luck")
    office.house.tick()
    answer = office.client().post(f"/v1/runs/{run.id}/retry", json={"reason": "again"})
    assert answer.status_code in {200, 202}, answer.text


def by_type(office: Office) -> None:
    office.app_context.run("signal", "ask", MODEL, "--type", "labels.ready", "--reason", "labels")


def by_event(office: Office) -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "ci",
        "type": "labels.ready",
        "subject": MODEL,
    }
    headers = {"content-type": "application/cloudevents+json"}
    answer = office.client().post("/v1/events", content=json.dumps(event), headers=headers)
    assert answer.status_code == 202, answer.text


def by_data(office: Office) -> None:
    """A file is found; nobody is known to have brought it."""
    office.house.data(30_000, "feb")


CAUSES = [by_metric, by_batch, by_link, by_retry, by_type, by_event]


def held(office: Office, cause: Callable[[Office], None]) -> str:
    """v2 waits for an approval; the digest of its evidence."""
    cause(office)
    office.house.work(UNDECIDED)
    assert office.house.states()[2] == "challenger", office.house.told[-1].reason
    with office.house.store.read() as tx:
        return digest(tx.registry.evaluations(MODEL, (2,))[2])


def approve(office: Office, actor: str, evidence: str) -> Any:
    client = office.client(actor, "reviewer", "arrivals-team")
    body = {"version": 2, "reason": "fine", "evidence": evidence}
    return client.post(f"/v1/models/{MODEL}/approve", json=body)


def verified(office: Office) -> None:
    with office.house.store.read() as tx:
        verifier = Verifier(tx, office.house.parse, blob_id)
        for record in office.house.records():
            assert verifier.derive(record) is None


@pytest.mark.parametrize("cause", CAUSES)
def test_at_the_doors_in_the_decision_and_when_it_is_derived(
    office: Office, cause: Callable[[Office], None]
):
    evidence = held(office, cause)
    refused = approve(office, ANA, evidence)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "You asked for v2 yourself" in refused.json()["detail"]
    # Past the service: the decision itself leaves it out.
    said: dict[str, Any] = {
        "version": 2,
        "evidence": evidence,
        "groups": ["leads"],
        "reason": "mine",
    }
    number = office.house.signal(SignalKind.APPROVAL, actor=ANA, **said)
    office.house.tick()
    with office.house.store.read() as tx:
        signal = tx.signals.get(number)
    assert signal is not None
    assert f"failed: the approval of {ANA} does not count" in f"{signal.status}: {signal.reason}"
    assert office.house.champion == 1
    assert approve(office, BEN, evidence).json()["status"] == "handled"
    assert office.house.champion == 2
    verified(office)


def test_a_figure_trains_nothing_so_who_posts_one_may_approve(office: Office):
    figure = {"model": MODEL, "kind": "metric", "payload": {"metric": "mae", "value": 30.0}}
    assert office.client().post("/v1/signals", json=figure).status_code == 202
    evidence = held(office, by_data)
    assert approve(office, ANA, evidence).json()["status"] == "handled"


def test_one_token_from_two_addresses_and_two_tokens_are_one_person(office: Office):
    office.app_context.enforce(RULES.replace("from: [leads]}", "from: [leads], count: 2}"))
    evidence = held(office, by_data)
    token = {"authorization": f"Bearer {office.token(ANA, 'reviewer', 'arrivals-team')}"}
    body = {"version": 2, "reason": "fine", "evidence": evidence}
    for address in ("10.0.0.1", "10.0.0.2"):
        client = TestClient(office.app, base_url=BASE, client=(address, 5000))
        answer = client.post(f"/v1/models/{MODEL}/approve", json=body, headers=token)
        assert answer.json()["status"] == "handled", answer.text
    assert approve(office, ANA, evidence).json()["status"] == "handled", "with another token"
    assert office.house.champion == 1
    with office.house.store.read() as tx:
        assert len([w for w in tx.models.approvals(MODEL) if w.actor == ANA]) == 3
    approve(office, BEN, evidence)
    assert office.house.champion == 2
