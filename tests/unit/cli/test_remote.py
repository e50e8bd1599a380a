"""``INCUMBENT_URL``: the same commands on a real server over HTTP, and the client that they use."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from controller import __version__
from controller.client import Client
from controller.domain.errors import Conflict, Forbidden, NotFound, NotLoggedIn, Unavailable
from controller.entrypoints.api.serve import Server
from controller.ports.reads import READS, read_question
from tests.support.afar import Afar
from tests.support.house import MODEL
from tests.support.page import Office
from tests.support.story import drifted, tell

HELD = 16


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"port": 0, "api_rate": 10_000})
    tell(office)
    drifted(office)
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


@pytest.mark.parametrize(
    "words",
    [
        ["status"], ["status", MODEL], ["decisions"], ["decisions", "--verdict", "promote", "--limit", "2"],
        ["explain", str(HELD)], ["explain", MODEL], ["explain", f"{MODEL}.r3"], ["explain", "signal:3"],
        ["verify", "--all"], ["verify", str(HELD)], ["runs"], ["runs", "show", f"{MODEL}.r9"],
        ["signals", "--status", "handled"], ["signals", "show", "2"], ["versions", MODEL], ["delegate"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_reading_command_says_the_same_from_afar(office: Office, afar: Afar, words: list[str]):
    as_json = [] if words[0] == "verify" else ["--json"]
    here = office.app_context.run(*words, *as_json)
    there = afar.run(*words, *as_json)
    assert there.stdout == here.stdout
    assert there.stdout.strip() or words == ["delegate"]


def test_a_held_challenger_is_approved_from_afar_once_and_in_the_name_of_the_token(
    office: Office, afar: Afar
):
    said = afar.run("approve", MODEL, "5", "--reason", "worth it", "--yes")
    assert "v5 replaces v4 as champion" in said.stdout
    assert office.house.records()[-1].actor == "person:ana"
    back = afar.run("rollback", MODEL, "--reason", "complaints", "--yes")
    assert "verifies that v4 still answers" in back.stdout
    office.house.work()
    assert office.house.champion == 4
    afar.run("release", MODEL, "--reason", "found it", "--yes")
    afar.run("hold", MODEL, "--reason", "holidays", "--yes")
    dry = afar.run("signal", MODEL, "--reason", "try", "--dry-run")
    assert "dry run, nothing was changed" in dry.stdout
    assert "Signal" in afar.run("signal", MODEL, "--reason", "try", "--key", "once").stdout
    assert "counts once" in afar.run("signal", MODEL, "--reason", "try", "--key", "once").stderr
    clash = afar.run("signal", MODEL, "--reason", "else", "--key", "once", code=4)
    assert "was used for something else" in clash.stderr
    number = afar.run("delegate", "to", "ben", "--reason", "leave").stdout.strip()
    assert "no longer approves" in afar.run("delegate", "revoke", number).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["rollback", MODEL, "--reason", "x", "--yes"], 2, "takes the role operator", id="role"),
        pytest.param(["explain", "999"], 3, "There is no decision 999", id="not found"),
        pytest.param(
            ["approve", MODEL, "5", "--reason", "x", "--evidence", "00", "--yes"], 4, "evidence about v5", id="stale"
        ),
        pytest.param(["token", "create", "ci"], 2, "This takes the role admin; you are reviewer", id="token"),
        pytest.param(["silence", "add", "--for", "2h", "--reason", "x"], 2, "takes the role operator", id="silence"),
        pytest.param(["runs", "logs", f"{MODEL}.r9"], 3, "There is no output", id="no output"),
    ],
)  # fmt: skip
def test_an_error_keeps_its_sentence_and_its_exit_code(
    office: Office, server: Server, words: list[str], code: int, said: str
):
    assert said in Afar(office, server.url, role="reviewer").run(*words, code=code).stderr


def test_an_output_is_fetched_whole(office: Office, server: Server, afar: Afar):
    house = office.house
    house.clock.advance(house.rules.limits.cooldown * 20)
    house.data(40_000, "june")
    house.tick()
    run = house.claim()
    assert run is not None
    digest = office.artifacts.put_bytes("äöü\nline two\n".encode())
    house.finish(run, digest="a" * 64, size=1, metrics={}, recipe="default", output=digest)
    assert afar.run("runs", "logs", run.id).stdout == "äöü\nline two\n"


def test_a_token_that_is_no_good_and_a_server_that_is_away_end_in_a_sentence(server: Server):
    with pytest.raises(NotLoggedIn, match="not known here"):
        Client(server.url, "inc_wrong").models()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="does not answer: Connection refused"):
        Client(f"http://127.0.0.1:{port}").models()


@pytest.fixture
def opened() -> Iterator[Callable[[Client], Client]]:
    """Closes what it is given when the test ends."""
    with ExitStack() as stack:
        yield lambda client: stack.enter_context(closing(client))


def test_errors_come_back_as_they_were_raised(
    office: Office, server: Server, opened: Callable[[Client], Client]
):
    client = opened(Client(server.url, office.token(role="reviewer")))
    with pytest.raises(NotFound):
        client.model("none")
    with pytest.raises(Forbidden):
        client.word("rollback", MODEL, "x")
    with pytest.raises(Conflict):
        client.word("approve", MODEL, "x", version=5, evidence="0" * 64)


def whole(end: socket.socket) -> bytes:
    """One message with its body."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += end.recv(100_000)
    head, _, body = said.partition(b"\r\n\r\n")
    lengths = [
        int(x.split(b":")[1])
        for x in head.lower().split(b"\r\n")
        if x.startswith(b"content-length")
    ]
    while len(body) < sum(lengths):
        body += end.recv(100_000)
    return head + b"\r\n\r\n" + body


@contextmanager
def cut_after(server: Server, answers: int) -> Iterator[str]:
    """A proxy that lets requests through and swallows the first ``answers`` answers."""
    host, port = server.settings.host, int(server.url.rsplit(":", 1)[1].strip("/"))
    left = [answers]
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                threading.Thread(target=carry, args=(near,), daemon=True).start()

    def carry(near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection((host, port)) as far:
            far.sendall(whole(near))
            answer = whole(far)
            if left[0] > 0:
                left[0] -= 1
                return
            near.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()


def test_the_network_drops_in_the_middle_and_the_write_counts_once(office: Office, server: Server):
    before = len(office.house.statuses())
    with cut_after(server, 1) as url, closing(Client(url, office.token())) as client:
        answer = client.word("hold", MODEL, "the network is bad")
    assert (answer.fresh, answer.status) == (False, "handled")
    assert len(office.house.statuses()) == before + 1


def test_lists_are_fetched_part_by_part(
    office: Office, server: Server, opened: Callable[[Client], Client]
):
    client = opened(Client(server.url, office.token()))
    assert [d["id"] for d in client.decisions(limit=3)] == [
        r.id for r in reversed(office.house.records())
    ]
    assert client.verification(HELD)["whole"] is True
    assert (
        client.comment(f"decision:{HELD}", "**bold**")["html"] == "<p><strong>bold</strong></p>\n"
    )
    assert len(client.comments(f"decision:{HELD}")) == 1
    assert [m["model"] for m in client.models()] == [MODEL]


def test_the_stream_tells_what_happens(
    office: Office, server: Server, opened: Callable[[Client], Client]
):
    client = opened(Client(server.url, office.token()))
    events = client.stream(after=HELD - 1)
    first = next(e for e in events if e.name == "decision")
    assert (first.id, first.data["verdict"]) == (HELD, "hold")


@pytest.mark.parametrize(
    ("book", "name"), [(b, n) for b, names in READS.items() for n in sorted(names)]
)
def test_every_question_has_types_on_both_sides(book: str, name: str):
    asked = read_question(book, name)
    assert asked.answer is not None


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("signals/append", {}, 404), ("tokens/all", {}, 422), ("signals/__init__", {}, 404),
        ("signals/get", {"signal": "x"}, 422), ("signals/get", {}, 422), ("signals/get", {"nope": 1}, 422),
        ("decisions/walk", {"start": 15}, 200), ("signals/get", {"signal": 10**30}, 422),
    ],
)  # fmt: skip
def test_what_may_not_be_asked_is_refused(office: Office, path: str, body: Any, status: int):
    same = {"incumbent-version": __version__}
    answer = office.client(role="viewer").post(f"/internal/v1/{path}", json=body, headers=same)
    assert answer.status_code == status, answer.text
    assert json.loads(answer.text)


@pytest.mark.parametrize("version", ["0.0.9", "99.0.0", "x\u202e", None])
def test_a_command_line_of_another_version_is_told_which_to_install(
    office: Office, version: str | None
):
    headers = {} if version is None else {b"incumbent-version": version.encode()}
    door = office.client(role="viewer")
    answer = door.post("/internal/v1/signals/find", json={"query": {}}, headers=headers)
    assert answer.status_code == 422, answer.text
    if version is not None:
        assert answer.json()["hint"] == f"Install incumbent=={__version__} where the command runs."
    assert door.get("/v1/models", headers=headers).status_code == 200, (
        "programs are not asked for theirs"
    )
