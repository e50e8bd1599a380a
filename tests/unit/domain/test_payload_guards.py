"""Each guard of the payloads taken away once: something that must be refused passes then, or breaks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pytest

from controller.adapters.memory import MemoryStore
from controller.domain import payloads
from controller.domain.payloads import InvalidPayload, bounds, check_signal, fields
from controller.domain.signals import NewSignal, SignalKind
from tests.support.makers import AT, new_signal
from tests.support.nonsense import VALID, too_large

_K = SignalKind
_SPOILT: tuple[tuple[SignalKind, dict[str, Any]], ...] = (
    (_K.WEBHOOK, {"version": 202611301200}),
    (_K.WEBHOOK, {"type": ""}),
    (_K.METRIC, {"metric": [1]}),
    (_K.METRIC, {"n": -5}),
    (_K.METRIC, {"value": {}}),
    (_K.METRIC, {"value": 1e300}),
    (_K.METRIC, {"p_worse": 2.0}),
    (_K.ALIAS, {"version": 2**70}),
    (_K.ALIAS, {"version": 2**40}),
    (_K.ALIAS, {"alias": "champion"}),
    (_K.DEPRECATE, {"sunset": "9999-12-31T23:59:59-14:00"}),
    (_K.DEPRECATE, {"firm": "yes"}),
    (_K.RUN_FINISHED, {"kind": "tarin"}),
    (_K.RUN_FINISHED, {"readings": [3]}),
    (_K.RUN_FINISHED, {"readings": 3}),
    (_K.DRIFT, {"columns": [1]}),
    (_K.MANUAL, {"data": float("nan")}),
    (_K.MANUAL, {"data": 2**70}),
    (_K.MANUAL, {"data": "\ud800"}),
    (_K.MANUAL, {"reason": "a\x00"}),
)
REFUSED = (
    *(new_signal(kind=kind, payload={**VALID[kind], **changes}) for kind, changes in _SPOILT),
    *(new_signal(kind=_K.MANUAL, payload={"data": large}) for large in too_large().values()),
    new_signal(kind=_K.CANCEL, payload={"reason": "which?"}),
    new_signal(model="../../etc/passwd"),
    new_signal(occurred_at=datetime.fromisoformat("0001-01-01T00:00:00+14:00")),
)


def _nothing(*_: Any) -> None:
    """In the place of a check."""


def _text(value: str, place: str) -> int:
    del place
    return len(value)


GUARDS: Mapping[str, tuple[Any, str, Any]] = {
    "the bounds of the whole": (payloads, "check_bounds", _nothing),
    "the depth": (bounds, "DEEPEST", 10**6),
    "the bits of an integer": (bounds, "WIDEST", 10**6),
    "what is no Unicode text": (bounds, "_text", _text),
    "the model's name": (payloads, "check_model_name", lambda name: name),
    "the years": (payloads, "is_in_range", lambda _: True),
    "the years of a field": (fields, "is_in_range", lambda _: True),
    "what can be added up": (fields, "is_measured", lambda _: True),
    **{
        f"the type {kind.__name__}": (kind, "check", _nothing)
        for kind in (
            fields.Text, fields.Named, fields.Choice, fields.Flag, fields.Whole, fields.Count,
            fields.Real, fields.Moment, fields.Items, fields.Table, fields.Maybe, fields.Shape,
        )
    },
}  # fmt: skip


def passes(signal: NewSignal) -> bool:
    """Whether it gets through, or breaks the check; both are seen."""
    try:
        check_signal(signal)
    except InvalidPayload:
        return False
    except Exception:  # noqa: BLE001 - whatever breaks is no refusal
        return True
    return True


def test_all_of_it_is_refused_while_every_guard_stands():
    assert not [signal for signal in REFUSED if passes(signal)]


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_that_is_taken_away_is_missed(guard: str):
    target, attribute, instead = GUARDS[guard]
    with patch.object(target, attribute, instead):
        assert any(passes(signal) for signal in REFUSED)


def test_a_store_that_does_not_ask_is_missed():
    nonsense = REFUSED[0]
    with pytest.raises(InvalidPayload), MemoryStore().begin() as tx:
        tx.signals.append([nonsense], AT)
    with (
        patch("controller.adapters.memory.signals.check_signals", lambda signals: signals),
        MemoryStore().begin() as tx,
    ):
        assert tx.signals.append([nonsense], AT)
