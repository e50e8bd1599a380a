"""Places at which a process can be made to die, by name: how the tests show that it may die anywhere.

``INCUMBENT_CRASH=relay-rang`` ends the process, as ``kill -9`` does, when it comes to that place for the first time;
several names are separated by commas. ``INCUMBENT_CRASH_LOG`` names a file to which the place is added before. Without
the variable a place costs one look into an empty set.
"""

from __future__ import annotations

import os

POINTS = {
    "rules-written": "rules are written, the commit is still to come",
    "rules-in-force": "rules are in force",
    "source-looked": "a source was looked at and nothing is booked",
    "source-written": "batches, signals and cursor are written, the commit is still to come",
    "source-booked": "batches, signals and cursor are committed",
    "schedule-written": "a due time, its signal and the next one are written, the commit is still to come",
    "schedule-fired": "a due time, its signal and the next one are committed",
    "decision-written": "a decision and all it says is written, the commit is still to come",
    "decision-made": "a decision is committed and nobody was told",
    "relay-ringing": "a run waits and its message was not sent",
    "relay-rang": "the broker has the message and the outbox does not know",
    "relay-marked": "the outbox knows when to ring again",
    "reclaim-written": "a silent run is taken back, the commit is still to come",
    "reclaimed": "a silent run is taken back and has a new letter",
    "lead-won": "the lead is won and nothing is done with it",
    "ring-heard": "a message is acknowledged and the run is not claimed",
    "run-claimed": "a run is claimed and its worker has done nothing",
    "artifact-written": "an artifact's bytes are on the disk under a temporary name",
    "artifact-stored": "an artifact has its name and no row names it",
    "end-written": "the end of a run and its signal are written, the commit is still to come",
    "run-ended": "the end of a run is committed and the worker was not told",
}
"""Every place, with what has happened there and what has not."""

_armed: set[str] = set()


def arm(names: str) -> None:
    """Die at these places; an unknown name is an error, so that no test passes by a typing mistake."""
    _armed.clear()
    for name in names.replace(",", " ").split():
        if name not in POINTS:
            raise ValueError(f"there is no crash point called {name}")
        _armed.add(name)


def reach(name: str) -> None:
    """This process comes to a place; if it is armed for it, it ends here."""
    if not _armed or name not in _armed:
        return
    log = os.environ.get("INCUMBENT_CRASH_LOG")
    if log:
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - the last thing that it does
            file.write(f"{name}\n")
    os._exit(137)


arm(os.environ.get("INCUMBENT_CRASH", ""))
