"""Kinds of runs: a file for each, and the registry of them. What a worker does stands in :mod:`workers.execute`."""

from controller.domain.run_kinds.base import RunWork
from controller.domain.run_kinds.registry import RUN_WORK, run_work

__all__ = ["RUN_WORK", "RunWork", "run_work"]
