"""A team's own registry at the command line: what is wrong between both sides is shown, with what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.adapters.memory.publications import MemoryTeamRegistry
from controller.domain.errors import Unavailable
from controller.service.registry.mlflow.publish import PublishConfig, Publisher
from tests.support.command import POLICY, Desk

PLACE = "mlflow://127.0.0.1:1"


class Team:
    """A app_context whose champion is published."""

    def __init__(self) -> None:
        self.app_context = Desk()
        self.app_context.enforce(POLICY)
        for name in ("jan", "feb"):
            self.app_context.house.clock.advance(timedelta(days=31))
            self.app_context.house.data(30_000, name)
            self.app_context.house.work()
        self.there = MemoryTeamRegistry(place=PLACE)
        house = self.app_context.house
        self.publisher = Publisher(
            house.store, self.there, house.clock, PublishConfig(owner="test")
        )
        self.look()

    def look(self) -> None:
        self.app_context.house.clock.advance(timedelta(seconds=6))
        self.publisher.run_once()
        self.app_context.house.tick()


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("INCUMBENT_REGISTRY", PLACE)
    return Team()


def test_all_is_well(team: Team):
    said = team.app_context.run("doctor", "--only", "registry").stdout
    assert f"{PLACE} has 1 models of ours" in " ".join(said.split())


def test_a_foreign_move_is_shown(team: Team):
    team.there.point("flight-delay", "champion", 1)
    team.look()
    doctor = team.app_context.json("doctor", "--only", "registry", "--json", code=1)
    (finding,) = doctor["checks"]
    assert "points at version 1" in finding["sentence"]
    assert "incumbent release flight-delay" in finding["hint"]
    (model,) = team.app_context.json("status", "--json")["models"]
    assert any("points at version 1" in problem for problem in model["problems"])
    assert "points at version 1" in model["hold"]["reason"]
    explained = " ".join(team.app_context.run("explain", "flight-delay").stdout.split())
    assert "registry:" in explained
    assert "points at version 1" in explained


def test_a_server_that_is_away_is_shown(team: Team):
    def away(_: str) -> None:
        raise Unavailable(f"{PLACE} answers 500.")

    team.there.before = away
    team.look()
    (finding,) = team.app_context.json("doctor", "--only", "registry", "--json", code=1)["checks"]
    assert finding["sentence"] == f"{PLACE} answers 500."


@pytest.mark.parametrize("command", ["import", "export"])
def test_an_address_that_is_none(team: Team, command: str):
    said = team.app_context.run(command, "http://x", code=2)
    assert "no address of an MLflow server" in said.output


@pytest.mark.parametrize("models", [[], ["a", "b"]], ids=["none", "two"])
def test_one_name_for_one_model(team: Team, models: list[str]):
    said = team.app_context.run("import", PLACE, *models, "--as", "c", code=2)
    assert "--as names one model" in said.output


def test_a_server_that_nobody_answers_at(team: Team):
    assert "cannot be reached" in team.app_context.run("import", PLACE, code=5).output


SETTLED = {
    "hold": (
        "HOLD",
        "the policy asks to hold: automatic promotion is on hold until a person decides",
        2,
    ),
    "restore": ("NONE", "the policy asks to restore: champion v2 is written there again", 2),
    "adopt": ("PROMOTE", "v1 replaces v2 as champion without its gates", 1),
}


@pytest.mark.parametrize("how", SETTLED)
def test_each_settlement_is_a_decision_that_is_explained_and_proven(team: Team, how: str):
    verdict, words, champion = SETTLED[how]
    team.app_context.enforce(f"{POLICY}registry:\n  moved_elsewhere: {how}\n")
    team.there.point("flight-delay", "champion", 1)
    team.look()
    assert team.app_context.house.champion == champion

    told = team.app_context.run("explain", "flight-delay").stdout
    assert told.split()[0] == verdict
    said = " ".join(told.split())
    assert words in said
    assert f"10 | moved_elsewhere: {how}" in said
    assert "who moved it is not recorded over there" in said

    decision = team.app_context.json("decisions", "-m", "flight-delay", "--json")[0]["id"]
    reigns = team.app_context.json("audit", "flight-delay", "--json")["reigns"]
    (move,) = [move for reign in reigns if reign["version"] == 2 for move in reign["moved"]]
    assert move.startswith(f"decision {decision} (2013-04-03 12:00 UTC) {how}: The alias champion")
    assert f"moved elsewhere, {move}" in team.app_context.run("audit", "flight-delay").stdout
    assert (
        "moved elsewhere"
        in team.app_context.run("audit", "flight-delay", "--format", "markdown").stdout
    )
    team.app_context.run("verify", "--all")


def test_what_the_server_forbids_is_said_in_one_sentence(team: Team):
    house = team.app_context.house
    team.publisher = Publisher(
        house.store, team.there, house.clock, PublishConfig(owner="test", may_adopt=False)
    )
    team.app_context.enforce(f"{POLICY}registry: {{moved_elsewhere: adopt}}\n")
    team.there.point("flight-delay", "champion", 1)
    team.look()
    said = " ".join(team.app_context.run("explain", "flight-delay").stdout.split())
    assert (
        "the policy asks to adopt, but this server forbids to adopt (INCUMBENT_REGISTRY_ADOPT)"
        in said
    )
    assert house.champion == 2


def test_a_policy_that_asks_for_what_the_server_forbids_is_shown(
    team: Team, monkeypatch: pytest.MonkeyPatch
):
    team.app_context.enforce(f"{POLICY}registry: {{moved_elsewhere: adopt}}\n")
    team.app_context.run("doctor", "--only", "registry")
    monkeypatch.setenv("INCUMBENT_REGISTRY_ADOPT", "false")
    (finding,) = team.app_context.json("doctor", "--only", "registry", code=1)["checks"]
    assert finding["sentence"] == (
        "rules/flight-delay.yaml asks to adopt what others move over there, and this server forbids it: "
        "it holds instead"
    )
