"""The list of models: one line each, found by name, owner and state."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.decisions import RulesRef
from controller.domain.signals import SignalKind
from controller.ports import ActiveRules
from controller.service.commands.owners import Owners
from tests.support.command import POLICY
from tests.support.house import MODEL, START
from tests.support.page import ASKS, Office


def rules(text: str, blob: str) -> ActiveRules:
    return ActiveRules(
        model="m", ref=RulesRef(path="r.yaml", blob=blob), text=text, activated_at=START
    )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """`flight-delay` of arrivals-team holds v2; `other` of others has nobody, `third` of nobody too."""
    office = Office(tmp_path)
    office.held()
    for name, owner in (("other", "owner: others\n"), ("third", "")):
        text = POLICY.replace("model: flight-delay\n", f"model: {name}\n{owner}")
        with office.house.store.begin() as tx:
            kept = tx.rules.active(MODEL)
            assert kept is not None
            tx.rules.activate(
                replace(kept, model=name, text=text, ref=replace(kept.ref, blob=name))
            )
    return office


def shown(office: Office, query: str) -> list[str]:
    text = office.visitor().get(f"/models{query}").text
    return re.findall(r'href="/models/([\w-]+)"><b>', text)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["flight-delay", "other", "third"]), ("?q=OTH", ["other"]), ("?owner=others", ["other"]),
        ("?owner=nobody", []), ("?state=held", [MODEL]), ("?state=seated", [MODEL]),
        ("?state=empty", ["other", "third"]), ("?state=resting", []), ("?state=running", []),
        ("?state=problem", []), ("?state=nonsense", ["flight-delay", "other", "third"]),
        ("?owner=arrivals-team&state=held&q=flight", [MODEL]), ("?after=other", ["third"]),
    ],
)  # fmt: skip
def test_a_model_is_found_by_name_owner_and_state(office: Office, query: str, names: list[str]):
    assert shown(office, query) == names


def test_a_hold_and_work_under_way_are_states(office: Office):
    office.house.signal(SignalKind.HOLD, reason="holidays", actor="person:ana")
    office.house.signal(SignalKind.MANUAL, reason="try", actor="person:ana")
    office.house.tick()
    assert shown(office, "?state=resting") == [MODEL]
    assert shown(office, "?state=running") == [MODEL]


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        (ASKS, "arrivals-team"),
        (ASKS.replace("owner: arrivals-team", "owner: arrivals-team   # ours"), "arrivals-team"),
        (ASKS.replace("owner: arrivals-team", 'owner: "arrivals-team"'), "arrivals-team"),
        (POLICY, None),
        ("no policy, and it says owner", None),
    ],
    ids=["plain", "with a comment", "quoted", "none", "unreadable"],
)
def test_the_owner_is_the_one_that_the_parser_reads(text: str, owner: str | None):
    from controller.rulefmt import load_policy

    assert Owners(load_policy, {}).of(rules(text, text)) == owner
