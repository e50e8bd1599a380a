"""Where the server isolates owners, a reader of one team finds nothing of another's in any answer of any route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller import __version__
from controller.domain.signals import SignalKind
from controller.ports import Comment
from controller.ports.reads import READS, read_question
from tests.support.house import MODEL
from tests.support.page import Office

OWNER = "arrivals-team"
MARK = "zebrafish"
PARTS = {
    "model": MODEL, "run": f"{MODEL}.r1", "number": "1", "version": "1", "selector": "champion",
    "alias": "champion", "batch": "1", "subject": "decision:1", "digest": "0" * 64, "name": "find",
    "book": "signals", "channel": "x", "consumer": "x",
}  # fmt: skip
MLFLOW = "/api/2.0/mlflow"
MORE = (
    f"{MLFLOW}/registered-models/search",
    f"{MLFLOW}/registered-models/get?name={MODEL}",
    f"{MLFLOW}/registered-models/get-latest-versions?name={MODEL}",
    f"{MLFLOW}/registered-models/alias?name={MODEL}&alias=champion",
    f"{MLFLOW}/model-versions/search",
    f"{MLFLOW}/model-versions/get?name={MODEL}&version=1",
    f"{MLFLOW}/model-versions/get-download-uri?name={MODEL}&version=1",
    f"/api/2.0/mlflow-artifacts/artifacts?path={MODEL}/1",
    f"/api/2.0/mlflow-artifacts/artifacts/{MODEL}/1/MLmodel",
    "/v1/stream?once=true&after=0",
    f"/v1/comments/version:{MODEL}/1",
    f"/v1/comments/run:{MODEL}.r1",
)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"isolation": "owner"})
    office.held()
    house = office.house
    house.signal(SignalKind.HOLD, reason=MARK, actor=f"person:{MARK}")
    house.tick()
    with house.store.begin() as tx:
        for subject in ("decision:1", f"run:{MODEL}.r1", f"version:{MODEL}/1"):
            said = Comment(
                subject=subject, actor="person:x", at=house.clock.now(), text=MARK, key=subject
            )
            tx.comments.add(said)
    return office


def routes(router: Any) -> Iterator[tuple[str, set[str]]]:
    """Every path with its methods, those of included routers too."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner)
        elif getattr(route, "methods", None):
            yield route.path, set(route.methods)


def addresses(office: Office) -> list[str]:
    found = []
    for path, methods in routes(office.app.router):
        if "GET" not in methods or "/mlflow" in path:
            continue
        if not path.startswith(("/static", "/oidc", "/v1/stream", "/v1/openapi")):
            found.append(re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: PARTS.get(m[1], "1"), path))
    return [*dict.fromkeys(found), *MORE]


def leaks(path: str, text: str) -> list[str]:
    secrets = [MARK, OWNER, "mae", "data/*.parquet"]
    asked = MODEL in path
    return [word for word in (*secrets, *(() if asked else (MODEL,))) if word in text]


def test_no_route_tells_a_reader_of_one_team_of_another_s_model(office: Office) -> None:
    told = {"accept": "text/html,application/json"}
    other, own = (
        office.client("person:eve", "viewer", "team-a"),
        office.client("person:eve", "viewer", OWNER),
    )
    seen, broken = 0, []
    found: dict[str, list[str]] = {}
    for path in addresses(office):
        answer = other.get(path, headers=told)
        if answer.status_code >= 500 and path != "/readyz":  # no controller runs here
            broken.append((path, answer.status_code))
        if words := leaks(path, answer.text):
            found[path] = words
        seen += bool(leaks(path, own.get(path, headers=told).text))
    assert (found, broken) == ({}, [])
    assert seen > 15, "what is planted is there to be seen"


SAME = {"incumbent-version": __version__}
ARGUMENTS = {
    "model": MODEL, "name": MODEL, "run": f"{MODEL}.r1", "subject": "decision:1", "query": {}, "number": 1,
    "signal": 1, "decision": 1, "version": 1, "alias": "champion", "selector": "champion", "person": "person:x",
    "limit": 100, "now": "2014-01-01T00:00:00Z", "key": "x", "delivery": 1, "silence": 1, "digest": "0" * 64,
}  # fmt: skip


def test_no_question_of_the_books_tells_of_another_s_model(office: Office) -> None:
    other, own = (
        office.client("person:eve", "viewer", "team-a"),
        office.client("person:ana", "viewer"),
    )
    found, seen = {}, 0
    for book, names in READS.items():
        for name in sorted(names):
            needed = read_question(book, name).arguments
            body = {key: ARGUMENTS[key] for key in needed if key in ARGUMENTS}
            path = f"/internal/v1/{book}/{name}"
            answer = other.post(path, json=body, headers=SAME)
            words = [w for w in (MARK, OWNER, "mae", "data/*.parquet", MODEL) if w in answer.text]
            if words or answer.status_code >= 500:
                found[path] = (answer.status_code, words)
            seen += MODEL in own.post(path, json=body, headers=SAME).text
    assert found == {}
    assert seen > 10, "what is planted is there to be seen"


def test_lists_are_filtered_and_never_refused(office: Office) -> None:
    api = office.client("person:eve", "viewer", "team-a")
    for path in (
        "signals",
        "decisions",
        "runs",
        "models",
        "inbox",
        "policies",
        "drift",
        "messages",
        "reviews",
    ):
        answer = api.get(f"/v1/{path}")
        rows = answer.json()
        assert (path, answer.status_code) == (path, 200)
        assert (rows["items"] if isinstance(rows, dict) else rows) == []


def test_an_owner_s_reader_sees_their_models_at_both_surfaces(office: Office) -> None:
    api = office.client("person:ana", "viewer", OWNER)
    assert [row["model"] for row in api.get("/v1/models").json()] == [MODEL]
    found = api.get(f"{MLFLOW}/registered-models/search").json()
    assert [row["name"] for row in found["registered_models"]] == [MODEL]
    assert api.get(f"/v1/models/{MODEL}/champion").status_code == 200
    assert len(api.get("/v1/decisions").json()["items"]) == len(office.house.records())


def test_writing_to_a_model_that_is_not_seen_is_writing_to_none(office: Office) -> None:
    api = office.client("person:eve", "admin", "team-a")
    before = len(office.house.statuses())
    for path, body in (
        (f"/v1/models/{MODEL}/hold", {"reason": "x"}),
        ("/v1/signals", {"model": MODEL, "kind": "manual"}),
        ("/v1/comments/decision:1", {"text": "x"}),
    ):
        answer = api.post(path, json=body)
        assert answer.status_code in {403, 404}, path
        assert OWNER not in answer.text
    assert len(office.house.statuses()) == before
