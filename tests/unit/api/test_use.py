"""The API for whoever uses models: resolve with ETag and 304, leases, Deprecation and Sunset, words about versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.memory.artifacts import MemoryArtifacts
from controller.domain.rollout import goes_to_challenger
from controller.domain.signals import SignalKind
from tests.support.command import POLICY
from tests.support.house import MODEL
from tests.support.page import Office

DAY = timedelta(days=1)
AT = f"/v1/models/{MODEL}"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Three champions one after the other."""
    office = Office(tmp_path)
    office.app_context.enforce(POLICY + "deprecate: {keep: 1, after: 30d}\n")
    for name in ("jan", "feb", "mar"):
        office.house.data(30_000, name)
        office.house.work()
        office.house.clock.advance(7 * DAY)
    return office


def test_the_champion_has_an_etag_of_its_generation(office: Office):
    api = office.client(role="viewer")
    first = api.get(f"{AT}/champion")
    assert (first.json()["version"], first.json()["generation"]) == (3, 3)
    known = {"if-none-match": first.headers["etag"]}
    assert (api.get(f"{AT}/champion", headers=known).status_code) == 304
    office.house.data(30_000, "apr")
    office.house.work()
    moved = api.get(f"{AT}/champion", headers=known)
    assert (moved.status_code, moved.json()["version"]) == (200, 4)


def test_who_resolves_with_a_name_takes_a_lease_also_by_a_304(office: Office):
    api = office.client(role="viewer")
    tag = api.get(f"{AT}/champion", params={"consumer": "checkout"}).headers["etag"]
    office.house.clock.advance(DAY / 2)
    again = api.get(
        f"{AT}/champion", params={"consumer": "checkout"}, headers={"if-none-match": tag}
    )
    assert again.status_code == 304
    (row,) = api.get(f"{AT}/consumers").json()["consumers"]
    assert (row["name"], row["version"], row["resolves"]) == ("checkout", 3, 2)
    assert row["since"] < row["seen_at"]


def test_a_busy_caller_does_not_write_at_each_resolve(office: Office):
    api = office.client(role="viewer")
    for _ in range(5):
        api.get(f"{AT}/champion", params={"consumer": "checkout"})
    (row,) = api.get(f"{AT}/consumers").json()["consumers"]
    assert row["resolves"] == 1


def test_a_deprecated_version_says_when_it_leaves(office: Office):
    api = office.client()
    assert "deprecation" not in api.get(f"{AT}/versions/1").headers
    body = {"reason": "old", "sunset": "2013-09-01T00:00:00Z"}
    assert api.post(f"{AT}/versions/1/deprecate", json=body).status_code == 200
    found = api.get(f"{AT}/versions/1", params={"consumer": "reports"})
    assert found.headers["sunset"] == "Sun, 01 Sep 2013 00:00:00 GMT"
    assert parsedate_to_datetime(found.headers["sunset"]).year == 2013
    since = int(found.headers["deprecation"].removeprefix("@"))
    assert since == int(office.house.clock.now().timestamp())
    assert 'rel="successor-version"' in found.headers["link"]
    assert "is deprecated and may be gone from 2013-09-01" in found.json()["warning"]
    refused = api.post(f"{AT}/versions/1/archive", json={"reason": "old"})
    assert refused.json()["status"] == "failed"
    assert "needed by consumers: reports" in refused.json()["reason"]
    assert api.delete(f"{AT}/consumers/reports").status_code == 204
    assert (
        api.post(f"{AT}/versions/1/archive", json={"reason": "old"}).json()["status"] == "handled"
    )
    gone = api.get(f"{AT}/versions/1")
    assert (gone.status_code, gone.json()["detail"]) == (404, f"{MODEL} v1 is archived.")
    assert (
        api.post(f"{AT}/versions/1/restore", json={"reason": "needed"}).json()["status"]
        == "handled"
    )
    assert api.get(f"{AT}/versions/1").json()["state"] == "deprecated"


def test_aliases(office: Office):
    api = office.client()
    moved = api.put(f"{AT}/aliases/canary", json={"version": 2, "reason": "try"})
    assert moved.json()["status"] == "handled"
    first = api.get(f"{AT}/aliases/canary")
    assert (first.json()["version"], first.json()["generation"]) == (2, 1)
    stale = {"version": 3, "reason": "try", "expect_version": 1}
    assert api.put(f"{AT}/aliases/canary", json=stale).json()["status"] == "failed"
    api.put(f"{AT}/aliases/canary", json={"version": 3, "reason": "try", "expect_version": 2})
    known = {"if-none-match": first.headers["etag"]}
    assert api.get(f"{AT}/aliases/canary", headers=known).json()["version"] == 3
    assert [a["name"] for a in api.get(f"{AT}/aliases").json()] == ["canary"]
    api.put(f"{AT}/aliases/canary", json={"version": None, "reason": "done"})
    assert api.get(f"{AT}/aliases/canary").status_code == 404


def test_notes_and_search(office: Office):
    api = office.client()
    kept = api.patch(f"{AT}/versions/2/notes", json={"tags": {"team": "x"}, "description": "d"})
    assert kept.json() == {"tags": {"team": "x"}, "description": "d"}
    (row,) = api.get("/v1/search", params={"tag": "team=x", "metric": "mae<15"}).json()
    assert (row["version"], row["description"]) == (2, "d")
    gone = api.patch(f"{AT}/versions/2/notes", json={"tags": {"team": None}})
    assert gone.json()["tags"] == {}
    assert api.patch(f"{AT}/notes", json={"description": "of the model"}).status_code == 200


REFUSED: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "a viewer moves no alias": ("put", f"{AT}/aliases/x", {"version": 1, "reason": "r"}, 403),
    "a viewer deprecates nothing": ("post", f"{AT}/versions/1/deprecate", {"reason": "r"}, 403),
    "a viewer tags nothing": ("patch", f"{AT}/notes", {"tags": {"a": "b"}}, 403),
    "a viewer ends no lease": ("delete", f"{AT}/consumers/x", {}, 403),
    "a name that is empty": ("get", f"{AT}/champion?consumer=%20", {}, 422),
    "a lease without end": ("get", f"{AT}/champion?lease=99999999", {}, 422),
    "no such model": ("get", "/v1/models/nobody/champion", {}, 404),
}


@pytest.mark.parametrize(("method", "url", "body", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(office: Office, method: str, url: str, body: dict[str, Any], status: int):
    api = office.client(role="viewer")
    answer = api.request(method, url, json=body or None)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")


def test_during_a_rollout_the_champion_names_the_challenger_and_whose_request_it_is(
    office: Office,
):
    steps = "rollout: [{traffic: 50%, soak: 6h}, {traffic: 100%}]\n"
    api = office.client(role="viewer")
    before = api.get(f"{AT}/champion")
    assert before.json()["rollout"] is None

    office.app_context.enforce(POLICY + steps)
    office.house.data(30_000, "apr")
    office.house.work()
    during = api.get(f"{AT}/champion")
    assert (during.json()["version"], during.headers["etag"] != before.headers["etag"]) == (3, True)
    assert {k: during.json()["rollout"][k] for k in ("version", "stage", "traffic")} == {
        "version": 4,
        "stage": 0,
        "traffic": 0.5,
    }
    keys = [f"customer {n}" for n in range(20)]
    answers = [api.get(f"{AT}/champion", params={"for": key}).json()["version"] for key in keys]
    assert set(answers) == {3, 4}
    assert [4 if goes_to_challenger(key, 0.5) else 3 for key in keys] == answers

    office.house.signal(SignalKind.REJECT, version=4, reason="no", actor="person:ada")
    office.house.tick()
    after = api.get(f"{AT}/champion", params={"for": keys[answers.index(4)]})
    assert (after.json()["version"], after.json()["rollout"]) == (3, None)


def test_a_download_goes_on_with_a_range_and_is_recorded(office: Office):
    api = office.client(role="viewer")
    content = bytes(range(256)) * 100
    store = MemoryArtifacts()
    digest = store.put_bytes(content)
    office.app.state.app_context = replace(office.served, artifacts=store)
    with office.house.behind() as tx:
        tables = tx.tables
        tables.versions[MODEL, 3] = replace(tables.versions[MODEL, 3], digest=digest)
    place = f"{AT}/versions/3/artifact"
    whole = api.get(place, params={"consumer": "laptop"})
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["etag"] == f'"{digest}"'
    rest = api.get(place, headers={"range": "bytes=25000-"})
    assert (rest.status_code, rest.content) == (206, content[25000:])
    assert rest.headers["content-range"] == "bytes 25000-25599/25600"
    other = api.get(place, headers={"range": "bytes=25000-", "if-range": '"another"'})
    assert (other.status_code, len(other.content)) == (200, 25600)
    assert api.get(place, headers={"range": "bytes=99999-"}).status_code == 416
    assert api.get(place, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    (row,) = api.get(f"{AT}/consumers").json()["consumers"]
    assert (row["name"], row["downloads"]) == ("laptop", 1)
