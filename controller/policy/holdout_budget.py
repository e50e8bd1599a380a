"""How often one holdout may judge, before its answers have taught the trainer too much.

Each evaluation on the same rows leaks a little of them into the next model. The budgets are those of ease.ml/ci
(Renggli et al., MLSys 2019): ``steps`` evaluations share the error 1 − reliability, by what the trainer gets to
see. `none`: nothing before the last step. `full`: every verdict, so each of the 2^steps histories needs its share.
`first_change`: every verdict, but the holdout is replaced as soon as one passes, which leaves ``steps`` histories.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Adaptivity = Literal["none", "full", "first_change"]

SPENT = "holdout spent: bring fresh labels"
"""The words that a hold for this reason carries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldoutBudget:
    """``steps`` evaluations of one holdout, all of them right with probability ``reliability``."""

    steps: int
    reliability: float
    adaptivity: Adaptivity = "none"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError("a holdout budget has at least one step")
        if not 0.0 < self.reliability < 1.0:
            raise ValueError("the reliability lies between 0 and 1")

    @property
    def level(self) -> float:
        """The error each single evaluation may have; zero where 2^steps is beyond a float."""
        return math.exp(self.log_level)

    @property
    def log_level(self) -> float:
        """Natural logarithm of `level`, which `full` adaptivity makes too small for a float."""
        events = self.steps * math.log(2.0) if self.adaptivity == "full" else math.log(self.steps)
        return math.log(1.0 - self.reliability) - events


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldoutState:
    """What one holdout has left. ``reason`` is `SPENT` when it may not judge any more, else empty."""

    left: int
    reason: str = ""

    @property
    def spent(self) -> bool:
        """Whether fresh labels are needed before the next evaluation."""
        return bool(self.reason)


def holdout_state(budget: HoldoutBudget, *, evaluations: int, passes: int) -> HoldoutState:
    """The state of a holdout that has judged ``evaluations`` challengers and let ``passes`` of them pass."""
    left = max(0, budget.steps - evaluations)
    replaced = budget.adaptivity == "first_change" and passes > 0
    return HoldoutState(left=0 if replaced else left, reason=SPENT if replaced or not left else "")
