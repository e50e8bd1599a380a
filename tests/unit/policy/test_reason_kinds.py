"""Every reason to act is asked for every duty, and one that lacks a duty cannot be had."""

from __future__ import annotations

import ast
from dataclasses import fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from controller.domain.decisions import RulesRef, Verdict
from controller.domain.snapshot import Snapshot
from controller.policy import reasons
from controller.policy.context import DecisionContext
from controller.policy.reasons.base import Reason
from controller.policy.reasons.registry import AT_REST, REASONS, register
from controller.rulefmt import load_policy

FOLDER = Path(str(reasons.__file__)).parent
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "reasons.md"
POLICY = load_policy(
    "version: 1\nmodel: m\ndata: {source: 'd/*.parquet', target: y}\ntrain: {entrypoint: 'a:b'}\n"
    "triggers: [{new_data: {rows: 10}}]\npromote: [{metric: mae, better_than: champion}]\n",
    "m.yaml",
)


def nothing_happened() -> DecisionContext:
    snapshot = Snapshot(
        model="m", generation=0, next_version=1, next_run=1, rules=RulesRef(path="", blob="")
    )
    return DecisionContext(snapshot, POLICY, datetime(2013, 2, 1, tzinfo=UTC))


def verdicts_named(text: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Verdict"
    }


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.key)
def test_every_reason_has_every_duty(reason: Reason):
    module = import_module(f"controller.policy.reasons.{reason.key}")
    assert getattr(module, reason.key.upper()) is reason
    assert reason.evaluate.__module__ == module.__name__
    assert reason.evaluate.__doc__
    assert reason.doc.endswith(".")
    assert reason.rank
    found = reason.evaluate(nothing_happened())
    assert found is None or found.verdict is None, "nothing happened, and it wants to act"
    assert reason.verdicts <= set(Verdict)
    assert verdicts_named((FOLDER / f"{reason.key}.py").read_text()) == {
        verdict.name for verdict in reason.verdicts
    }
    assert f"| `{reason.key}` | {reason.doc.split('`')[0]}" in REFERENCE.read_text()


def test_every_file_is_a_reason_and_stands_in_the_order():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "base", "registry"}
    assert files == {reason.key for reason in REASONS}


def test_what_is_asked_at_rest_is_asked_in_the_same_order():
    assert [reason.key for reason in AT_REST] == [
        "isolate",
        "dismiss",
        "person_commands",
        "roll_back",
    ]


def test_every_verdict_has_a_reason():
    assert {verdict for reason in REASONS for verdict in reason.verdicts} == set(Verdict)


def test_no_reason_stands_twice():
    with pytest.raises(ValueError, match="twice in REASONS: train"):
        register((*REASONS, REASONS[-1]))


@pytest.mark.parametrize("duty", [field.name for field in fields(Reason)])
def test_a_reason_that_lacks_a_duty_cannot_be_made(duty: str):
    duties: dict[str, Any] = {f.name: getattr(REASONS[0], f.name) for f in fields(Reason)}
    del duties[duty]
    with pytest.raises(TypeError, match=duty):
        Reason(**duties)
