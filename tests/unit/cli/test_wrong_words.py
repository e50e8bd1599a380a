"""What no signal may be, said at the command line: the field or the name is in the sentence, and nothing is kept."""

from __future__ import annotations

import json

import pytest

from controller.ports import Query
from tests.support.command import Desk
from tests.support.house import MODEL
from tests.support.nonsense import NAMES, too_large

PAYLOADS = {
    "10 MB": json.dumps({"x": "y" * 10_000_000}),
    "20,001 values": json.dumps({f"k{number}": number for number in range(20_001)}),
    "1,000 levels": '{"a":' * 1_000 + "1" + "}" * 1_000,
    "100,000 levels": "[" * 100_000,
    "no object": "[1]",
}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def kept(desk: Desk) -> int:
    with desk.house.store.read() as tx:
        return len(tx.signals.find(Query(limit=10)))


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_that_no_signal_may_have_is_refused(desk: Desk, name: str):
    result = desk.invoke("signal", MODEL, "--type", "t", "--payload", PAYLOADS[name])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert len(result.output) < 2_000
    assert kept(desk) == 0


def test_a_reason_of_ten_megabytes_is_refused_by_its_name(desk: Desk):
    reason = str(too_large()["10 MB"]["reason"])
    result = desk.invoke("signal", MODEL, "--reason", reason)
    assert (result.exit_code, "reason" in result.output) == (2, True)
    assert kept(desk) == 0


@pytest.mark.parametrize("name", [n for n in NAMES if n != "\ud800"], ids=ascii)
def test_a_name_that_no_model_may_have_is_refused(desk: Desk, name: str):
    result = desk.invoke("signal", "ask", "--", name)
    assert result.exit_code in {2, 3}, result.output
    assert isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert kept(desk) == 0
