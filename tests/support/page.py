"""The page and the API over a house in memory, where this process alone decides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from controller.adapters.memory.artifacts import MemoryArtifacts
from controller.bootstrap import revision_source
from controller.domain.evidence import GateEvidence
from controller.entrypoints.api.app import create_app
from controller.entrypoints.api.context import AppContext as Served
from controller.entrypoints.api.context import LoginLinks
from controller.ports import Store
from controller.rulefmt import blob_id
from controller.service.commands.access import TokenOrder, issue_token, parse_role
from controller.settings import Settings, load_settings
from tests.support.command import POLICY, Desk
from tests.support.house import UNDECIDED, House

ASKS = POLICY.replace("model: flight-delay\n", "model: flight-delay\nowner: arrivals-team\n") + (
    "approval: {when: inconclusive, from: [leads]}\n"
)
BASE = "http://127.0.0.1:8321"
GROUPS = {"leads": ["ana", "ben"]}


@dataclass
class Office:
    """A app_context at the command line whose house is also served."""

    home: Path
    changes: dict[str, Any] = field(default_factory=dict)
    given: Store | None = None

    def __post_init__(self) -> None:
        self.app_context = Desk(House(given=self.given), groups=GROUPS)
        self.house = self.app_context.house
        self.settings: Settings = load_settings(home=self.home, groups=GROUPS, **self.changes)
        self.artifacts = MemoryArtifacts()
        self.served = Served(
            settings=self.settings,
            store=self.house.store,
            clock=self.house.clock,
            parse=self.house.parse,
            blob_id=blob_id,
            key="a key of the test",
            decide_until_idle=self.house.engine.decide_until_idle,
            artifacts=self.artifacts,
            open_revisions=lambda: revision_source(self.settings),
        )
        self.app = create_app(self.served)

    def held(self) -> None:
        """v1 sits in the seat, v2 waits for approval."""
        self.app_context.enforce(ASKS)
        self.house.data(30_000, "jan")
        self.house.work()
        self.house.clock.advance(timedelta(days=31))
        self.house.data(30_000, "feb")
        self.house.work(UNDECIDED)

    def token(
        self, actor: str = "person:ana", role: str = "admin", *owners: str, **more: Any
    ) -> str:
        """A token's secret."""
        lasts = more.pop("lasts", timedelta(days=300))
        order = TokenOrder(
            name=more.pop("name", "test"),
            actor=actor,
            role=parse_role(role),
            lasts=lasts,
            owners=owners,
        )
        with self.house.store.begin() as tx:
            return issue_token(tx, order, self.house.clock.now())[0]

    def client(
        self, actor: str | None = "person:ana", role: str = "admin", *owners: str
    ) -> TestClient:
        """A program with a token (None: without)."""
        headers = (
            {} if actor is None else {"authorization": f"Bearer {self.token(actor, role, *owners)}"}
        )
        return TestClient(self.app, base_url=BASE, headers=headers, raise_server_exceptions=False)

    def visitor(self, actor: str = "person:ana", role: str | None = None) -> TestClient:
        """A person at the page: by the one-time link, or with a token's role."""
        client = TestClient(self.app, base_url=BASE, headers={"accept": "text/html"})
        if role is None:
            key = LoginLinks.new(self.served.key, actor)
            answer = client.post("/go", data={"key": key}, follow_redirects=False)
        else:
            answer = client.post(
                "/login", data={"token": self.token(actor, role)}, follow_redirects=False
            )
        assert answer.status_code == 303, answer.text
        return client


def form(text: str, word: str) -> dict[str, str]:
    """The hidden fields of the form for ``word``."""
    for part in re.findall(r"<form.*?</form>", text, re.DOTALL):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', part))
        if fields.get("word") == word or (word == "comment" and "subject" in fields):
            return fields
    raise AssertionError(f"no form for {word}")


def slices(*gains: tuple[str, float, float, int]) -> tuple[GateEvidence, ...]:
    """Slices of a gate: name, difference, half width, rows."""
    return tuple(
        GateEvidence(
            gate="no worse anywhere", metric="mae", method="paired BCa bootstrap", challenger=14.0 + gain,
            reference=14.0, reference_name="champion v1", difference=gain, interval_low=gain - half,
            interval_high=gain + half, theta=gain - 0.42, p_pass=0.001 if gain + half < 0.42 else 0.2,
            p_fail=0.9, n=rows, slice={"origin": name},
        )
        for name, gain, half, rows in gains
    )  # fmt: skip
