"""Real servers: mail by aiosmtpd, a Slack-like webhook, a receiver of signed events; and what must not be reached."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from controller.adapters.connections import is_inside
from controller.adapters.notify.guard import guarded
from controller.adapters.notify.people import AppriseSender
from controller.adapters.notify.webhook import WebhookSender
from controller.adapters.sources.events import BadSignature, parse_cloud_events, verify_signature
from controller.domain.errors import ConfigurationError, Unavailable
from controller.ports import Message
from tests.support.makers import AT
from tests.support.post import Receiver, mailbox, receiving

HERE = ("127.0.0.1",)


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "key": "notice-7", "channel": "oncall", "subject": "[incumbent] flight-delay: a run failed",
        "text": "flight-delay: a run failed.\nWhy: r9 ran out of memory.\nhttp://page/decisions/7",
        "at": AT, "data": {"count": 1, "notices": [{"model": "flight-delay", "event": "failed"}]},
    }  # fmt: skip
    return Message(**(values | changes))


def hook(receiver: Receiver, secret: str = "geheim", **more: Any) -> WebhookSender:
    more.setdefault("allowed", HERE)
    return WebhookSender("pager", f"{receiver.url}/in", secret, source="http://page/", **more)


def test_mail_arrives_with_subject_and_text():
    with mailbox() as box:
        AppriseSender("mail", box.url, allowed=HERE).send(message())
        (mail,) = box.mails
    assert mail["subject"] == "[incumbent] flight-delay: a run failed"
    assert "Why: r9 ran out of memory." in box.texts[0]
    assert "http://page/decisions/7" in box.texts[0]
    words = box.texts[0].replace("<br/>", "\n").replace("<br />", "\n")
    assert "Why: r9 ran out of memory." in [line.strip() for line in words.splitlines()]


def test_a_slack_like_webhook_gets_the_text():
    with receiving() as slack:
        url = f"json://127.0.0.1:{slack.port}/services/T0/B0"
        AppriseSender("slack", url, allowed=HERE).send(message())
    assert "r9 ran out of memory" in slack.hits[0].json["message"]


@pytest.mark.parametrize("secret", ["geheim", "whsec_Z2VoZWlt"], ids=["plain", "standard"])
def test_a_signed_event_is_proven_and_whole(secret: str):
    with receiving() as receiver:
        hook(receiver, secret).send(message())
    (hit,) = receiver.hits
    now = datetime.now(UTC)
    verify_signature(hit.headers, hit.body, [secret], now)
    with pytest.raises(BadSignature):
        verify_signature(hit.headers, hit.body + b" ", [secret], now)
    with pytest.raises(BadSignature):
        verify_signature(hit.headers, hit.body, [secret], now + timedelta(minutes=6))
    (event,) = parse_cloud_events(hit.headers, hit.body)
    assert (event.id, event.type, event.subject) == (
        "notice-7",
        "incumbent.notices",
        "flight-delay",
    )
    assert event.data["notices"] == [{"model": "flight-delay", "event": "failed"}]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Receiver(status=500), "answered 500: no room at the inn"),
        (Receiver(status=404), "answered 404"),
        (Receiver(status=302, location="http://169.254.169.254/latest"), "which is not followed"),
    ],
    ids=["500", "404", "redirect"],
)
def test_a_webhook_that_does_not_take_it_says_why(behaviour: Receiver, said: str):
    with receiving(behaviour) as receiver, pytest.raises(Unavailable, match=said):
        hook(receiver).send(message())
    assert len(receiver.hits) == 1


def test_the_wish_to_wait_is_passed_on():
    with (
        receiving(Receiver(status=429, retry_after="120")) as receiver,
        pytest.raises(Unavailable) as refusal,
    ):
        hook(receiver).send(message())
    assert refusal.value.details == {"retry_after": 120}


def test_a_receiver_that_is_not_there_is_one_sentence():
    with receiving() as receiver:
        gone = hook(receiver)
    with pytest.raises(Unavailable, match="pager did not answer: ConnectionError"):
        gone.send(message())


def test_what_apprise_says_is_told_without_secrets():
    with receiving(Receiver(status=500)) as receiver:
        url = f"json://ana:geheimnis@127.0.0.1:{receiver.port}/T0123456/xyzzyxyzzy"
        with pytest.raises(Unavailable) as refusal:
            AppriseSender("chat", url, allowed=HERE).send(message())
    said = refusal.value.sentence()
    assert "chat did not take the message" in said
    assert "500" in said
    assert not {"geheimnis", "T0123456", "xyzzyxyzzy"} & set(said.replace("/", " ").split())


def test_people_are_not_followed_elsewhere():
    with receiving() as inside, receiving(Receiver(status=302)) as outside:
        outside.location = f"{inside.url}/stolen"
        url = f"json://127.0.0.1:{outside.port}/"
        with pytest.raises(Unavailable, match="did not take"):
            AppriseSender("chat", url, allowed=HERE).send(message())
    assert inside.hits == []


# --- what must not be reached ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
    ],
)  # fmt: skip
def test_addresses_of_the_inside(address: str):
    assert is_inside(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1"])
def test_addresses_of_the_outside(address: str):
    assert not is_inside(ipaddress.ip_address(address))


def test_an_address_inside_is_refused_and_nothing_arrives():
    with receiving() as receiver:
        with pytest.raises(Unavailable, match=r"leads to 127\.0\.0\.1, inside the network"):
            hook(receiver, allowed=()).send(message())
        url = f"json://127.0.0.1:{receiver.port}/"
        with pytest.raises(Unavailable) as refusal:
            AppriseSender("chat", url).send(message())
    assert "name its host under `allow`" in refusal.value.sentence()
    assert receiver.hits == []
    with mailbox() as box, pytest.raises(Unavailable, match="inside the network"):
        AppriseSender("mail", box.url).send(message())
    assert box.mails == []


def test_a_name_that_leads_inside_only_when_connecting_is_refused(monkeypatch: pytest.MonkeyPatch):
    """The name resolves to an address outside while it is looked at, and inside a moment later."""
    with receiving() as receiver:
        answers = [("93.184.216.34", receiver.port), ("127.0.0.1", receiver.port)]

        def resolve(host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
            where = answers.pop(0) if len(answers) > 1 else answers[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert socket.getaddrinfo("rebind.example.org", 80)[0][4][0] == "93.184.216.34"
        url = f"http://rebind.example.org:{receiver.port}/in"
        sender = WebhookSender("pager", url, "geheim", source="s")
        with pytest.raises(Unavailable, match=r"leads to 127\.0\.0\.1"):
            sender.send(message())
    assert receiver.hits == []


def test_a_host_that_was_allowed_by_name_is_reached():
    with receiving() as receiver:
        url = f"http://localhost:{receiver.port}/in"
        WebhookSender("pager", url, "geheim", source="s", allowed=["localhost"]).send(message())
    assert len(receiver.hits) == 1


def test_a_redirect_that_a_library_follows_is_stopped_at_the_socket():
    with receiving() as inside, receiving(Receiver(status=307)) as outside:
        outside.location = inside.url.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(Unavailable, match=r"leads to 127\.0\.0\.2"), guarded(HERE):
            requests.post(outside.url, data=b"x", timeout=5)
    assert len(outside.hits) == 1
    assert inside.hits == []


def test_the_guard_is_silent_outside_of_its_block():
    with receiving() as receiver:
        with guarded(()):
            pass
        assert requests.post(receiver.url, data=b"x", timeout=5).status_code == 200


@pytest.mark.parametrize("what", ["a program", "a socket of this machine"])
def test_no_message_needs(what: str, tmp_path: Any):
    with pytest.raises(Unavailable, match=what), guarded(()):
        if what == "a program":
            subprocess.run(["true"], check=True)
        else:
            with socket.socket(socket.AF_UNIX) as local:
                local.connect(str(tmp_path / "s"))


def test_an_address_that_apprise_does_not_know_is_one_sentence():
    with pytest.raises(ConfigurationError, match="of the kind pigeon that Apprise"):
        AppriseSender("pigeon 1", "pigeon://x")
