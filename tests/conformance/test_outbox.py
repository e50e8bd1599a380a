"""What every outbox does."""

from __future__ import annotations

from controller.ports import Store
from tests.support.makers import HOUR, MINUTE
from tests.support.stores import Bench


def test_a_letter_waits_until_it_is_acknowledged(bench: Bench):
    with bench.store.begin() as tx:
        tx.outbox.put("run", "a", {"run": "m.r1", "fence": 0})
        tx.outbox.put("notify", "a", {})
    with bench.store.read() as tx:
        (letter,) = tx.outbox.due("run")
        assert tx.outbox.depth() == {"run": 1, "notify": 1}
    assert (letter.topic, letter.key, letter.attempts) == ("run", "a", 0)
    assert letter.payload == {"run": "m.r1", "fence": 0}
    with bench.store.begin() as tx:
        assert tx.outbox.failing() == []
        tx.outbox.postpone(letter.id, HOUR, "The broker is away.")
        assert tx.outbox.due("run") == []
        assert [one.last_error for one in tx.outbox.failing()] == ["The broker is away."]
    bench.pass_time(HOUR + MINUTE)
    with bench.store.begin() as tx:
        (again,) = tx.outbox.due("run")
        assert (again.id, again.attempts) == (letter.id, 1)
        assert again.last_error == "The broker is away."
        tx.outbox.acknowledge(letter.id)
        assert tx.outbox.due("run") == tx.outbox.failing() == []
        assert tx.outbox.depth() == {"notify": 1}


def test_the_same_key_is_the_same_letter(store: Store):
    with store.begin() as tx:
        tx.outbox.put("run", "a", {"n": 1})
        tx.outbox.put("run", "a", {"n": 2})
        (letter,) = tx.outbox.due("run")
        assert letter.payload == {"n": 1}
        tx.outbox.acknowledge(letter.id)
    with store.begin() as tx:
        tx.outbox.put("run", "a", {"n": 3})
        tx.outbox.acknowledge(letter.id)
        tx.outbox.postpone(letter.id, HOUR)
        assert tx.outbox.due("run") == []
        assert tx.outbox.depth() == {}


def test_what_waits_can_be_made_due_at_once(bench: Bench):
    with bench.store.begin() as tx:
        for topic, key in (("run", "rung"), ("run", "arrived"), ("notify", "told")):
            tx.outbox.put(topic, key, {})
            (letter,) = [one for one in tx.outbox.due(topic) if one.key == key]
            tx.outbox.postpone(letter.id, HOUR, "The broker is away.")
            if key == "arrived":
                tx.outbox.acknowledge(letter.id)
    with bench.store.begin() as tx:
        tx.outbox.hasten("run")
    with bench.store.read() as tx:
        (rung,) = tx.outbox.due("run")
        assert (rung.key, rung.attempts, rung.last_error) == ("rung", 1, "The broker is away.")
        assert tx.outbox.due("notify") == []


def test_the_longest_due_come_first(bench: Bench):
    with bench.store.begin() as tx:
        for key in "abc":
            tx.outbox.put("run", key, {})
    with bench.store.begin() as tx:
        first = tx.outbox.due("run")[0]
        tx.outbox.postpone(first.id, MINUTE)
    bench.pass_time(HOUR)
    with bench.store.read() as tx:
        assert [letter.key for letter in tx.outbox.due("run")] == ["b", "c", "a"]
        assert [letter.key for letter in tx.outbox.due("run", limit=1)] == ["b"]
