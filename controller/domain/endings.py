"""What the end of a run tells the inbox, so that every store says it in the same words and under the same key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from controller.domain.payloads import storable_text
from controller.domain.runs import Run, RunState
from controller.domain.signals import NewSignal, SignalKind

ENDINGS = frozenset({SignalKind.RUN_FINISHED, SignalKind.RUN_FAILED})
"""Kinds that nobody but a store writes."""


def ending_key(run: Run) -> str:
    """The key of the one signal of a run's end."""
    return f"run:{run.id}:{run.state}"


def ending_signal(run: Run, at: datetime, *, actor: str) -> NewSignal:
    """The one signal of an ended run. Its payload is the run's result and, whatever that says, the run's own fields."""
    return NewSignal(
        key=ending_key(run),
        model=run.model,
        kind=end_kind(run.state),
        occurred_at=at,
        payload=end_payload(run, run.state, run.reason, run.result),
        actor=actor,
    )


def end_kind(state: RunState) -> SignalKind:
    """Which kind of signal tells that a run ended so."""
    match state:
        case RunState.DONE:
            return SignalKind.RUN_FINISHED
        case RunState.FAILED | RunState.DEAD | RunState.CANCELLED:
            return SignalKind.RUN_FAILED
        case RunState.QUEUED | RunState.RUNNING:
            raise ValueError(f"a run that is {state.value} has not ended")
        case _:
            assert_never(state)


def end_payload(
    run: Run, state: RunState, reason: str, result: Mapping[str, Any]
) -> dict[str, Any]:
    """What the signal says that ``run`` ended so."""
    return {
        **result,
        "run": run.id,
        "kind": run.spec.kind.value,
        "state": state.value,
        "reason": storable_text(reason),
    }


def lost_sentence(run: Run) -> str:
    """Why a run is given up after its last attempt fell silent."""
    attempts = "attempt" if run.tries == 1 else "attempts"
    return f"The worker of {run.id} fell silent, and its {run.tries} {attempts} are used up."
