"""Ten thousand events in a minute, on real databases: one message, and no letter booked twice by two processes."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from controller.adapters.memory import MemorySender
from controller.domain.notices import ChannelRules
from controller.ports import DeliveryQuery, Store
from controller.service.messages.deliver import DeliverNotifications, NoticeConfig
from tests.support.stores import Bench

EVENTS = 10_000


def service(store: Store, bench: Bench, sender: MemorySender, owner: str) -> DeliverNotifications:
    config = NoticeConfig(
        channels={"leads": ChannelRules(name="leads")}, senders={"leads": [sender]}, owner=owner
    )
    return DeliverNotifications(store, bench.clock, config, lambda path, _: f"http://page{path}")


@pytest.mark.long
def test_a_storm_is_one_message(database: Bench):
    with database.store.begin() as tx:
        for number in range(EVENTS):
            payload = {
                "channel": "leads", "event": "failed", "model": f"m{number % 50}",
                "sentence": f"run {number} failed", "decision": number + 1,
            }  # fmt: skip
            tx.outbox.put("notify", f"k{number}", payload)
    sender = MemorySender("mail 1")
    one = service(database.store, database, sender, "a")
    other = service(database.again(), database, sender, "b")
    both = [threading.Thread(target=each.run_once) for each in (one, other)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    database.clock.advance(timedelta(minutes=1))
    one.run_once()
    other.run_once()
    (message,) = sender.sent
    assert message.data["count"] == EVENTS
    assert sum(message.data["tally"].values()) == EVENTS
    with database.store.read() as tx:
        assert tx.outbox.depth() == {}
        assert [row.count for row in tx.deliveries.find(DeliveryQuery())] == [EVENTS]


def test_a_message_leaves_once_whoever_looks(database: Bench):
    sender = MemorySender("mail 1")
    with database.store.begin() as tx:
        tx.outbox.put(
            "notify", "k", {"channel": "leads", "event": "held", "model": "m", "sentence": "s"}
        )
    services = [service(database.again(), database, sender, f"p{n}") for n in range(3)]
    services[0].run_once()
    database.clock.advance(timedelta(minutes=1))
    threads = [threading.Thread(target=each.run_once) for each in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sender.sent) == 1
