"""Somebody moves the champion by hand with MLflow's own client, on a real server; the policy in force settles it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from controller.adapters.mlflow.client import MlflowServer as Client
from controller.adapters.mlflow.registry import MlflowTeamRegistry
from controller.service.registry.mlflow.publish import PublishConfig, Publisher
from tests.support.command import POLICY, Desk
from tests.support.mlflow import MlflowServer

pytestmark = pytest.mark.long

BY_HAND = """
import sys
from mlflow import MlflowClient
address, model, version = sys.argv[1:]
MlflowClient(address).set_registered_model_alias(model, "champion", version)
"""
AGAIN_AND_AGAIN = 8
_NAMES = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[MlflowServer]:
    server = MlflowServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


class Office:
    """A app_context whose second version is champion, published to the server under a name of its own."""

    def __init__(self, server: MlflowServer, asked: str) -> None:
        self.server = server
        self.model = f"flight-delay-{next(_NAMES)}"
        self.app_context = Desk()
        house = self.app_context.house
        text = POLICY.replace("flight-delay", self.model)
        self.app_context.enforce(f"{text}registry:\n  moved_elsewhere: {asked}\n")
        house.rules = house.policies[f"{text}registry:\n  moved_elsewhere: {asked}\n"]
        for name in ("jan", "feb"):
            house.clock.advance(timedelta(days=31))
            house.data(30_000, name)
            house.work()
        self.team = MlflowTeamRegistry(Client(server.place, timeout=60))
        self.publisher = Publisher(house.store, self.team, house.clock, PublishConfig(owner="test"))
        self.look()
        assert (house.champion, self.alias) == (2, 2)

    def look(self) -> None:
        """A round of the publisher, and what the engine says to it."""
        self.app_context.house.clock.advance(timedelta(seconds=6))
        assert self.publisher.run_once().failed == 0
        self.app_context.house.tick()

    @property
    def alias(self) -> int | None:
        found = self.team.pointed(self.model, "champion")
        return None if found is None else found.number

    def decisions(self) -> list[str]:
        """How each foreign move was settled."""
        return [
            action["how"]
            for record in self.app_context.house.records()
            for action in json.loads(record.decision)["actions"]
            if action["kind"] == "settle_move"
        ]


@pytest.mark.parametrize(
    ("asked", "champion", "alias"), [("hold", 2, 1), ("adopt", 1, 1), ("restore", 2, 2)]
)
def test_a_move_by_mlflows_client_is_settled_by_policy(
    server: MlflowServer, asked: str, champion: int, alias: int
):
    office = Office(server, asked)
    server.run(BY_HAND, server.url, office.model, "1")
    assert office.alias == 1
    for _ in range(3):
        office.look()
    assert (office.app_context.house.champion, office.alias) == (champion, alias)
    assert office.decisions() == [asked]
    said = " ".join(office.app_context.run("explain", office.model).stdout.split())
    assert f"10 | moved_elsewhere: {asked}" in said
    assert f"at {server.place} points at version 1 instead of version 2" in said
    assert f"{asked}: The alias champion" in office.app_context.run("audit", office.model).stdout
    office.app_context.run("verify", "--all")


@pytest.mark.parametrize("asked", ["restore", "adopt"])
def test_a_writer_that_never_rests_is_held_in_the_end(server: MlflowServer, asked: str):
    office = Office(server, asked)
    for _ in range(AGAIN_AND_AGAIN):
        office.team.point(office.model, "champion", 1 if office.alias == 2 else 2)
        office.look()
        office.look()
    assert office.decisions() == [asked] * 3 + ["hold"]


def test_a_version_of_somebody_else_is_never_adopted(server: MlflowServer):
    office = Office(server, "adopt")
    theirs = server.run(
        """
import sys
from mlflow import MlflowClient
address, model = sys.argv[1:]
client = MlflowClient(address)
run = client.create_run(client.create_experiment(model))
found = client.create_model_version(model, run.info.artifact_uri + "/model", run.info.run_id)
client.set_registered_model_alias(model, "champion", found.version)
print(found.version)
""",
        server.url,
        office.model,
    )
    for _ in range(3):
        office.look()
    assert (office.app_context.house.champion, office.alias) == (2, int(theirs.split()[-1]))
    assert office.decisions() == ["hold"]
    said = " ".join(office.app_context.run("explain", office.model).stdout.split())
    assert "but version 3 over there did not come from this server" in said
