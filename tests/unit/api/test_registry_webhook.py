"""The address for a team's MLflow server: what it says brings a look forward, and changes nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from controller.adapters.memory.publications import MemoryTeamRegistry
from controller.domain.publication import Publication
from controller.service.registry.mlflow.publish import PublishConfig, Publisher, PublishReport
from tests.support.command import POLICY
from tests.support.house import MODEL
from tests.support.page import Office
from tests.unit.adapters.test_mlflow_webhook import SECRET, body, signed

PATH = "/v1/events/mlflow"
SECOND = timedelta(seconds=1)


class Hooked:
    """An office whose champion is published; the next look is an hour away."""

    def __init__(self, home: Path, secret: str | None = SECRET) -> None:
        self.office = Office(home, {"registry_webhook_secret": secret} if secret else {})
        self.house = self.office.house
        self.office.app_context.enforce(f"{POLICY}registry: {{moved_elsewhere: restore}}\n")
        for name in ("jan", "feb"):
            self.house.clock.advance(timedelta(days=31))
            self.house.data(30_000, name)
            self.house.work()
        self.team = MemoryTeamRegistry()
        config = PublishConfig(owner="test", watch=timedelta(hours=1))
        self.publisher = Publisher(self.house.store, self.team, self.house.clock, config)
        self.publisher.run_once()
        self.house.clock.advance(10 * SECOND)
        self.api: TestClient = self.office.client(actor=None)

    @property
    def row(self) -> Publication:
        with self.house.store.read() as tx:
            found = tx.publications.get(MODEL)
        assert found is not None
        return found

    def send(
        self, headers: dict[str, str] | None = None, content: bytes = b""
    ) -> tuple[int, object]:
        content = content or body()
        headers = signed(content, self.house.clock.now()) if headers is None else headers
        answer = self.api.post(PATH, content=content, headers=headers)
        return answer.status_code, answer.json().get("looks")


@pytest.fixture
def hooked(tmp_path: Path) -> Hooked:
    return Hooked(tmp_path)


def test_a_webhook_brings_the_look_forward(hooked: Hooked):
    hooked.team.point(MODEL, "champion", 1)
    assert hooked.publisher.run_once() == PublishReport()
    before = hooked.row
    assert hooked.send() == (202, True)
    assert hooked.row == replace(before, look_at=hooked.house.clock.now())
    assert hooked.publisher.run_once().told == 1
    hooked.house.tick()
    assert hooked.publisher.run_once().moved == 1
    assert hooked.team.aliases[MODEL, "champion"] == 2


def test_a_webhook_about_nothing_that_moved_changes_nothing(hooked: Hooked):
    decisions = len(hooked.house.records())
    assert hooked.send() == (202, True)
    assert hooked.publisher.run_once() == PublishReport()
    hooked.house.tick()
    assert (hooked.row.look_at, hooked.row.drift) == (None, "")
    assert len(hooked.house.records()) == decisions


def test_a_doubled_or_replayed_webhook_brings_no_further_look(hooked: Hooked):
    headers = signed(body(), hooked.house.clock.now())
    assert hooked.send(headers) == (202, True)
    assert hooked.send(headers) == (200, False)
    hooked.house.clock.advance(2 * SECOND)
    hooked.publisher.run_once()
    looked = hooked.row
    assert hooked.send(headers) == (200, False)
    assert hooked.row == looked


def test_a_lost_webhook_costs_time_alone(hooked: Hooked):
    hooked.team.point(MODEL, "champion", 1)
    hooked.house.clock.advance(timedelta(hours=1))
    assert hooked.publisher.run_once().told == 1


def test_forged_and_stale_ones_are_refused(hooked: Hooked):
    now, before = hooked.house.clock.now(), hooked.row
    assert hooked.send({})[0] == 401
    assert hooked.send(signed(body(), now, secret="other"))[0] == 401
    assert hooked.send(signed(body(), now - timedelta(minutes=6)))[0] == 401
    assert hooked.send(content=b"[]")[0] == 400
    assert hooked.row == before


def test_a_token_does_not_stand_for_a_signature(hooked: Hooked):
    answer = hooked.office.client().post(PATH, content=body())
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


def test_without_a_secret_none_is_taken(tmp_path: Path):
    hooked = Hooked(tmp_path, secret=None)
    answer = hooked.api.post(PATH, content=body(), headers=signed(body(), hooked.house.clock.now()))
    assert answer.status_code == 401
    assert "INCUMBENT_REGISTRY_WEBHOOK_SECRET" in answer.text


@pytest.mark.parametrize(
    "data",
    [
        {"name": "somebody-elses", "alias": "champion"},
        {"name": MODEL, "alias": "blue"},
        {"name": "x' OR 1=1 --"},
        {"name": "nul\u0000"},
    ],
    ids=["another model", "another alias", "a quote", "a nul"],
)
def test_what_is_not_about_a_champion_of_ours_brings_nothing(hooked: Hooked, data: dict[str, str]):
    before = hooked.row
    assert hooked.send(content=body(data=data)) == (202, False)
    assert hooked.row == before
