"""Stopping the loops lets what is at work end, also where that wakes another loop as it ends."""

from __future__ import annotations

import threading

from controller.service.loops.loop import Loop, Loops

PATIENCE = 20.0


def test_a_round_that_wakes_another_loop_as_it_ends_does_not_hold_up_the_stop():
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        go_on.wait(PATIENCE)
        ended.set()
        return 1

    loops = Loops(
        [
            Loop(name="work", every=3600, run_once=work, wakes=("other",)),
            Loop(name="other", every=3600, run_once=lambda: 0),
        ]
    )
    loops.start()
    assert begun.wait(PATIENCE)
    stopping = threading.Thread(target=loops.stop, daemon=True)
    stopping.start()
    stopping.join(
        0.3
    )  # the stop is under way and waits; a moment too short would only make the test easier
    assert stopping.is_alive()
    go_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert ended.is_set()


def test_stop_waits_for_the_round_at_work():
    begun, done = threading.Event(), []

    def work() -> int:
        begun.set()
        threading.Event().wait(0.05)
        done.append(True)
        return 0

    loops = Loops([Loop(name="work", every=3600, run_once=work)])
    loops.start()
    assert begun.wait(PATIENCE)
    loops.stop()
    assert done == [True]
