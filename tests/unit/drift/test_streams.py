"""Detectors find a change, and stay calm without one."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from controller.domain.errors import ConfigurationError
from controller.evidence.inputs import Unusable
from controller.evidence.streams import Detector, stream_alarms


def losses(seed: int, after: float) -> list[float]:
    rng = np.random.default_rng(seed)
    return [*rng.normal(1, 0.3, size=1500), *rng.normal(after, 0.3, size=1500)]


@pytest.mark.parametrize("detector", list(Detector))
def test_a_change_is_found_soon_after_it(detector):
    alarms = list(stream_alarms(losses(1, 1.6), detector))
    assert [alarm for alarm in alarms if 1500 <= alarm.at < 1750]
    assert not [alarm for alarm in alarms if alarm.at < 1500]


@pytest.mark.parametrize("detector", list(Detector))
def test_a_steady_stream_is_calm(detector):
    assert sum(len(list(stream_alarms(losses(seed, 1.0), detector))) for seed in range(5)) <= 1


@pytest.mark.parametrize(
    ("detector", "settings", "message"),
    [("ddm", {}, "no detector 'ddm'"), ("adwin", {"speed": 1.0}, "adwin has no such setting")],
)
def test_unknown_detectors_and_settings_are_refused(detector, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        list(stream_alarms([1.0], detector, **settings))


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(Unusable, match="value 1 of the stream is nan"):
        list(stream_alarms([1.0, float("nan")]))


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "river", None)
    with pytest.raises(ConfigurationError, match="need the package river") as error:
        list(stream_alarms([1.0]))
    assert "incumbent[streams]" in error.value.hint
