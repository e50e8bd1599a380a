"""A mark is good for what was said, by whom and when, and for nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.errors import ConfigurationError
from controller.domain.marks import SPOKEN, Said, SigningKeys, key_id, needs_mark
from controller.domain.signals import SignalKind

OLD, NEW = "o" * 32, "n" * 32
SAID = Said(
    key="k",
    model="m",
    kind="promote",
    trigger=None,
    actor="person:ana",
    at=datetime(2013, 1, 1, tzinfo=UTC),
    payload='{"version":1}',
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    said=st.builds(
        Said,
        key=TEXT,
        model=TEXT,
        kind=TEXT,
        trigger=st.none() | TEXT,
        actor=TEXT,
        at=st.datetimes(timezones=st.just(UTC)),
        payload=TEXT,
    )
)
def test_a_mark_is_good_for_what_was_said(said: Said):
    keys = SigningKeys([NEW])
    assert keys.problem(said, keys.mark(said)) == ""


CHANGES: dict[str, Any] = {
    "key": "other",
    "model": "other",
    "kind": "rollback",
    "trigger": "t",
    "actor": "person:eve",
    "at": SAID.at + timedelta(microseconds=1),
    "payload": '{"version":2}',
}


@pytest.mark.parametrize("name", [field.name for field in fields(Said)])
def test_each_field_is_covered(name: str):
    keys = SigningKeys([NEW])
    forged = replace(SAID, **{name: CHANGES[name]})
    assert "does not match" in keys.problem(forged, keys.mark(SAID))


@pytest.mark.parametrize("mark", [None, ""])
def test_without_a_mark_nobody_is_believed(mark: str | None):
    assert SigningKeys([NEW]).problem(SAID, mark) == (
        "it has no mark, so nothing shows that person:ana sent it"
    )


@given(mark=st.text(max_size=80))
def test_what_is_no_mark_is_none(mark: str):
    assert SigningKeys([NEW]).problem(SAID, mark)
    assert SigningKeys([NEW]).problem(SAID, f"{key_id(NEW)}:{mark}")


def test_keys_are_replaced_one_after_the_other():
    before, during, after = SigningKeys([OLD]), SigningKeys([NEW, OLD]), SigningKeys([NEW])
    assert during.problem(SAID, before.mark(SAID)) == ""
    assert after.problem(SAID, during.mark(SAID)) == ""
    assert "signing key" in after.problem(SAID, before.mark(SAID))
    assert not after.knows(before.mark(SAID))
    assert OLD not in before.mark(SAID)


def test_the_number_from_which_on_signals_are_marked_is_sealed():
    keys = SigningKeys([NEW])
    assert keys.opens(7, keys.seal_start(7))
    assert not keys.opens(8, keys.seal_start(7))
    assert not SigningKeys([OLD]).opens(7, keys.seal_start(7))
    assert not keys.opens(7, keys.mark(SAID))


@pytest.mark.parametrize("given_keys", [[], [""], ["short"], [NEW, "short"]])
def test_a_short_key_is_refused(given_keys: list[str]):
    with pytest.raises(ConfigurationError, match="at least 32 characters"):
        SigningKeys(given_keys)


@pytest.mark.parametrize("kind", SignalKind)
def test_who_needs_a_mark(kind: SignalKind):
    assert needs_mark(kind.value, "person:ana")
    assert needs_mark(kind.value, "system") is (kind in SPOKEN)
