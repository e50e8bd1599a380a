"""One simulator: recorded or imagined events on a clock that stands still, and the function that decides.

Plan, backtest, rule tests, flip points and "what if" ask it; they differ in what they bring and in what they show.
"""

from __future__ import annotations

from controller.service.replay.simulate.clock import Event, in_order, play, schedule_fires
from controller.service.replay.simulate.model import OpenStore, SimulatedModel
from controller.service.replay.simulate.moment import RecordedMoment

__all__ = [
    "Event",
    "OpenStore",
    "RecordedMoment",
    "SimulatedModel",
    "in_order",
    "play",
    "schedule_fires",
]
