"""What every book of publications does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.publication import Publication, Sent
from controller.ports import Store
from tests.support.makers import AT


def test_the_newest_state_is_kept(store: Store):
    first = Publication(model="b", place="mlflow://x")
    second = Publication(
        model="b",
        place="mlflow://y",
        generation=3,
        alias=7,
        decision=12,
        checked_at=AT,
        drift="It moved.",
        drift_at=AT,
        drift_key="k",
        settled="So.",
        error="No.",
        failures=2,
        look_at=AT,
    )
    other = Publication(model="a", place="mlflow://x")
    with store.begin() as tx:
        assert tx.publications.get("b") is None
        for one in (first, other, second):
            tx.publications.put(one)
    with store.read() as tx:
        assert tx.publications.get("b") == second
        assert tx.publications.all() == [other, second]


def test_versions_over_there(store: Store):
    with store.begin() as tx:
        for number, remote, digest in ((2, 5, "x"), (1, 4, "y"), (2, 6, "z")):
            tx.publications.note("a", number, Sent(remote=remote, digest=digest))
        tx.publications.note("b", 1, Sent(remote=1, digest=""))
        assert tx.publications.sent("a") == {
            1: Sent(remote=4, digest="y"),
            2: Sent(remote=6, digest="z"),
        }
        tx.publications.forget("a")
        tx.publications.forget("nobody")
        assert (tx.publications.sent("a"), len(tx.publications.sent("b"))) == ({}, 1)


SECOND = timedelta(seconds=1)
LOOKS: dict[str, tuple[Publication, bool]] = {
    "never looked at": (Publication(model="a", place="mlflow://x"), True),
    "looked at before": (Publication(model="a", place="mlflow://x", checked_at=AT - SECOND), True),
    "looked at since": (Publication(model="a", place="mlflow://x", checked_at=AT + SECOND), False),
    "in a pause": (Publication(model="a", place="mlflow://x", look_at=AT + 60 * SECOND), True),
    "soon anyway": (Publication(model="a", place="mlflow://x", look_at=AT), False),
}


@pytest.mark.parametrize(("row", "brought"), LOOKS.values(), ids=LOOKS.keys())
def test_a_hint_brings_the_next_look_forward_and_changes_nothing_else(
    store: Store, row: Publication, brought: bool
):
    row = replace(row, generation=3, alias=7, drift="It moved.", drift_key="k", failures=2)
    with store.begin() as tx:
        tx.publications.put(row)
    with store.begin() as tx:
        assert tx.publications.hint("a", AT + 2 * SECOND, AT) is brought
        assert tx.publications.hint("nobody", AT, AT) is False
    with store.read() as tx:
        kept = tx.publications.get("a")
    assert kept == (replace(row, look_at=AT + 2 * SECOND) if brought else row)
