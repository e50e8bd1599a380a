"""Detectors for streams of single values: ADWIN and Page-Hinkley, from ``river``.

Of eight detectors measured on fifteen known drifts these two found twelve and fourteen with one
false alarm each; DDM and EDDM raised fourteen and thirty-eight and are not offered. ``river`` is an
extra (BSD-3-Clause): only models that are watched value by value need it.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.domain.decay import StreamAlarm
from controller.domain.errors import ConfigurationError
from controller.evidence.inputs import Unusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Detector(StrEnum):
    """The detectors on offer."""

    ADWIN = "adwin"
    PAGE_HINKLEY = "page_hinkley"


def new_detector(name: str, **settings: float) -> Any:
    """A fresh detector of ``river`` (it has ``update`` and ``drift_detected``).

    Raises:
        ConfigurationError: the extra is not installed, the name is unknown, or a setting is.
    """
    try:
        from river import drift  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "the detectors of streams need the package river;",
            hint="install it with `pip install 'incumbent[streams]'`.",
        ) from error
    known = {Detector.ADWIN: drift.ADWIN, Detector.PAGE_HINKLEY: drift.PageHinkley}
    if name not in set(Detector):
        raise ConfigurationError(
            f"there is no detector {name!r};",
            hint=f"expected one of {', '.join(d.value for d in Detector)}.",
        )
    try:
        return known[Detector(name)](**settings)
    except TypeError as error:
        raise ConfigurationError(f"the detector {name} has no such setting: {error}") from error


def stream_alarms(
    values: Iterable[float], detector: str = Detector.ADWIN, **settings: float
) -> Iterator[StreamAlarm]:
    """The alarms over ``values`` (losses, in the order of their time), as they come.

    Raises:
        Unusable: a value is no finite number.
        ConfigurationError: see ``new_detector``.
    """
    watcher = new_detector(detector, **settings)
    total, count = 0.0, 0
    for at, value in enumerate(values):
        if not math.isfinite(value):
            raise Unusable(f"value {at} of the stream is {value}, expected a finite number.")
        total, count = total + value, count + 1
        watcher.update(value)
        if watcher.drift_detected:
            estimate = getattr(watcher, "estimation", None)
            yield StreamAlarm(
                detector=str(detector),
                at=at,
                mean_before=total / count,
                mean_after=None if estimate is None else float(estimate),
            )
            total, count = 0.0, 0
