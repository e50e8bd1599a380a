"""Decisions that released code took are derived again: byte for byte, or said to be of another version, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.domain import codec
from controller.domain.canonical import GENESIS
from controller.domain.chain import break_at
from controller.domain.decisions import DecisionRecord
from controller.policy.decide import CODE
from controller.rulefmt import blob_id, load_policy
from controller.service.replay.verify import Verifier
from tests.support.command import Desk
from tests.support.golden import kept

GOLDEN = Path(__file__).parent / "golden"
WORDS = "the same in other words"
OTHERWISE: dict[str, dict[int, str]] = {
    # People were asked without a record of it, so while v2 waits the present code asks before it does anything else;
    # who was approved was sent away by a newer one (10); an approval's time began with the challenger's (11, 15).
    "5": dict.fromkeys((2, 3, 5, 13), WORDS) | dict.fromkeys((6, 7, 8, 9, 10, 11, 15), "actions"),
    "8": {},
}
"""By the engine version that decided: the decisions that the present one takes otherwise, and where."""


def load(code: str) -> tuple[list[str], list[DecisionRecord]]:
    found: dict[str, Any] = json.loads((GOLDEN / f"code-{code}.json").read_text(encoding="utf-8"))
    return found["texts"], [codec.load_plain(DecisionRecord, one) for one in found["records"]]


@pytest.mark.parametrize("code", OTHERWISE)
def test_what_was_decided_is_derived_again(code: str):
    texts, records = load(code)
    desk = Desk()
    for text in texts:
        desk.enforce(text)
    before, found = GENESIS, {}
    with desk.house.store.read() as tx:
        verifier = Verifier(tx, load_policy, blob_id)
        for number, record in enumerate(records, 1):
            assert break_at(record, number, before) is None
            before = record.hash
            difference = verifier.derive(record)
            if difference is not None:
                assert difference.finding, difference.sentence
                said = f"was taken by engine version {code}; engine version {CODE} "
                assert said in difference.sentence
                found[number] = difference.place.partition("[")[0] or WORDS
    assert found == OTHERWISE[code]


def test_every_code_that_is_kept_is_asked_and_the_present_one_is_kept():
    files = {path.stem.removeprefix("code-") for path in GOLDEN.glob("*.json")}
    assert files == set(OTHERWISE)
    assert CODE in files, "raise the number and keep what it decides: tests/support/golden.py"


def test_the_present_code_still_tells_the_story_as_it_was_kept():
    assert kept() == json.loads((GOLDEN / f"code-{CODE}.json").read_text(encoding="utf-8"))
