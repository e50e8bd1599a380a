"""Loops tick, wake each other, and outlive their errors."""

from __future__ import annotations

import threading

from controller.domain.errors import Unavailable
from controller.service.loops.loop import Loop, Loops

NEVER = 3600.0
PATIENCE = 10.0


def test_a_loop_that_did_something_wakes_the_next_one():
    woken = threading.Event()
    rounds: list[str] = []

    def second() -> int:
        rounds.append("second")
        if len(rounds) > 1:
            woken.set()
        return 0

    hinted = threading.Event()

    def first() -> int:
        return 1 if hinted.is_set() else 0

    loops = Loops(
        [
            Loop(name="first", every=NEVER, run_once=first, wakes=("second",)),
            Loop(name="second", every=NEVER, run_once=second),
        ]
    )
    loops.start()
    try:
        hinted.set()
        loops.wake("first")
        assert woken.wait(PATIENCE)
    finally:
        loops.stop()


def test_a_wake_during_a_round_is_not_lost():
    entered, release, twice = threading.Event(), threading.Event(), threading.Event()
    rounds: list[int] = []

    def slow() -> int:
        rounds.append(1)
        if len(rounds) == 1:
            entered.set()
            release.wait(PATIENCE)
        else:
            twice.set()
        return 0

    loops = Loops([Loop(name="slow", every=NEVER, run_once=slow)])
    loops.start()
    try:
        assert entered.wait(PATIENCE)
        loops.wake("slow")
        release.set()
        assert twice.wait(PATIENCE)
    finally:
        loops.stop()


def test_an_error_ends_the_round_and_not_the_loop():
    rounds: list[int] = []
    failed, recovered = threading.Event(), threading.Event()

    def flaky() -> int:
        rounds.append(1)
        if len(rounds) == 1:
            failed.set()
            raise Unavailable("the database does not answer.")
        recovered.set()
        return 0

    loops = Loops([Loop(name="flaky", every=0.01, run_once=flaky)])
    loops.start()
    try:
        assert failed.wait(PATIENCE)
        assert recovered.wait(PATIENCE)
    finally:
        loops.stop()
    (health,) = loops.health()
    assert health.error == ""
    assert health.rounds >= 1


def test_a_loop_that_has_more_goes_on_at_once_and_not_after_a_round_that_failed():
    ended = threading.Event()
    left = ["more", "more", "none"]
    rounds: list[str] = []

    def run_once() -> int:
        rounds.append(left.pop(0) if left else "down")
        if rounds[-1] == "down":
            ended.set()
            raise Unavailable("the database is away.")
        return 0

    def has_more() -> bool:
        if rounds[-1] == "none":
            ended.set()
        return rounds[-1] != "none"

    loops = Loops([Loop(name="poll", every=NEVER, run_once=run_once, has_more=has_more)])
    loops.start()
    try:
        assert ended.wait(PATIENCE)
        assert rounds == ["more", "more", "none"]
        ended.clear()
        loops.wake("poll")
        assert ended.wait(PATIENCE)
    finally:
        loops.stop()
    assert rounds == ["more", "more", "none", "down"]
