"""``INCUMBENT_URL``: messages, silences, channels and tokens on a real server over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.remote.store import RemoteStore
from controller.client import Client
from controller.domain.errors import Conflict, UserError
from controller.entrypoints.api.serve import Server
from controller.ports import Delivery, DeliveryState, Notice
from tests.support.afar import Afar
from tests.support.page import Office
from tests.unit.cli.test_remote import cut_after


@pytest.fixture
def office(tmp_path: Path) -> Office:
    file = tmp_path / "notify.toml"
    file.write_text(
        '[channels.leads]\nto = ["json://example.org"]\n[channels.bad]\nto = ["env:NOT_THERE"]\n'
    )
    office = Office(tmp_path, {"port": 0, "api_rate": 10_000, "notify": file})
    office.held()
    now = office.house.clock.now()
    notice = Notice(event="held", model="flight-delay", sentence="v2 waits", at=now, decision=5)
    with office.house.store.begin() as tx:
        tx.deliveries.put(
            Delivery(channel="leads", address="mail 1", lane="", state=DeliveryState.FAILED,
                     created_at=now, due_at=now, notices=(notice,), count=1, attempts=5,
                     last_error="no route to host")
        )  # fmt: skip
    return office


@pytest.fixture
def server(office: Office) -> Iterator[Server]:
    house = office.house
    with Server(
        office.settings, house.store, clock=house.clock, parse=house.parse, key="k",
        decide_until_idle=house.engine.decide_until_idle, artifacts=office.artifacts,
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def afar(office: Office, server: Server) -> Afar:
    return Afar(office, server.url)


def test_a_silence_is_added_listed_and_ended_from_afar(office: Office, afar: Afar):
    words = ["silence", "add", "--model", "flight-*", "--for", "2h", "--reason", "a move"]
    assert "Silence 1: everything about flight-* to every channel" in afar.run(*words).stdout
    for listing in (["silence", "list"], ["silence", "list", "--all"]):
        assert (
            afar.run(*listing, "--json").stdout == office.app_context.run(*listing, "--json").stdout
        )
    assert json.loads(afar.run("silence", "--json").stdout)[0]["created_by"] == "person:ana"
    assert afar.run("silence", "end", "1").stdout == "Silence 1 is over.\n"
    assert afar.run("silence", "end", "1").stdout == "Silence 1 is over.\n"
    assert "There is no silence 9" in afar.run("silence", "end", "9", code=3).stderr
    assert "Nothing is silenced." in afar.run("silence").stderr
    refused = afar.run("silence", "add", "--for", "90d", "--reason", "r", code=2).stderr
    assert "less than or equal to 2592000" in refused


def test_messages_are_listed_shown_and_sent_again_from_afar(office: Office, afar: Afar):
    for words in (["notify"], ["notify", "list", "--state", "failed"], ["notify", "show", "1"]):
        assert afar.run(*words, "--json").stdout == office.app_context.run(*words, "--json").stdout
    said = afar.run("notify", "again", "1").stdout
    assert said == "Message 2 says the same as 1 and leaves for mail 1 now.\n"
    assert "still on its way" in afar.run("notify", "again", "2", code=4).stderr
    assert "There is no message 9" in afar.run("notify", "again", "9", code=3).stderr


def test_the_channels_of_the_server_are_checked_and_tried_from_afar(office: Office, afar: Afar):
    said = afar.run("notify", "check", code=1).stdout
    assert "channels.bad.to names the variable NOT_THERE" in said
    assert "leads: json 1" in said
    assert "on its way to leads" in afar.run("notify", "test", "leads").stdout
    with office.house.store.read() as tx:
        assert tx.outbox.depth()["notify"] == 1
    assert "There is no channel called feed" in afar.run("notify", "test", "feed", code=3).stderr


def test_a_token_is_made_listed_used_and_revoked_from_afar(
    office: Office, server: Server, afar: Afar
):
    made = afar.run("token", "create", "ci", "--role", "operator", "--expires", "12h", "--as", "ci")
    secret = made.stdout.strip()
    assert secret.startswith("inc_")
    assert "speaks as person:ci, operator, until" in made.stderr
    assert secret not in made.stderr
    with closing(Client(server.url, secret)) as client:
        assert client.models()
    assert (
        afar.run("token", "list", "--json").stdout
        == office.app_context.run("token", "list", "--json").stdout
    )
    number = json.loads(afar.run("token", "list", "--json").stdout)[0]["id"]
    assert afar.run("token", "revoke", str(number)).stdout == f"Token {number} is revoked.\n"
    assert "There is no token 99" in afar.run("token", "revoke", "99", code=3).stderr
    whole = json.loads(afar.run("token", "create", "x", "--json").stdout)
    assert (whole["actor"], whole["role"]) == ("person:ana", "viewer")


@pytest.mark.parametrize(
    "words",
    [["notify", "again", "1"], ["notify", "test", "leads"], ["token", "list"]],
    ids=" ".join,
)
def test_without_the_role_it_is_refused_in_a_sentence(
    office: Office, server: Server, words: list[str]
):
    assert (
        "This takes the role"
        in Afar(office, server.url, role="reviewer").run(*words, code=2).stderr
    )


def test_the_network_drops_in_the_middle_of_an_order(office: Office, server: Server):
    with cut_after(server, 1) as url, closing(Client(url, office.token())) as client:
        assert client.send_again(1)["id"] == 2
    with cut_after(server, 1) as url, closing(Client(url, office.token())) as client:
        with pytest.raises(Conflict, match="was made under this key") as refused:
            client.create_token("ci", "viewer", timedelta(hours=12))
        assert "revoke" in refused.value.hint


def test_nothing_else_is_written_from_afar(server: Server):
    with (
        closing(RemoteStore(Client(server.url))) as store,
        pytest.raises(UserError, match="names a server"),
    ):
        store.begin().__enter__()
