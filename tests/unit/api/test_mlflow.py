"""Our registry over MLflow's interface: free models are the client's, governed ones are read and defended."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from controller.entrypoints.api.serve import Server
from tests.support.page import BASE, Office

API = "/api/2.0/mlflow"
NAME = "flight-delay"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.held()
    return office


@pytest.fixture
def client(office: Office) -> TestClient:
    return office.client()


def post(client: TestClient, path: str, **body: Any) -> Any:
    return client.post(f"{API}/{path}", json=body)


def get(client: TestClient, path: str, **query: Any) -> Any:
    return client.get(f"{API}/{path}", params=query)


def free(client: TestClient, name: str = "free") -> None:
    assert post(client, "registered-models/create", name=name).status_code == 200
    made = post(client, "model-versions/create", name=name, source="models:/m-12ab")
    assert made.status_code == 200, made.text


def test_a_governed_model_is_read(client: TestClient):
    model = get(client, "registered-models/get", name=NAME).json()["registered_model"]
    assert model["aliases"] == [{"alias": "champion", "version": "1"}]
    assert [(v["version"], v["current_stage"]) for v in model["latest_versions"]] == [
        ("2", "Staging"),
        ("1", "Production"),
    ]
    champion = get(client, "registered-models/alias", name=NAME, alias="champion").json()
    version = champion["model_version"]
    assert (version["version"], version["aliases"]) == ("1", ["champion"])
    assert (version["description"], version["status"]) == ("", "READY")
    assert {"key": "incumbent.state", "value": "champion"} in version["tags"]
    found = get(
        client, "model-versions/search", filter="tags.`incumbent.state` = 'challenger'"
    ).json()
    assert [v["version"] for v in found["model_versions"]] == ["2"]
    place = get(client, "model-versions/get-download-uri", name=NAME, version="1").json()
    assert place["artifact_uri"] == f"{BASE}/api/2.0/mlflow-artifacts/artifacts/{NAME}/1"


REFUSED = {
    "move the champion": (
        "POST",
        "registered-models/alias",
        {"alias": "champion", "version": "2"},
        "incumbent promote flight-delay 2",
    ),
    "take the champion away": (
        "DELETE",
        "registered-models/alias",
        {"alias": "champion"},
        "incumbent promote",
    ),
    "delete a version": (
        "DELETE",
        "model-versions/delete",
        {"version": "1"},
        "incumbent reject flight-delay 1",
    ),
    "delete the model": ("DELETE", "registered-models/delete", {}, "rules/flight-delay.yaml"),
    "rename the model": (
        "POST",
        "registered-models/rename",
        {"new_name": "other"},
        "rules/flight-delay.yaml",
    ),
    "stage production": (
        "POST",
        "model-versions/transition-stage",
        {"version": "2", "stage": "production"},
        "incumbent promote flight-delay 2",
    ),
    "stage archived": (
        "POST",
        "model-versions/transition-stage",
        {"version": "2", "stage": "Archived"},
        "incumbent reject flight-delay 2",
    ),
    "bring a version": (
        "POST",
        "model-versions/create",
        {"source": "s3://x"},
        "incumbent signal flight-delay",
    ),
}


@pytest.mark.parametrize(("verb", "path", "body", "command"), REFUSED.values(), ids=REFUSED.keys())
def test_what_breaks_the_rules_names_the_command(
    office: Office, client: TestClient, verb: str, path: str, body: dict[str, str], command: str
):
    with office.house.store.read() as tx:
        before = (tx.models.state(NAME), tx.registry.versions(NAME))
    answer = client.request(verb, f"{API}/{path}", json={"name": NAME, **body})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert command in answer.json()["message"]
    with office.house.store.read() as tx:
        assert (tx.models.state(NAME), tx.registry.versions(NAME)) == before


def test_tags_and_descriptions_of_a_governed_model_are_kept(client: TestClient):
    for body in ({"name": NAME}, {"name": NAME, "version": "1"}):
        kind = "model-versions" if "version" in body else "registered-models"
        assert post(client, f"{kind}/set-tag", key="team", value="x", **body).status_code == 200
        assert post(client, f"{kind}/set-tag", key="gone", value="y", **body).status_code == 200
        gone = {"key": "gone", **body}
        assert client.request("DELETE", f"{API}/{kind}/delete-tag", json=gone).status_code == 200
        said = {"description": "Minutes.", **body}
        assert client.patch(f"{API}/{kind}/update", json=said).status_code == 200
    model = get(client, "registered-models/get", name=NAME).json()["registered_model"]
    assert (model["description"], model["tags"]) == (
        "Minutes.",
        [{"key": "team", "value": "x"}],
    )
    found = get(client, "model-versions/search", filter="tags.team = 'x'").json()
    (version,) = found["model_versions"]
    assert (version["version"], version["description"]) == ("1", "Minutes.")
    models = get(client, "registered-models/search", filter="tags.team = 'x'").json()
    assert [m["name"] for m in models["registered_models"]] == [NAME]
    ours = post(client, "registered-models/set-tag", name=NAME, key="incumbent.x", value="")
    assert ours.json()["error_code"] == "PERMISSION_DENIED"


def test_another_alias_of_a_governed_model_moves_by_a_decision(office: Office, client: TestClient):
    for number in ("1", "2", "1"):
        body = {"name": NAME, "alias": "blue", "version": number}
        for _ in range(2):
            answer = post(client, "registered-models/alias", **body)
            assert (answer.status_code, answer.json()) == (200, {})
        there = get(client, "registered-models/alias", name=NAME, alias="blue").json()
        assert there["model_version"]["version"] == number
    with office.house.store.read() as tx:
        moves = tx.aliases.moves(NAME, "blue")
    assert [(move.version, move.actor) for move in moves] == [
        (1, "person:ana"),
        (2, "person:ana"),
        (1, "person:ana"),
    ]
    model = get(client, "registered-models/get", name=NAME).json()["registered_model"]
    assert model["aliases"] == [
        {"alias": "blue", "version": "1"},
        {"alias": "champion", "version": "1"},
    ]
    gone = {"name": NAME, "alias": "blue"}
    assert client.request("DELETE", f"{API}/registered-models/alias", json=gone).status_code == 200
    assert get(client, "registered-models/alias", name=NAME, alias="blue").status_code == 404
    missing = post(client, "registered-models/alias", name=NAME, alias="blue", version="9")
    assert missing.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_governed_name_is_taken(client: TestClient):
    free(client)
    for path, body in (
        ("registered-models/create", {"name": NAME}),
        ("registered-models/rename", {"name": "free", "new_name": NAME}),
    ):
        answer = post(client, path, **body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_source_of_mlflow_3_stays_as_it_is(client: TestClient):
    free(client)
    version = get(client, "model-versions/get", name="free", version="1").json()["model_version"]
    assert version["source"] == "models:/m-12ab"
    place = get(client, "model-versions/get-download-uri", name="free", version="1").json()
    assert place == {"artifact_uri": "models:/m-12ab"}
    assert version["user_id"] == "person:ana"


def test_pages_are_followed_and_tokens_hold_for_their_search(client: TestClient):
    for name in "abc":
        free(client, name)
    names, token = [], ""
    while True:
        answer = get(client, "registered-models/search", max_results=2, page_token=token).json()
        names += [model["name"] for model in answer["registered_models"]]
        token = answer.get("next_page_token", "")
        if not token:
            break
        last = token
    assert names == ["a", "b", "c", NAME]
    other = get(client, "registered-models/search", filter="name != 'a'", page_token=last)
    assert "belongs to another search" in other.json()["message"]


WRONG = {
    "no name": ("GET", "registered-models/get", {}, "Missing value for required parameter 'name'"),
    "no number": (
        "GET",
        "model-versions/get",
        {"name": "x", "version": "one"},
        "Parameter 'version' must be an integer, got 'one'",
    ),
    "a filter without end": (
        "GET",
        "model-versions/search",
        {"filter": "name = "},
        "it ends where a value should be",
    ),
    "an unknown attribute": (
        "GET",
        "model-versions/search",
        {"filter": "owner = 'x'"},
        "Invalid attribute key 'owner'",
    ),
    "a filter with OR": (
        "GET",
        "registered-models/search",
        {"filter": "name = 'a' OR name = 'b'"},
        "'OR' where AND",
    ),
    "an unknown order": (
        "GET",
        "model-versions/search",
        {"order_by": "owner"},
        "Invalid order by key 'owner'",
    ),
    "too many results": (
        "GET",
        "registered-models/search",
        {"max_results": "1001"},
        "at most 1000",
    ),
    "a token of nobody": (
        "GET",
        "registered-models/search",
        {"page_token": "xyz"},
        "Invalid page token",
    ),
    "a token that is nested without end": (
        "GET",
        "registered-models/search",
        {"page_token": base64.urlsafe_b64encode(b"[" * 20_000).decode()},
        "Invalid page token",
    ),
    "a name with a slash": ("POST", "registered-models/create", {"name": "a/b"}, "cannot contain"),
    "a long key": (
        "POST",
        "registered-models/set-tag",
        {"name": "free", "key": "k" * 251, "value": ""},
        "maximum length of 250",
    ),
    "an alias that is a number": (
        "POST",
        "registered-models/alias",
        {"name": "free", "alias": "v2", "version": "1"},
        "'v2' is reserved",
    ),
    "tags that are none": (
        "POST",
        "registered-models/create",
        {"name": "b", "tags": "x"},
        "not a list of tags",
    ),
}


@pytest.mark.parametrize(("verb", "path", "given", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_logical_error_is_never_a_500(
    client: TestClient, verb: str, path: str, given: dict[str, str], sentence: str
):
    free(client)
    more: dict[str, Any] = {"params": given} if verb == "GET" else {"json": given}
    answer = client.request(verb, f"{API}/{path}", **more)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert sentence in answer.json()["message"]


def test_what_is_no_part_of_a_registry(client: TestClient):
    answer = post(client, "runs/create")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "tracking server" in answer.json()["message"]


def test_who_may(office: Office):
    nobody = office.client(None)
    answer = get(nobody, "registered-models/search")
    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    viewer = office.client("person:eve", "viewer")
    assert get(viewer, "registered-models/search").status_code == 200
    assert post(viewer, "registered-models/create", name="x").status_code == 403
    basic = base64.b64encode(f"ana:{office.token(role='viewer')}".encode()).decode()
    named = TestClient(office.app, base_url=BASE, headers={"authorization": f"Basic {basic}"})
    assert get(named, "registered-models/search").status_code == 200


def test_a_form_of_another_site_writes_nothing(client: TestClient):
    answer = client.post(
        f"{API}/registered-models/create",
        content=b'{"name": "x"}',
        headers={"content-type": "text/plain"},
    )
    assert answer.status_code == 400
    assert get(client, "registered-models/get", name="x").status_code == 404


def test_a_server_may_keep_governed_models_only(tmp_path: Path):
    office = Office(tmp_path, {"mlflow": "governed"})
    answer = post(office.client(), "registered-models/create", name="x")
    assert answer.json()["error_code"] == "PERMISSION_DENIED"
    assert "rules/x.yaml" in answer.json()["message"]


def test_a_server_may_not_speak_it_at_all(tmp_path: Path):
    client = Office(tmp_path, {"mlflow": "off"}).client()
    assert get(client, "registered-models/search").status_code == 404


def test_answers_do_not_wait_for_acknowledgements(office: Office):
    with Server(office.settings.model_copy(update={"port": 0}), office.house.store) as server:
        listening = server._socket
        assert listening is not None
        assert listening.proto == socket.IPPROTO_TCP  # what asyncio asks before it sets TCP_NODELAY
