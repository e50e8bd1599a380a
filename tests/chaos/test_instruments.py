"""The instruments of chaos must be able to see: each is held against a world in which something is wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain import codec
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.signals import SignalKind
from controller.ports import Query
from tests.chaos.audit import Books, Findings, examine
from tests.chaos.clients import Seen
from tests.chaos.linear import Operation, find_violation
from tests.chaos.nemesis import Struck
from tests.chaos.proxy import Proxy, Weather
from tests.chaos.report import report
from tests.chaos.round import Outcome
from tests.chaos.site import SHAPES
from tests.support.house import MODEL, House

CHAMPIONS = {0: None, 1: 1, 2: 4, 3: 1}
TOLD = float("inf")


def read(began: float, ended: float, generation: int, champion: int | None) -> Operation:
    return Operation(began, ended, generation, champion)


def write(began: float, ended: float, generation: int) -> Operation:
    return Operation(began, ended, generation, CHAMPIONS[generation], write=True)


LINEAR = {
    "nothing": [],
    "reads beside a write see the old or the new one": [
        write(1, 4, 1),
        read(1.1, 1.2, 0, None),
        read(1.3, 1.4, 1, 1),
    ],
    "two reads at once may disagree": [write(0, TOLD, 1), read(1, 3, 1, 1), read(2, 4, 0, None)],
    "a write that nobody was told of is seen late": [
        write(0, TOLD, 1),
        read(5, 6, 0, None),
        read(7, 8, 1, 1),
    ],
    "the same champion again is another generation": [
        write(0, 1, 1),
        write(2, 3, 2),
        write(4, 5, 3),
        read(6, 7, 3, 1),
    ],
}
BROKEN = {
    "an old champion after a newer one was read": [
        write(0, TOLD, 1),
        write(1, TOLD, 2),
        read(2, 3, 2, 4),
        read(4, 5, 1, 1),
    ],
    "an old champion after the promotion was acknowledged": [write(0, 1, 1), read(2, 3, 0, None)],
    "a champion whom the log does not know": [write(0, 1, 1), read(2, 3, 4, 9)],
    "another champion than the log has": [write(0, 1, 1), read(2, 3, 1, 7)],
    "a champion before he was decided": [write(5, 6, 1), read(2, 3, 1, 1)],
    "a write after one that follows it was read": [
        write(0, TOLD, 2),
        read(1, 2, 2, 4),
        write(3, 4, 1),
    ],
}


@pytest.mark.parametrize("history", LINEAR.values(), ids=LINEAR)
def test_a_history_in_order_is_accepted(history: list[Operation]):
    assert find_violation(history, CHAMPIONS) is None


@pytest.mark.parametrize("history", BROKEN.values(), ids=BROKEN)
def test_a_history_out_of_order_is_found(history: list[Operation]):
    assert find_violation(history, CHAMPIONS)


# --- the audit -----------------------------------------------------------------------------------------------


@pytest.fixture
def books() -> tuple[Books, Seen]:
    """A small world in which everything is right: two trainings, two promotions, a rollback."""
    house, seen, lines = House(), Seen(), []
    for month in ("jan", "feb"):
        house.data(30_000, month)
        house.work()
        house.clock.advance(timedelta(days=31))
    house.signal(SignalKind.ROLLBACK, actor="person:ana", reason="late labels look bad")
    house.work()
    with house.store.begin() as tx:
        signals = tx.signals.find(Query(limit=1000))
        runs = tx.runs.find(Query(limit=1000))
        records = [(r, decision_of(r)) for r in tx.decisions.walk()]
        versions = {MODEL: tx.registry.versions(MODEL)}
        state = tx.models.state(MODEL)
    counted = []
    for number, run in enumerate(runs):
        if run.id in {v.run for v in versions[MODEL]}:
            counted.append(replace(run, result={**run.result, "metrics": {"nonce": number}}))
            told = {"attempt": f"{run.id}-{run.fence}", "run": run.id, "nonce": number}
            lines += [told | {"phase": "begin"}, told | {"phase": "end"}]
        else:
            counted.append(run)
    seen.acknowledged = {s.key: s.id for s in signals}
    seat = {MODEL: (state.generation, state.champion)}
    return Books(signals, counted, records, versions, seat, {MODEL: set()}, 0, lines), seen


def decision_of(record: DecisionRecord) -> Decision:
    return codec.load_value(Decision, record.decision)


def test_a_world_in_order_has_no_findings(books: tuple[Books, Seen]):
    found = examine(*books)
    assert found.all == []
    assert found.figures["changes of champion"] == 3


def lose_a_signal(books: Books, seen: Seen) -> Books:
    seen.acknowledged["nobody knows it"] = 77
    return books


def answer_twice(books: Books, seen: Seen) -> Books:
    record, decision = next((r, d) for r, d in books.records if d.answers)
    return replace(books, records=[*books.records, (record, replace(decision, actions=()))])


def train_twice_for_one_signal(books: Books, seen: Seen) -> Books:
    record, decision = next((r, d) for r, d in books.records if d.verdict.value == "train")
    return replace(books, records=[*books.records, (record, replace(decision, answers=()))])


def two_versions_of_a_run(books: Books, seen: Seen) -> Books:
    first = books.versions[MODEL][0]
    return replace(books, versions={MODEL: [*books.versions[MODEL], replace(first, number=99)]})


def an_attempt_that_ran_twice(books: Books, seen: Seen) -> Books:
    return replace(books, attempts=[*books.attempts, *books.attempts[:1]])


def a_training_that_nobody_ordered(books: Books, seen: Seen) -> Books:
    line = {"attempt": "x.r9-1", "run": "x.r9", "nonce": 5, "phase": "begin"}
    return replace(books, attempts=[*books.attempts, line])


def another_result_counts(books: Books, seen: Seen) -> Books:
    return replace(books, attempts=[{**line, "nonce": 4242} for line in books.attempts])


def a_seat_that_the_log_does_not_know(books: Books, seen: Seen) -> Books:
    return replace(books, seats={MODEL: (9, 1)})


def a_change_of_champion_is_missing(books: Books, seen: Seen) -> Books:
    return replace(books, records=[r for r in books.records if r[1].verdict.value != "rollback"])


def a_letter_is_left(books: Books, seen: Seen) -> Books:
    return replace(books, letters=1)


def a_stale_read(books: Books, seen: Seen) -> Books:
    end = 1e12
    seen.operations[MODEL] = [read(end, end + 1, 3, 1), read(end + 2, end + 3, 2, 2)]
    return books


WRONG = (
    lose_a_signal,
    answer_twice,
    train_twice_for_one_signal,
    two_versions_of_a_run,
    an_attempt_that_ran_twice,
    a_training_that_nobody_ordered,
    another_result_counts,
    a_seat_that_the_log_does_not_know,
    a_change_of_champion_is_missing,
    a_letter_is_left,
    a_stale_read,
)


@pytest.mark.parametrize("plant", WRONG, ids=[plant.__name__ for plant in WRONG])
def test_the_audit_sees_what_is_wrong(books: tuple[Books, Seen], plant):
    assert examine(plant(*books), books[1]).all


# --- the proxy -----------------------------------------------------------------------------------------------


@pytest.fixture
def echo() -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers each line with itself; its port, and the lines that it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while line := connection.recv(1024):
                    heard.append(line)
                    connection.sendall(line)

        def accept() -> None:
            try:
                while True:
                    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def ask(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(1024)


def test_the_proxy_hands_on_and_resets(echo: tuple[int, list[bytes]]):
    with Proxy(echo[0]) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.settimeout(10)
        assert ask(client, b"one") == b"one"
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@pytest.mark.parametrize("weather", [Weather.SWALLOW, Weather.DEAF])
def test_the_proxy_keeps_answers_to_itself(echo: tuple[int, list[bytes]], weather: Weather):
    with Proxy(echo[0]) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.settimeout(10)
        assert ask(client, b"one") == b"one"
        proxy.change(weather)
        client.sendall(b"two")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert (b"two" in echo[1]) is (weather is Weather.DEAF)
        client.settimeout(10)
        proxy.change(Weather.FAIR)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_the_report_names_every_violation():
    outcome = Outcome(SHAPES[0], Findings(lost=["signal 7 was lost"]), [Struck("x", 1, 2, 1)])
    text = report([outcome], ["RabbitMQ is not there"], "the command")
    assert "signal 7 was lost" in text
    assert "RabbitMQ is not there" in text
    assert "No violation" not in text
