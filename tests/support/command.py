"""The command line over a house in memory: real commands, real services, no process of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from click.testing import CliRunner, Result

from controller.domain.decisions import RulesRef
from controller.domain.rules import Policy
from controller.entrypoints.cli.main import main
from controller.entrypoints.cli.session import CliSession
from controller.ports import ActiveRules
from controller.rulefmt import blob_id, load_policy
from controller.settings import load_settings
from tests.support.house import House

POLICY = """\
version: 1
model: flight-delay
data: {source: "data/*.parquet", time: time_hour, target: arr_delay}
train: {entrypoint: "flights:train"}
triggers:
  - new_data: {rows: 20000}
promote:
  - {name: better, metric: mae, better_than: champion}
"""
PATH = "rules/flight-delay.yaml"


class Loaded(dict[str, Policy]):
    """What is not known is parsed, as in the wired system."""

    def __missing__(self, text: str) -> Policy:
        return load_policy(text, PATH)


@dataclass
class Desk:
    """A house whose rules are a text in the format of files, and somebody at the command line."""

    house: House = field(default_factory=House)
    actor: str = "ana"
    groups: dict[str, list[str]] = field(default_factory=lambda: {"leads": ["ana"]})
    roles: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.house.policies = Loaded(self.house.policies)
        self.enforce(POLICY)

    def enforce(self, text: str, **proof: Any) -> None:
        """Put the policy `text` in force; `proof` are fields of its reference (revision, review, reviewers)."""
        self.house.rules = self.house.policies[text] = load_policy(text, PATH)
        ref = RulesRef(path=PATH, blob=blob_id(text.encode()), **proof)
        with self.house.store.begin() as tx:
            tx.rules.activate(
                ActiveRules(
                    model=self.house.rules.model,
                    ref=ref,
                    text=text,
                    activated_at=self.house.clock.now(),
                )
            )

    def run(self, *words: str, code: int = 0, answer: str | None = None) -> Result:
        """`incumbent words...`; fails the test if it ends with another exit code."""
        result = self.invoke(*words, answer=answer)
        assert result.exit_code == code, f"exit code {result.exit_code}: {result.output}"
        return result

    def invoke(self, *words: str, answer: str | None = None) -> Result:
        """`incumbent words...`, however it ends."""
        session = CliSession(given=self.house.store, clock=self.house.clock)
        session.settings = load_settings(actor=self.actor, groups=self.groups, roles=self.roles)
        return CliRunner().invoke(main, list(words), obj=session, input=answer)

    def json(self, *words: str, code: int = 0) -> Any:
        """What `incumbent words... --json` prints on stdout."""
        return json.loads(self.run(*words, "--json", code=code).stdout)
