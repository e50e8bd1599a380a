"""`incumbent notify` and `incumbent silence` over a house in memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.memory import MemorySender
from controller.domain.notices import ChannelRules
from controller.service.messages.deliver import DeliverNotifications, NoticeConfig
from tests.support.command import POLICY, Desk
from tests.support.house import UNDECIDED

TELLS = (
    POLICY
    + "approval: {when: inconclusive, from: [leads]}\nnotify: {held: [leads], promoted: [feed]}\n"
)


class Told:
    """A app_context whose house tells people."""

    def __init__(self) -> None:
        self.app_context = Desk()
        self.app_context.enforce(TELLS)
        self.sender = MemorySender("mail 1")
        config = NoticeConfig(
            channels={"leads": ChannelRules(name="leads")}, senders={"leads": [self.sender]}
        )
        house = self.app_context.house
        self.service = DeliverNotifications(
            house.store, house.clock, config, lambda path, _: f"http://page{path}"
        )

    def hold(self) -> None:
        """v1 sits in the seat, v2 waits."""
        house = self.app_context.house
        house.data(30_000, "jan")
        house.work()
        house.clock.advance(timedelta(days=31))
        house.data(30_000, "feb")
        house.work(UNDECIDED)

    def deliver(self) -> None:
        self.service.run_once()
        self.app_context.house.clock.advance(timedelta(minutes=1))
        self.service.run_once()


def test_a_held_challenger_is_told_with_its_reason_and_its_decision():
    told = Told()
    told.hold()
    told.deliver()
    (message,) = told.sender.sent
    record = next(r for r in told.app_context.house.records() if '"hold"' in r.decision)
    assert "a challenger waits" in message.subject
    assert f"http://page/decisions/{record.id}" in message.text
    assert message.data["notices"][0]["sentence"] in record.decision


def test_the_log_lists_shows_and_sends_again():
    told = Told()
    told.hold()
    told.deliver()
    rows = {row["channel"]: row for row in told.app_context.json("notify")}
    assert (rows["leads"]["state"], rows["feed"]["state"]) == ("sent", "nowhere")
    number = rows["leads"]["id"]
    assert (
        "flight-delay held: v2"
        in told.app_context.run("notify", "list", "--channel", "leads").stdout
    )
    said = told.app_context.run("notify", "show", str(number)).stdout
    assert said.startswith(f"message {number} to leads (mail 1): sent")
    assert "leaves for mail 1 now" in told.app_context.run("notify", "again", str(number)).stdout
    told.deliver()
    assert len(told.sender.sent) == 2
    again = told.app_context.run("notify", "again", str(rows["feed"]["id"]), code=4).stderr
    assert "no channel called feed is configured" in again
    assert "There is no message 99." in told.app_context.run("notify", "again", "99", code=3).stderr


def test_a_silence_is_added_listed_and_ended():
    told = Told()
    words = ("silence", "add", "--model", "flight-*", "--for", "2h", "--reason", "a move")
    said = told.app_context.run(*words).stdout
    assert said.startswith(
        "Silence 1: everything about flight-* to every channel, until 2013-01-31 14:00"
    )
    assert "person:ana" in told.app_context.run("silence").stdout
    told.hold()
    assert told.app_context.run("silence").stderr.startswith(
        "Nothing is silenced."
    )  # a month later
    assert "a move" in told.app_context.run("silence", "list", "--all").stdout
    told.app_context.run(*words)
    told.deliver()
    assert told.sender.sent == []
    assert "silenced: a move" in told.app_context.run("notify", "--state", "silenced").stdout
    assert told.app_context.run("silence", "end", "2").stdout == "Silence 2 is over.\n"
    assert (
        told.app_context.run("silence", "end", "2").stdout == "Silence 2 is over.\n"
    )  # said twice
    assert "There is no silence 9" in told.app_context.run("silence", "end", "9", code=3).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "2h"), "reason"),
        (("--for", "soon", "--reason", "r"), "'soon' is no time."),
        (("--for", "90d", "--reason", "r"), "A silence lasts up to 30 days."),
    ],
    ids=["no reason", "no span", "too long"],
)
def test_a_silence_without_reason_or_end_is_refused(words: tuple[str, ...], said: str):
    assert said in Desk().run("silence", "add", *words, code=2).stderr


def test_check_names_each_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "notify.toml"
    file.write_text(
        '[channels.leads]\nto = ["env:NOT_THERE"]\n[templates.held]\nline = "{modle}"\n'
    )
    monkeypatch.setenv("INCUMBENT_NOTIFY", str(file))
    said = Desk().run("notify", "check", code=1).stdout
    assert "channels.leads.to names the variable NOT_THERE, which is not set." in said
    assert "The template 'held' is not used: its line names {modle}" in said
    assert "There is no channel called feed." in Desk().run("notify", "test", "feed", code=3).stderr
    monkeypatch.setenv("NOT_THERE", "json://example.org")
    file.write_text('[channels.leads]\nto = ["env:NOT_THERE"]\n')
    assert Desk().run("notify", "check").stdout == "leads: json 1\n"
    assert "on its way to leads" in Desk().run("notify", "test", "leads").stdout
