"""A command that is sent again under its key is answered as it was the first time, whichever command it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.domain.signals import SignalKind
from controller.ports import Query
from controller.service.commands.submit import COMMANDS
from tests.support.house import MODEL
from tests.support.page import Office

Sent = tuple[str, dict[str, Any]]
"""The route below ``/v1``, and the body beside its reason."""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"port": 0, "api_rate": 10_000})
    office.held()
    return office


def _named(action: str, **body: Any) -> Callable[[Office], Sent]:
    return lambda _: (f"/models/{MODEL}/{action}", body)


def _word(action: str, **payload: Any) -> Callable[[Office], Sent]:
    return lambda _: (f"/models/{MODEL}/words", {"action": action, "payload": payload})


def _approve(office: Office) -> Sent:
    with office.house.store.read() as tx:
        evidence = tx.registry.evaluations(MODEL, (2,))[2].digest
    return f"/models/{MODEL}/approve", {"version": 2, "evidence": evidence}


def _withdraw(office: Office) -> Sent:
    route, body = _approve(office)
    said = office.client("person:ana", "admin").post(f"/v1{route}", json=body | {"reason": "good"})
    assert said.status_code in {200, 202}, said.text
    return f"/models/{MODEL}/withdraw", {"version": 2}


def _dismiss(office: Office) -> Sent:
    stuck = office.house.signal(SignalKind.MANUAL, reason="by mistake")
    return f"/models/{MODEL}/words", {"action": "dismiss", "payload": {"signal": stuck}}


def _retry(office: Office) -> Sent:
    return f"/runs/{MODEL}.r1/retry", {}


def _cancel(office: Office) -> Sent:
    office.house.signal(SignalKind.MANUAL, reason="once more")
    office.house.engine.run_once()
    with office.house.store.read() as tx:
        run = next(run for run in tx.runs.find(Query(limit=100)) if not run.state.ended)
    return f"/runs/{run.id}/cancel", {}


def _release_batch(office: Office) -> Sent:
    with office.house.store.begin() as tx:
        tx.data.quarantine(MODEL, 1, "12 rows are null")
    return f"/models/{MODEL}/batches/1/release", {}


WAYS: dict[str, Callable[[Office], Sent]] = {
    "alias": _word("alias", alias="blue", version=1),
    "approve": _approve,
    "archive": _word("archive", version=1),
    "cancel": _cancel,
    "deprecate": _word("deprecate", version=1),
    "dismiss": _dismiss,
    "drill": _word("drill"),
    "hold": _named("hold"),
    "promote": _named("promote", version=2, expect_version=1),
    "reject": _named("reject", version=2),
    "release": _named("release"),
    "release_batch": _release_batch,
    "restore": _word("restore", version=1),
    "retain": _word("retain", versions=[1]),
    "retry": _retry,
    "rollback": _named("rollback", version=1),
    "train": _named("train"),
    "withdraw": _withdraw,
}


def test_all_commands_are_walked():
    assert {*WAYS} == COMMANDS


@pytest.mark.parametrize("action", sorted(WAYS))
def test_a_repeat_has_the_shape_and_the_signal_of_the_first(office: Office, action: str):
    route, body = WAYS[action](office)
    api, key = office.client("person:ana", "admin"), {"Idempotency-Key": "once"}
    first, again = (
        api.post(f"/v1{route}", json={"reason": "as agreed"} | body, headers=key) for _ in range(2)
    )
    assert first.status_code in {200, 202}, first.text
    assert again.status_code in {200, 202}, again.text
    assert first.json()["fresh"]
    assert again.json() == first.json() | {"fresh": False}
