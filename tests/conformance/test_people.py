"""What every book of tokens and comments does, and every list of challengers that wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.errors import Conflict
from controller.domain.versions import VersionState
from controller.ports import Comment, Delegation, Store, Token, Waiting
from tests.support.makers import AT, HOUR, decide, enter, move


def token(digest: str, **changes: Any) -> Token:
    values: dict[str, Any] = {
        "name": "ci ü",
        "digest": digest,
        "actor": "person:ana",
        "role": "reviewer",
        "created_by": "person:ben",
        "created_at": AT,
        "expires_at": AT + timedelta(days=30),
        "owners": ("arrivals-team",),
    }
    return Token(**(values | changes))


def test_a_token_is_found_by_its_digest_and_revoked_once(store: Store):
    with store.begin() as tx:
        first, second = tx.tokens.issue(token("d1")), tx.tokens.issue(token("d2", owners=()))
    with store.begin() as tx:
        assert tx.tokens.by_digest("d1") == first
        assert tx.tokens.by_digest("d3") is None
        assert tx.tokens.revoke(first.id, AT + HOUR)
        assert not tx.tokens.revoke(first.id, AT + 2 * HOUR)
        assert not tx.tokens.revoke(99, AT)
    with store.read() as tx:
        assert [(t.id, t.revoked_at) for t in tx.tokens.all()] == [
            (second.id, None),
            (first.id, AT + HOUR),
        ]


def test_the_key_of_an_order_makes_one_token(store: Store):
    with store.begin() as tx:
        tx.tokens.issue(token("a", key="person:ana:1"))
        tx.tokens.issue(token("b"))
        tx.tokens.issue(token("c"))
    for known in (token("d", key="person:ana:1"), token("a", key="person:ana:2")):
        with pytest.raises(Conflict), store.begin() as tx:
            tx.tokens.issue(known)
    with store.read() as tx:
        assert [kept.digest for kept in tx.tokens.all()] == ["c", "b", "a"]


def test_a_comment_is_kept_once_under_its_key(store: Store):
    said = Comment(subject="decision:1", actor="person:ana", at=AT, text="**ü** <b>", key="k1")
    with store.begin() as tx:
        kept = tx.comments.add(said)
        assert (
            tx.comments.add(Comment(subject="run:x", actor="b", at=AT, text="b", key="k1")) == kept
        )
        later = tx.comments.add(
            Comment(subject="decision:1", actor="person:ben", at=AT, text="c", key="k2")
        )
    with store.read() as tx:
        assert tx.comments.of("decision:1") == [kept, later]
        assert tx.comments.of("decision:1", limit=1) == [kept]
        assert tx.comments.of("decision:2") == []
        assert tx.comments.latest() == [later, kept]
        assert tx.comments.latest(1) == [later]


def test_challengers_wait_in_order_of_their_time(store: Store):
    with store.begin() as tx:
        for model, at in (("b", AT), ("a", AT + HOUR)):
            decision = decide(tx, model)
            for number in (1, 2):
                enter(tx, number, model, decision)
            move(
                tx, 2, VersionState.CANDIDATE, VersionState.CHALLENGER, model=model,
                decision=decision, at=at,
            )  # fmt: skip
    with store.read() as tx:
        assert tx.models.waiting() == [
            Waiting(model="b", version=2, since=AT),
            Waiting(model="a", version=2, since=AT + HOUR),
        ]
        assert len(tx.models.waiting(limit=1)) == 1
        assert tx.rules.models() == ["a", "b"]


def test_a_delegation_is_kept_once_and_taken_back_once(store: Store):
    given = Delegation(
        actor="person:ana", to="person:bén", reason="leave", since=AT, until=AT + HOUR, key="k"
    )
    with store.begin() as tx:
        kept = tx.delegations.add(given)
        assert tx.delegations.add(replace(given, to="person:eve")) == kept
        other = tx.delegations.add(replace(given, key="k2", to="person:eve"))
    with store.begin() as tx:
        assert tx.delegations.to("person:bén") == [kept]
        assert tx.delegations.all() == [other, kept]
        assert tx.delegations.all(1) == [other]
        assert tx.delegations.revoke(kept.id, AT)
        assert not tx.delegations.revoke(kept.id, AT)
        assert tx.delegations.to("person:bén") == []
    assert kept.holds(AT)
    assert not kept.holds(AT + HOUR)


def test_a_nonce_is_used_once_until_it_ends(store: Store):
    with store.begin() as tx:
        assert tx.nonces.use("delivery", "a", until=AT + HOUR, at=AT)
        assert tx.nonces.use("login link", "a", until=AT + HOUR, at=AT)
        assert not tx.nonces.use("delivery", "a", until=AT + 2 * HOUR, at=AT)
    with store.read() as tx:
        assert tx.nonces.used("delivery", "a")
        assert not tx.nonces.used("delivery", "b")
    with store.begin() as tx:
        assert not tx.nonces.use("delivery", "a", until=AT + 2 * HOUR, at=AT + HOUR)
        assert tx.nonces.use("delivery", "b", until=AT + 3 * HOUR, at=AT + 2 * HOUR)
        assert not tx.nonces.used("delivery", "a")
        assert tx.nonces.used("login link", "a")
