"""Tokens over the API: shown once, never for more than their maker has."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from controller.ports import Delegation
from tests.support.page import Office

ORDER = {"name": "ci", "role": "operator", "actor": "ci", "seconds": 3600}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.held()
    return office


def test_a_token_is_shown_once_and_kept_as_its_digest_only(
    office: Office, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    admin = office.client("person:ana")
    made = admin.post("/v1/tokens", json=ORDER)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    row, secret = made.json(), made.json()["token"]
    assert (row["actor"], row["role"], row["created_by"]) == ("person:ci", "operator", "person:ana")
    bearer = {"authorization": f"Bearer {secret}"}
    asked = office.client(None).post("/v1/signals", json={"model": "flight-delay"}, headers=bearer)
    assert asked.status_code == 202
    listed = admin.get("/v1/tokens")
    assert listed.json()[0]["id"] == row["id"]
    assert secret not in listed.text
    assert "digest" not in listed.text
    with office.house.store.read() as tx:
        assert secret not in repr(tx.tokens.all())
    assert secret not in caplog.text


def test_an_order_under_a_known_key_makes_no_second_token(office: Office):
    admin, key = office.client("person:ana"), {"Idempotency-Key": "k1"}
    first = admin.post("/v1/tokens", json=ORDER, headers=key).json()
    again = admin.post("/v1/tokens", json=ORDER, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert f"Token {first['id']} was made under this key" in again.json()["detail"]
    assert first["token"] not in again.text
    assert office.client("person:ben").post("/v1/tokens", json=ORDER, headers=key).is_success


@pytest.mark.parametrize("role", ["viewer", "reviewer", "operator"])
def test_only_an_admin_makes_lists_and_revokes(office: Office, role: str):
    client = office.client("person:cem", role)
    assert client.post("/v1/tokens", json=ORDER | {"role": "viewer"}).status_code == 403
    assert client.get("/v1/tokens").status_code == 403
    office.token("person:ana")
    assert client.delete("/v1/tokens/2").status_code == 403
    assert client.delete("/v1/tokens/1").json()["revoked_at"] is not None  # one's own
    assert client.get("/v1/models").status_code == 401


def test_the_admin_of_a_team_gives_rights_over_its_models_alone(office: Office):
    admin = office.client("person:cem", "admin", "arrivals-team")
    own = {**ORDER, "owners": ["arrivals-team"]}
    made = admin.post("/v1/tokens", json=own)
    assert made.status_code == 201
    assert admin.post("/v1/tokens", json=ORDER).status_code == 403
    wider = admin.post("/v1/tokens", json=own | {"owners": ["arrivals-team", "cargo-team"]})
    assert "for models of cargo-team" in wider.json()["detail"]
    everywhere = office.client("person:ana").post("/v1/tokens", json=ORDER).json()["id"]
    assert everywhere not in [row["id"] for row in admin.get("/v1/tokens").json()]
    assert admin.delete(f"/v1/tokens/{everywhere}").status_code == 403
    assert admin.delete(f"/v1/tokens/{made.json()['id']}").status_code == 200


def test_no_token_speaks_for_somebody_with_more_groups_than_its_maker(office: Office):
    admin = office.client("person:cem")  # an admin, and not in the group leads
    order = ORDER | {"role": "reviewer"}
    refused = admin.post("/v1/tokens", json=order | {"actor": "ben"})
    assert refused.status_code == 403
    assert "person:ben approves for leads and you do not" in refused.json()["detail"]
    now = office.house.clock.now()
    with office.house.store.begin() as tx:
        tx.delegations.add(
            Delegation(
                actor="person:ana", to="person:dia", reason="leave", since=now,
                until=now + timedelta(days=1), key="k",
            )
        )  # fmt: skip
    stands_in = admin.post("/v1/tokens", json=order | {"actor": "dia"})
    assert "person:dia approves for leads" in stands_in.json()["detail"]
    assert admin.post("/v1/tokens", json=order | {"actor": "eva"}).status_code == 201
    assert office.client("person:ana").post("/v1/tokens", json=order | {"actor": "ben"}).is_success


def test_revoking_twice_is_revoking_once(office: Office):
    admin = office.client("person:ana")
    number = admin.post("/v1/tokens", json=ORDER).json()["id"]
    first = admin.delete(f"/v1/tokens/{number}").json()
    office.house.clock.advance(timedelta(hours=1))
    assert admin.delete(f"/v1/tokens/{number}").json() == first
    assert admin.delete("/v1/tokens/99").status_code == 404
