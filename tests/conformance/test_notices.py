"""What every delivery log and every book of silences does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from controller.ports import (
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Notice,
    Silence,
    Store,
)
from tests.support.makers import AT, HOUR


def notice(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "event": "held", "model": "flight-delay", "sentence": "v3 waits ü", "at": AT, "decision": 7,
    }  # fmt: skip
    return Notice(**(values | changes))


def delivery(address: str = "mail 1", **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "channel": "leads", "address": address, "lane": "", "state": DeliveryState.GATHERING,
        "created_at": AT, "due_at": AT + HOUR, "notices": (notice(),), "count": 1,
        "tally": {"held flight-delay": 1},
    }  # fmt: skip
    return Delivery(**(values | changes))


def test_a_row_comes_back_as_it_was_written(store: Store):
    with store.begin() as tx:
        kept = tx.deliveries.put(delivery())
        assert kept.id
        changed = tx.deliveries.put(
            replace(kept, count=2, notices=(*kept.notices, notice(decision=None, path="/x")))
        )
    with store.read() as tx:
        assert tx.deliveries.get(kept.id) == changed
        assert tx.deliveries.get(99) is None


def test_the_open_row_of_a_lane_takes_notices_until_it_is_claimed(store: Store):
    with store.begin() as tx:
        kept = tx.deliveries.put(delivery())
        tx.deliveries.put(delivery(lane="urgent"))
        assert tx.deliveries.open("leads", "mail 1", "") == kept
        assert tx.deliveries.open("leads", "mail 2", "") is None
        taken = tx.deliveries.claim(kept, AT + 2 * HOUR)
        assert taken is not None
        assert (taken.state, taken.attempts) == (DeliveryState.SENDING, 1)
        assert tx.deliveries.open("leads", "mail 1", "") is None
        quiet = tx.deliveries.put(delivery(lane="silence:1", state=DeliveryState.SILENCED))
        assert tx.deliveries.open("leads", "mail 1", "silence:1") == quiet


def test_only_one_claims_a_row(store: Store):
    with store.begin() as tx:
        kept = tx.deliveries.put(delivery())
    with store.begin() as tx:
        assert tx.deliveries.claim(kept, AT + 2 * HOUR) is not None
    with store.begin() as tx:
        assert tx.deliveries.claim(kept, AT + 2 * HOUR) is None


def test_what_is_due_waits_behind_what_has_not_arrived(store: Store):
    now = AT + 2 * HOUR
    with store.begin() as tx:
        first = tx.deliveries.put(delivery())
        second = tx.deliveries.put(delivery(lane="urgent"))
        other = tx.deliveries.put(delivery("mail 2"))
        assert tx.deliveries.due(AT) == []
        assert tx.deliveries.due(now) == [first, other]
        assert tx.deliveries.due(now, limit=1) == [first]
        taken = tx.deliveries.claim(first, now + HOUR)
        assert taken is not None
        assert tx.deliveries.due(now) == [other]
        tx.deliveries.put(replace(taken, state=DeliveryState.SENT, sent_at=now))
        assert tx.deliveries.due(now) == [second, other]


def test_an_urgent_row_overtakes_one_that_only_gathers(store: Store):
    with store.begin() as tx:
        tx.deliveries.put(delivery(due_at=AT + 9 * HOUR))
        urgent = tx.deliveries.put(delivery(lane="urgent", due_at=AT))
        assert tx.deliveries.due(AT) == [urgent]


def test_the_log_is_found_by_channel_state_and_time(store: Store):
    with store.begin() as tx:
        old = tx.deliveries.put(delivery(state=DeliveryState.SENT, sent_at=AT))
        new = tx.deliveries.put(
            delivery(channel="oncall", created_at=AT + HOUR, state=DeliveryState.FAILED)
        )
    with store.read() as tx:
        find = tx.deliveries.find
        assert find(DeliveryQuery()) == [new, old]
        assert find(DeliveryQuery(channel="leads")) == [old]
        assert find(DeliveryQuery(address="mail 9")) == []
        assert find(DeliveryQuery(states=("failed", "sending"))) == [new]
        assert find(DeliveryQuery(since=AT + HOUR)) == [new]
        assert find(DeliveryQuery(before=new.id, limit=1)) == [old]


def test_silences_end_and_stay_known(store: Store):
    quiet = Silence(
        reason="move ü", created_by="person:ana", created_at=AT, ends_at=AT + HOUR, model="flight-*"
    )
    with store.begin() as tx:
        first = tx.silences.add(quiet)
        second = tx.silences.add(replace(quiet, ends_at=AT + timedelta(minutes=30), event="held"))
        assert tx.silences.active(AT) == [second, first]
        assert tx.silences.active(AT + HOUR) == []
        assert tx.silences.end(first.id, AT + timedelta(minutes=10))
        assert not tx.silences.end(first.id, AT + timedelta(minutes=20))
        assert not tx.silences.end(99, AT)
        assert tx.silences.active(AT + timedelta(minutes=10)) == [second]
        ended = replace(first, ends_at=AT + timedelta(minutes=10))
        assert tx.silences.find() == [second, ended]


def test_a_silence_covers_by_pattern_event_and_channel():
    quiet = Silence(reason="r", created_by="a", created_at=AT, ends_at=AT + HOUR)
    assert quiet.covers(notice(), "leads", AT)
    assert not quiet.covers(notice(), "leads", AT + HOUR)
    assert replace(quiet, model="flight-*").covers(notice(), "leads", AT)
    assert not replace(quiet, model="fraud").covers(notice(), "leads", AT)
    assert not replace(quiet, event="promoted").covers(notice(), "leads", AT)
    assert not replace(quiet, channel="oncall").covers(notice(), "leads", AT)


def test_the_messages_about_a_decision_are_found(store: Store):
    quoting = notice(decision=None, sentence='"decision":7,')
    with store.begin() as tx:
        about = tx.deliveries.put(delivery(notices=(quoting, notice(decision=7))))
        tx.deliveries.put(delivery(notices=(quoting,)))
        tx.deliveries.put(delivery(notices=(notice(decision=77), notice(decision=17))))
        assert tx.deliveries.find(DeliveryQuery(decision=7)) == [about]


def test_a_known_key_answers_with_what_was_kept_under_it(store: Store):
    silence = Silence(
        reason="r", created_by="person:ana", created_at=AT, ends_at=AT + HOUR, key="k"
    )
    with store.begin() as tx:
        first = tx.silences.add(silence)
        assert (
            tx.silences.add(replace(silence, reason="other")) == first == tx.silences.get(first.id)
        )
        assert tx.silences.get(99) is None
        assert tx.silences.add(replace(silence, key=None)).id != first.id
        copy = tx.deliveries.put(delivery(key="k"))
        assert tx.deliveries.put(delivery("mail 2", key="k")) == copy
        assert tx.deliveries.put(delivery()).id != copy.id
