"""Very many signals at once: each is accepted and answered, or refused; no other model is forgotten; nothing grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.inflow import Inflow, held


@pytest.mark.parametrize(
    ("count", "models"),
    [
        (1000, 1),
        (1000, 50),
        *(
            pytest.param(count, models, marks=pytest.mark.long)
            for count in (5000, 100_000)
            for models in (1, 1000)
        ),
    ],
)
def test_signals_at_once_are_answered_or_refused(count: int, models: int, tmp_path: Path):
    inflow = Inflow(f"sqlite:///{tmp_path / 'x.db'}", models)
    try:
        found = inflow.flood(count)
    finally:
        inflow.close()
    assert found.accepted + found.refused == count
    assert found.answered == found.accepted
    assert found.accepted >= min(count, 500)
    assert found.quiet < found.answered_in


@pytest.mark.long
def test_a_process_that_decides_holds_no_more_after_thousands_of_decisions(tmp_path: Path):
    inflow = Inflow(f"sqlite:///{tmp_path / 'x.db'}", 50)
    try:
        for number in range(60):
            inflow.round(number)
        before = held()
        for number in range(60, 260):
            inflow.enforce(inflow.models[number % 50], number)
            inflow.round(number)
        after = held()
    finally:
        inflow.close()
    assert after.files <= before.files
    assert after.threads == before.threads
    assert after.memory - before.memory < 20


def test_a_policy_that_was_replaced_is_forgotten(tmp_path: Path):
    inflow = Inflow(f"sqlite:///{tmp_path / 'x.db'}", 1)
    try:
        for number in range(5):
            inflow.enforce("m0000", number)
            assert inflow.round(number)
        assert len(inflow.engine._policies) <= 2
    finally:
        inflow.close()
