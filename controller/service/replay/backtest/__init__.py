"""Backtest: a policy over a series of signals and candidates, in simulated time."""

from __future__ import annotations

from controller.service.replay.backtest.recorded import recorded_series
from controller.service.replay.backtest.run import Backtest, BacktestMoment, run_backtest

__all__ = ["Backtest", "BacktestMoment", "recorded_series", "run_backtest"]
