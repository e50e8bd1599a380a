"""From the outbox to a message: grouped, counted, timed, silenced, tried again, and never lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from controller.adapters.memory import MemorySender, MemoryStore, SimulatedClock
from controller.domain.errors import Conflict, NotFound, Unavailable, UserError
from controller.domain.notices import ChannelRules, QuietHours, Template
from controller.ports import Delivery, DeliveryQuery, DeliveryState, Message, Silence
from controller.service.messages.again import keep_silence, send_again, try_out
from controller.service.messages.deliver import DeliverNotifications, NoticeConfig
from tests.support.makers import AT

MINUTE = timedelta(minutes=1)


@dataclass
class Post:
    """A post office of one channel, ``leads``, with one address."""

    rules: ChannelRules = field(default_factory=lambda: ChannelRules(name="leads"))
    patience: float = 30.0

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(AT)
        self.store = MemoryStore(SimulatedClock(AT))
        self.sender = MemorySender("mail 1")
        config = NoticeConfig(
            channels={"leads": self.rules}, senders={"leads": [self.sender]}, patience=self.patience
        )
        self.service = DeliverNotifications(
            self.store, self.clock, config, lambda path, _: f"http://page{path}"
        )
        self.letters = 0

    def say(self, event: str = "held", sentence: str = "v3 waits", **more: Any) -> None:
        self.letters += 1
        payload = {
            "channel": "leads", "event": event, "model": "flight-delay", "sentence": sentence,
            "decision": self.letters, "at": self.clock.now(), **more,
        }  # fmt: skip
        with self.store.begin() as tx:
            tx.outbox.put("notify", f"k{self.letters}", payload)

    def run(self, after: timedelta = timedelta(0)) -> list[Message]:
        """Let time pass, look once; what arrived in this look."""
        before = len(self.sender.sent)
        self.clock.advance(after)
        self.service.run_once()
        return self.sender.sent[before:]

    def log(self, **query: Any) -> list[Delivery]:
        with self.store.read() as tx:
            return tx.deliveries.find(DeliveryQuery(**query))


def test_a_message_says_what_why_and_where():
    post = Post()
    post.say("promoted", "v2 replaces v1 as champion: 3 of 3 gates passed")
    assert post.run() == []
    (message,) = post.run(MINUTE)
    assert message.subject == "[incumbent] flight-delay: there is a new champion"
    assert message.text.splitlines() == [
        "flight-delay: there is a new champion.",
        "Why: v2 replaces v1 as champion: 3 of 3 gates passed.",
        "http://page/decisions/1",
    ]
    assert message.data["notices"][0]["decision"] == 1


def test_a_burst_becomes_one_message():
    post = Post()
    for number in range(10_000):
        post.say("failed", f"run {number % 500} failed", model=f"m{number % 300}")
    assert post.run() == []
    (message,) = post.run(MINUTE)
    assert message.subject.startswith("[incumbent] 10,000 notices about more than 100 models: ")
    assert len(message.data["notices"]) == 20
    assert len(message.data["tally"]) == 101
    assert sum(message.data["tally"].values()) == 10_000
    assert "more. In all:" in message.text
    assert len(message.text) < 10_000
    assert [row.count for row in post.log()] == [10_000]


def test_the_same_said_again_is_counted_and_not_sent_twice():
    post = Post()
    for _ in range(3):
        post.say()
    (message,) = post.run(MINUTE) or post.run(MINUTE)
    assert message.text.endswith("(said 3 times)")
    post.say()
    assert post.run(MINUTE) == post.run(timedelta(hours=1)) == []
    assert [(row.lane, row.state) for row in post.log()] == [
        ("repeated", DeliveryState.SILENCED),
        ("", DeliveryState.SENT),
    ]
    post.say()
    assert post.run(timedelta(hours=5)) == []
    assert len(post.run(MINUTE)) == 1


def test_messages_keep_their_distance():
    post = Post()
    post.say(sentence="one")
    post.run()
    assert len(post.run(MINUTE)) == 1
    post.say(sentence="two")
    assert post.run() == post.run(MINUTE) == post.run(3 * MINUTE) == []
    assert [m.data["notices"][0]["sentence"] for m in post.run(MINUTE)] == ["two"]


def test_what_is_urgent_waits_for_nothing():
    post = Post()
    post.say()
    post.say("rolled_back", "v3 was worse than v2")
    assert [m.data["notices"][0]["event"] for m in post.run()] == ["rolled_back"]


NIGHT = QuietHours(start=time(22), end=time(7), zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("hour", "ends"),
    [(20, None), (21, 6), (23, 6), (3, 6), (6, None)],
    ids=["before", "it begins", "midnight", "night", "it ends"],
)
def test_quiet_hours_are_of_their_time_zone(hour: int, ends: int | None):
    moment = datetime.fromisoformat(f"2013-01-15T{hour:02}:00+00:00")
    found = NIGHT.until(moment)
    assert (found.hour if found else None) == ends


def test_quiet_days_are_those_on_which_the_night_begins():
    weekend = QuietHours(start=time(20), end=time(8), days=frozenset({4}))
    assert weekend.until(datetime.fromisoformat("2013-01-05T07:00+00:00")) is not None  # Saturday
    assert weekend.until(datetime.fromisoformat("2013-01-06T07:00+00:00")) is None


def test_quiet_hours_hold_messages_back_but_not_what_is_urgent():
    post = Post(ChannelRules(name="leads", quiet=NIGHT))
    post.clock.set(datetime.fromisoformat("2013-01-15T22:30+00:00"))
    post.say()
    post.say("rolled_back", "v3 was worse than v2")
    assert [m.data["notices"][0]["event"] for m in post.run()] == ["rolled_back"]
    post.say(sentence="v4 waits")
    assert post.run(5 * timedelta(hours=1)) == []
    (message,) = post.run(timedelta(hours=3))
    assert message.data["count"] == 2


def test_silences_are_kept_in_the_log():
    post = Post()
    with post.store.begin() as tx:
        wanted = Silence(
            model="flight-*", event="held", reason="moving the warehouse", created_by="person:ana",
            created_at=AT, ends_at=AT + 60 * MINUTE,
        )  # fmt: skip
        keep_silence(tx, wanted, AT)
    for _ in range(5):
        post.say()
    post.say("failed", "run r9 failed")
    post.run()
    assert [m.data["notices"][0]["event"] for m in post.run(MINUTE)] == ["failed"]
    (silenced,) = post.log(states=("silenced",))
    assert (silenced.count, silenced.last_error) == (5, "silenced: moving the warehouse")
    post.say(sentence="v9 waits")
    post.run(60 * MINUTE)
    assert len(post.run(MINUTE)) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"ends_at": AT}, "before it begins"),
        ({"ends_at": AT + timedelta(days=60)}, "up to 30 days"),
    ],
    ids=["no reason", "no end", "for ever"],
)
def test_a_silence_has_a_reason_and_an_end(changes: Mapping[str, Any], said: str):
    values: dict[str, Any] = {
        "reason": "r", "created_by": "a", "created_at": AT, "ends_at": AT + MINUTE,
    }  # fmt: skip
    with Post().store.begin() as tx, pytest.raises(UserError, match=said):
        keep_silence(tx, Silence(**{**values, **changes}), AT)


def test_a_service_that_answers_500_for_a_day_gets_two_messages_when_it_is_back():
    post = Post()
    post.sender.broken = "The receiver answered 500."
    tries = 0
    post.say(sentence="the first")
    for minute in range(24 * 60):
        if minute % 10 == 1:
            post.say(sentence=f"run {minute} failed")
        post.run(MINUTE)
        tries = max([tries, *(row.attempts for row in post.log(states=("sending",)))])
    assert 24 * 60 / 5 - 5 < tries < 24 * 60 / 5 + 20  # every five minutes at last, no storm
    (waits,) = post.log(states=("sending",))
    assert waits.last_error == "The receiver answered 500."
    post.sender.broken = ""
    first = post.run(6 * MINUTE)
    second = post.run(6 * MINUTE)
    assert [m.data["count"] for m in (*first, *second)] == [2, 143]
    assert first[0].data["notices"][0]["sentence"] == "the first"


def test_what_never_arrives_is_given_up_and_can_be_sent_again():
    post = Post(ChannelRules(name="leads", give_up=timedelta(hours=1)))
    post.sender.broken = "The receiver answered 500."
    post.say()
    for _ in range(30):
        post.run(5 * MINUTE)
    (row,) = post.log()
    assert row.state is DeliveryState.FAILED
    assert row.last_error.startswith("given up after ")
    post.sender.broken = ""
    with post.store.begin() as tx:
        copy = send_again(tx, row.id, post.clock.now())
    (message,) = post.run()
    assert message.key == f"notice-{copy.id}" != f"notice-{row.id}"
    assert [(r.again_of, r.state) for r in post.log()] == [
        (row.id, DeliveryState.SENT), (None, DeliveryState.FAILED),
    ]  # fmt: skip


def test_a_message_on_its_way_is_not_sent_again():
    post = Post()
    post.say()
    post.run()
    with post.store.begin() as tx:
        with pytest.raises(Conflict, match="still on its way"):
            send_again(tx, 1, AT)
        with pytest.raises(NotFound):
            send_again(tx, 9, AT)


def test_a_channel_that_nobody_configured_is_seen_in_the_log():
    post = Post()
    post.say(channel="nobody")
    post.say(channel="nobody", sentence="v4 waits")
    post.run()
    (row,) = post.log()
    assert (row.state, row.count) == (DeliveryState.NOWHERE, 2)
    assert row.last_error == "no channel called nobody is configured"
    with post.store.begin() as tx, pytest.raises(Conflict, match="has no address"):
        send_again(tx, row.id, AT)


def test_a_consumer_is_told_by_its_own_channel_or_by_the_one_for_all():
    post = Post()
    shared, own = MemorySender("mail 1"), MemorySender("mail 1")
    senders = {"consumers": [shared], "consumer:checkout": [own]}
    rules = {name: ChannelRules(name=name) for name in senders}
    post.service._config = NoticeConfig(channels=rules, senders=senders)
    post.say("deprecated", channel="consumer:checkout")
    post.say("deprecated", channel="consumer:reports")
    post.run()
    post.run(MINUTE)
    assert [len(sender.sent) for sender in (shared, own)] == [1, 1]

    post.service._config = NoticeConfig(channels={}, senders={})
    post.say("deprecated", channel="consumer:reports")
    post.run()
    assert "no channel called consumer:reports is configured" in {r.last_error for r in post.log()}


def test_an_address_that_left_the_settings_loses_its_message_visibly():
    post = Post()
    post.say()
    post.run()
    post.service._config = NoticeConfig(channels={"leads": post.rules}, senders={"leads": []})
    assert post.run(MINUTE) == []
    (row,) = post.log()
    assert row.last_error == "leads has no address mail 1 any more."


def test_a_slow_receiver_holds_up_no_other():
    post = Post(patience=0.2)
    release = threading.Event()

    class Slow(MemorySender):
        def send(self, message: Message) -> None:
            release.wait(30)
            super().send(message)

    slow, quick = Slow("slow"), MemorySender("quick")
    post.service._config = NoticeConfig(
        channels={"leads": post.rules}, senders={"leads": [slow, quick]}, patience=0.2
    )
    post.say()
    post.run()
    post.run(MINUTE)
    assert len(quick.sent) == 1
    (late,) = post.log(address="slow")
    assert late.last_error == "slow did not answer within 0.2 s."
    post.run(10 * MINUTE)  # it still hangs: no second attempt beside the first
    assert post.log(address="slow")[0].attempts == 1
    release.set()


def test_the_receivers_wish_to_wait_is_heeded():
    post = Post()

    class Busy(MemorySender):
        def send(self, message: Message) -> None:
            raise Unavailable("The receiver answered 429.", details={"retry_after": 1200})

    post.service._config = NoticeConfig(
        channels={"leads": post.rules}, senders={"leads": [Busy("mail 1")]}
    )
    post.say()
    post.run()
    post.run(MINUTE)
    (row,) = post.log()
    assert row.due_at - post.clock.now() == 20 * MINUTE


def test_a_template_words_a_message_and_a_wrong_one_makes_way_visibly():
    templates = {
        "held": Template(subject="{model} waits", line="{sentence}, see {link} ({at})"),
        "failed": Template(subject="{modle}", line="{sentence}"),
    }
    post = Post(ChannelRules(name="leads", templates=templates))
    post.say()
    post.say("failed", "run r9 failed")
    post.run()
    (message,) = post.run(MINUTE)
    assert "v3 waits, see http://page/decisions/1 (2013-" in message.text
    assert "flight-delay: a run failed." in message.text
    assert message.text.endswith(
        "(This is the standard text: the template 'failed' cannot be used, its subject names {modle},"
        " which no notice has. Did you mean {model}?)"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{sentence", "has a brace without its partner"),
        ("{0.__class__}", "names {0.__class__}, which no notice has. There are {model}"),
        ("{linc}", "Did you mean {link}?"),
    ],
    ids=["brace", "attribute", "misspelt"],
)
def test_a_template_with_a_mistake_is_one_sentence(line: str, said: str):
    (problem,) = Template(subject="s", line=line).problems()
    assert said in problem


def test_values_of_a_notice_are_no_templates():
    post = Post()
    post.say(sentence="{model} {0} {sentence}")
    post.run()
    (message,) = post.run(MINUTE)
    assert "Why: {model} {0} {sentence}." in message.text


def test_trying_a_channel_out_takes_the_way_of_all():
    post = Post()
    with post.store.begin() as tx:
        try_out(tx, "leads", "person:ana", AT)
    post.run()
    (message,) = post.run(MINUTE)
    assert "person:ana tries out the channel leads" in message.text
