"""Whether a process can work, as named conditions with sentences."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.domain.errors import StorageFull
from controller.service.loops import readiness
from controller.service.loops.loop import Health
from controller.service.loops.readiness import Condition, Watched, conditions, ready
from tests.support.makers import AT, HOUR, MODEL, new_signal


def found(watched: Watched) -> dict[str, Condition]:
    return {one.name: one for one in conditions(watched)}


def test_a_healthy_process_is_ready_and_leaves_no_trace(bench, tmp_path: Path):
    health = [Health(name="engine", silent_for=0.1, rounds=3, error="")]
    seen = found(Watched(store=bench.store, folders=[tmp_path], loops=lambda: health))
    assert ready(list(seen.values())), seen
    assert list(seen) == [f"disk of {tmp_path.name}", "database", "inbox", "models", "loops"]
    with bench.store.read() as tx:
        assert dict(tx.counters.all()) == {}


def test_a_full_inbox_and_a_full_outbox(bench):
    with bench.store.begin() as tx:
        tx.models.state(MODEL)
        tx.signals.append([new_signal("a"), new_signal("b")], AT)
        tx.outbox.put("run", "x:0", {"run": "x"})
    seen = found(Watched(store=bench.store, inbox=2, outbox=1))
    assert seen["inbox"].sentence == f"is full for {MODEL}: 2 signals wait."
    assert seen["outbox of run"].sentence == "1 wait to be taken: full."
    assert not ready(list(seen.values()))


def test_little_room_on_the_disk(bench, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(readiness, "LEAST_ROOM", 1 << 60)
    seen = found(Watched(store=bench.store, folders=[tmp_path / "not" / "made"]))
    assert not seen["disk of made"].ok
    assert seen["disk of made"].hint.startswith("Make room")


def test_nobody_leads(bench):
    seen = found(Watched(store=bench.store, shared=True))
    assert not seen["controller"].ok
    assert seen["controller"].sentence == "none leads."


def test_loops_that_fail_or_fell_silent(bench):
    health = [
        Health(name="engine", silent_for=2, rounds=3, error="The disk of x is full."),
        Health(name="relay", silent_for=100, rounds=3, error=""),
        Health(name="rescue", silent_for=1, rounds=3, error=""),
    ]
    seen = found(Watched(store=bench.store, loops=lambda: health))
    assert seen["loop engine"].sentence == "The disk of x is full."
    assert seen["loop relay"].sentence == "has had no good round for 100 s."
    assert "loops" not in seen


def test_a_database_that_takes_no_writes():
    class Full:
        """A store whose disk is full: reading works."""

        def __init__(self, store: Any) -> None:
            self.read = store.read

        @contextmanager
        def begin(self):
            raise StorageFull("The disk of x is full.", hint="Make room.")
            yield

    from controller.adapters.memory import MemoryStore

    seen = found(Watched(store=Full(MemoryStore())))  # type: ignore[arg-type]
    assert seen["database"] == Condition(
        name="database", ok=False, sentence="The disk of x is full.", hint="Make room."
    )
    assert seen["inbox"].ok


def test_a_model_at_rest_is_named_and_leaves_the_process_ready(bench):
    with bench.store.begin() as tx:
        tx.models.update(MODEL, error="ZeroDivisionError: its budget is zero", wake_at=AT)
    seen = found(Watched(store=bench.store))
    assert seen["models"].sentence == f"{MODEL} is stopped: ZeroDivisionError: its budget is zero"
    assert not seen["models"].ok
    assert ready(list(seen.values()))


def test_without_names_only_numbers_are_said(bench):
    """Anybody may ask whether a server is ready; where owners are isolated the answer names no model of theirs."""
    with bench.store.begin() as tx:
        tx.models.state(MODEL)
        tx.models.update(MODEL, error="the recipe of payments is missing")
        tx.signals.append([new_signal("a")], AT)
    health = [Health(name="engine", silent_for=2, rounds=3, error=f"{MODEL} cannot be read.")]
    watched = Watched(store=bench.store, inbox=1, names=False, loops=lambda: health)
    seen = found(watched)
    assert seen["models"].sentence == "1 model at rest, not decided because of an error"
    said = " ".join(one.sentence + one.hint for one in seen.values())
    assert MODEL not in said
    assert "payments" not in said


def test_a_broker_that_takes_no_doorbell_is_said_and_stops_nobody(bench):
    said = "RabbitMQ does not serve the queue incumbent.default: it has no leader."
    with bench.store.begin() as tx:
        for topic in ("run", "notify"):
            tx.outbox.put(topic, "a", {})
            (letter,) = tx.outbox.due(topic)
            tx.outbox.postpone(letter.id, HOUR, said if topic == "run" else "no route")
    found = conditions(Watched(store=bench.store))
    assert [(one.name, one.sentence) for one in found if not one.ok] == [("broker", said)]
    assert ready(found)
    [unnamed] = [
        one for one in conditions(Watched(store=bench.store, names=False)) if one.name == "broker"
    ]
    assert "incumbent.default" not in unnamed.sentence
