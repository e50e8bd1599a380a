"""Wrong input on a real server: a body of a gigabyte, clients that are slow or silent, markup in every field."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.domain.canonical import digest
from controller.entrypoints.api import guard
from controller.entrypoints.api.serve import Server
from controller.entrypoints.web.decision.panel import Panel, panel_of
from controller.ports import ReviewRecord
from tests.support import story
from tests.support.house import MODEL
from tests.support.page import Office, form

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'
GIGABYTE = 1_000_000_000


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"port": 0})
    office.held()
    return office


@pytest.fixture
def port(office: Office) -> Iterator[int]:
    house = office.house
    with Server(
        office.settings,
        house.store,
        clock=house.clock,
        parse=house.parse,
        key="k",
        decide_until_idle=None,
    ) as server:
        yield int(server.url.rsplit(":", 1)[1].strip("/"))


def asked(port: int, head: str, body: bytes = b"") -> socket.socket:
    end = socket.create_connection(("127.0.0.1", port), timeout=30)
    end.sendall(f"{head}\r\nhost: 127.0.0.1\r\n\r\n".encode() + body)
    return end


def answer(end: socket.socket) -> str:
    said = b""
    while part := end.recv(65_536):
        said += part
    end.close()
    return said.decode()


def test_a_gigabyte_is_refused_at_once_where_it_is_declared(port: int):
    said = answer(asked(port, f"POST /v1/signals HTTP/1.1\r\ncontent-length: {GIGABYTE}"))
    assert said.startswith("HTTP/1.1 413")
    assert "A body may have 1,000,000 bytes." in said


def test_a_gigabyte_in_parts_is_cut_after_the_first_megabyte(port: int):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = asked(port, "POST /v1/signals HTTP/1.1\r\ntransfer-encoding: chunked")
    part, sent = b"10000\r\n" + b"x" * 65_536 + b"\r\n", 0
    with end, pytest.raises(OSError):  # reset or broken pipe, whichever comes first
        for _ in range(GIGABYTE // 65_536):
            end.sendall(part)
            sent += 65_536
    assert sent < GIGABYTE / 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_body_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "SLOWEST_BODY", 0.3)
    said = answer(asked(port, "POST /v1/signals HTTP/1.1\r\ncontent-length: 100", b"{"))
    assert said.startswith("HTTP/1.1 408")
    assert "too_slow" in said


def test_silent_clients_keep_nobody_else_waiting(port: int):
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    half = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for end in half:
        end.sendall(b"GET /v1/models HTTP/1.1\r\nhost: 127")
    said = answer(asked(port, "GET /login HTTP/1.1\r\nconnection: close"))
    assert said.startswith("HTTP/1.1 200")
    for end in (*silent, *half):
        end.close()


def test_markup_from_trainings_reviews_and_people_is_shown_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    office = Office(tmp_path)
    monkeypatch.setattr(
        story, "_lineage", lambda o, run: o.artifacts.put_bytes(_evil_lineage(run.number))
    )
    monkeypatch.setattr(story, "_operation", lambda p50, size: {EVIL: p50, "latency_ms_p50": size})
    monkeypatch.setitem(
        story.PANEL, "distribution", {"classes": [EVIL], "shares": {"label": [1.0]}}
    )
    monkeypatch.setitem(story.PANEL["calibration"], "unit", EVIL)
    story.tell(office)
    _evil_review(office)
    ana = office.visitor()
    text = ana.get("/decisions/16").text
    fields = form(text, "comment") | {"to": f"b{EVIL}", "days": "2", "reason": EVIL}
    ana.post("/delegations", data=fields)
    pages = [
        "/",
        "/decisions/16",
        "/audit",
        f"/models/{MODEL}",
        f"/policies/{MODEL}",
        "/models?q=" + EVIL,
    ]
    shown = "".join(ana.get(path).text for path in pages)
    assert shown.count("&lt;script&gt;alert(1)") > 10
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown


def _evil_lineage(number: int) -> bytes:
    kept = {
        "features": [EVIL], "schema": {EVIL: f"{EVIL}{number}"}, "code": {"commit": EVIL, "dirty": EVIL},
        "packages": {EVIL: f"{number}"}, "platform": {"python": f"{EVIL}{number}"}, "rows": {"training": EVIL},
    }  # fmt: skip
    return json.dumps(kept).encode()


def _evil_review(office: Office) -> None:
    """The commit message, author and reviewer's account of the evidence that the policy in force cites."""
    with office.house.store.begin() as tx:
        rules = tx.rules.active(MODEL)
        assert rules is not None
        assert rules.ref.review is not None
        kept = tx.reviews.get(rules.ref.review)
        assert kept is not None
        evil = kept.evidence.replace("Cleo Marsh", json.dumps(EVIL)[1:-1])
        tx.reviews.put(
            ReviewRecord(
                digest=digest(evil.encode()), source=EVIL, revision=EVIL, proven=False,
                recorded_at=kept.recorded_at, reason=EVIL, evidence=evil,
            )
        )  # fmt: skip
        tx.rules.refuse(MODEL, EVIL)


@pytest.mark.parametrize(
    "details",
    [
        {"panel": 3}, {"panel": {"calibration": {"unit": "x", "sides": {"challenger": ["y"]}}}},
        {"panel": {"distribution": {"edges": [1], "shares": {"label": [1, 2]}}}}, {"champion": 5},
    ],
)  # fmt: skip
def test_a_panel_of_another_form_is_left_out(details: dict[str, Any]):
    assert panel_of({"details": details, "metrics": {"mae": 1.0}}) == Panel()


def test_every_write_of_a_person_stands_in_the_audit(office: Office):
    ana = office.visitor()
    text = ana.get("/decisions/6").text
    ana.post("/comments", data=form(text, "comment") | {"text": "looks odd"})
    ana.post(
        "/delegations", data=form(text, "comment") | {"to": "ben", "days": "2", "reason": "leave"}
    )
    office.token("person:ben", "viewer")
    audit = ana.get("/audit").text
    for said in (
        "said of decision:6: looks odd",
        "lets person:ben approve until",
        "issued token 1 (test)",
    ):
        assert said in audit
