"""`incumbent plan` as a person calls it: in a git repository of rules, with a database file."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.entrypoints.cli.main import main
from controller.ports import ActiveRules, NewDecision
from tests.support.command import PATH, POLICY
from tests.support.house import FAILS, PASSES
from tests.support.repository import Repository
from tests.unit.service.test_plan import history

STRICT = f"{POLICY}  - {{name: absolute, metric: mae, at_most: 14}}\n"


class Team:
    """A repository with the policy of the recorded history, and the database beside it."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "team")
        self.home = folder / "home"
        self.home.mkdir()
        self.write(POLICY)
        self.base = self.repository.commit("The policy")
        self._record()

    def write(self, text: str, path: str = PATH) -> None:
        file = self.repository.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def _record(self) -> None:
        app_context = history(PASSES, FAILS)
        url = f"sqlite:///{self.home / 'incumbent.db'}"
        migrate(url)
        store = SqlStore(url, SystemClock())
        records = app_context.house.records()
        self.count = len(records)
        with store.begin() as tx:
            for r in records:
                tx.decisions.record(
                    NewDecision(
                        model=r.model,
                        decided_at=r.decided_at,
                        rules=r.rules,
                        snapshot=r.snapshot,
                        decision=r.decision,
                    )
                )
            tx.rules.activate(
                ActiveRules(
                    model=r.model, ref=r.rules, text=POLICY, activated_at=records[0].decided_at
                )
            )
        store.close()

    def plan(self, *words: str, code: int = 0) -> str:
        with contextlib.chdir(self.repository.folder):
            done = CliRunner().invoke(
                main, ["plan", *words], env={"INCUMBENT_HOME": str(self.home)}
            )
        assert done.exit_code == code, done.output
        return done.stderr if code > 1 else done.stdout


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    return Team(tmp_path_factory.mktemp("plan"))


def test_the_rules_in_force_are_the_base_and_the_working_tree_the_head(team: Team):
    team.write(STRICT)

    said = team.plan()

    assert said.startswith("Compared: the rules in force -> the working tree\n")
    assert f"2 of {team.count} decisions change." in said
    assert "challenger v2: promote v2 -> reject" in said
    assert "because gate 'absolute' is new: fail, mae 14.2; needed: at most 14" in said


def test_a_revision_is_compared_with_the_working_tree(team: Team):
    team.write(STRICT)

    found = json.loads(team.plan(team.base, "--format", "json"))

    assert found["base"] == team.base
    assert found["flips"] == 2
    assert [item["change"] for item in found["models"][0]["flips"]] == [
        "promote v1 -> reject",
        "promote v2 -> reject",
    ]


def test_two_revisions_are_compared_and_a_change_can_fail(team: Team):
    team.write(STRICT)
    head = team.repository.commit("Stricter")
    team.write(POLICY)

    team.plan(team.base, "--head", head, "--fail-on-change", code=1)
    team.plan(team.base, "--head", team.base, "--fail-on-change")
    said = team.plan(team.base, "--head", head)

    assert f"Compared: {team.base} -> {head}" in said


def test_a_comment_for_a_pull_request(team: Team):
    team.write(STRICT.replace("name: absolute", 'name: "<b>@all"'))

    said = team.plan(team.base, "--format", "markdown")

    assert said.startswith(f"### 2 decisions of {team.count} would have been another one\n")
    assert "| decision | decided (UTC) | change | because |" in said
    assert "**promote v2 → reject**" in said
    assert "<b>" not in said
    assert "@all" not in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["nowhere"], "There is no revision nowhere here.", id="revision"),
        pytest.param(["--model", "flights"], "There is no model called flights.", id="model"),
        pytest.param(["--rules", "rulez"], "There is no folder rulez.", id="folder"),
    ],
)
def test_what_is_not_there_is_named(team: Team, words: list[str], sentence: str):
    assert sentence in team.plan(*words, code=3)
