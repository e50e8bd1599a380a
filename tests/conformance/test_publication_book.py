"""What every book of publications does."""

from __future__ import annotations

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
