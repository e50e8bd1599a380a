"""Every page on a real PostgreSQL, and the reviewer's story on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.adapters.sql.store import SqlStore
from tests.support.house import MODEL
from tests.support.page import Office, form
from tests.support.story import drifted, tell

PAGES = [
    "/", "/models", "/models?owner=arrivals-team&state=held", "/models?state=running", f"/models/{MODEL}", "/decisions",
    "/decisions/16", "/decisions/16/export", "/signals", "/signals/1", "/runs", f"/runs/{MODEL}.r9",
    f"/runs/{MODEL}.r9/live", "/policies", f"/policies/{MODEL}", "/drift", "/audit", "/audit?at=2013-04-01", "/system",
    "/v1/models", "/v1/inbox", f"/v1/models/{MODEL}/metrics", f"/v1/policies/{MODEL}/revisions",
]  # fmt: skip


@pytest.fixture
def office(tmp_path: Path, postgres_url: str) -> Iterator[Office]:
    store = SqlStore(postgres_url)
    office = Office(tmp_path, given=store)
    tell(office)
    drifted(office)
    yield office
    store.close()


def test_every_page_is_there_and_a_held_challenger_is_approved(office: Office):
    ana = office.visitor()
    for path in PAGES:
        answer = ana.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text[-500:]}"
    text = ana.get("/decisions/16").text
    assert "Verified: derived again" in text
    assert "by: 0.1 → 0.04" in text
    answer = ana.post("/words", data=form(text, "approve") | {"reason": "worth it"})
    assert "v5 replaces v4 as champion" in answer.text
    ana.post("/comments", data=form(text, "comment") | {"text": "@ben **done**"})
    assert "You were mentioned" in office.visitor("person:ben").get("/").text
    body = {
        "to": "ben",
        "days": "3",
        "reason": "leave",
        "mark": form(text, "comment")["mark"],
        "key": "k",
    }
    assert "person:ben approves in your place" in ana.post("/delegations", data=body).text
