"""Whether retraining still helps: a confidence sequence over what each challenger gained on its champion.

Looking after every retraining is looking again and again, so the bound must hold at all times at once: the
one-sided normal mixture of Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences" (Annals of Statistics, 2021), with the sum of the squared standard errors as its clock.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from controller.domain.rules import Unimproving
from controller.domain.snapshot import Trial

_ALPHA = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainingProgress:
    """What the last trials say: their mean gain, and the most that it may truly be."""

    trials: int
    mean: float
    upper: float
    seconds: float

    def useless(self, section: Unimproving) -> bool:
        """Whether there were enough trials and the mean gain is shown to be below the smallest useful one."""
        return self.trials >= section.after and self.upper < section.smallest_useful


def mean_gain_bound(
    trials: Sequence[Trial], after: int, alpha: float = _ALPHA
) -> RetrainingProgress | None:
    """The upper confidence bound of the mean gain over ``trials`` (oldest first); None without any.

    The mixture is tuned for the clock that ``after`` trials as exact as the first one would reach, so the tuning
    does not depend on how they come out.
    """
    if not trials:
        return None
    count = len(trials)
    mean = sum(trial.gain for trial in trials) / count
    clock = sum(trial.error**2 for trial in trials)
    target = max(after, 1) * trials[0].error ** 2
    upper = (
        mean if clock <= 0 or target <= 0 else mean + mixture_bound(clock, target, alpha) / count
    )
    return RetrainingProgress(
        trials=count, mean=mean, upper=upper, seconds=sum(trial.seconds for trial in trials)
    )


def stretched(base: timedelta, section: Unimproving, stretches: int) -> timedelta:
    """How long to rest: the usual pace times the factor for each stretch in a row, up to the cap."""
    seconds = base.total_seconds() * section.stretch.factor**stretches
    return min(timedelta(seconds=min(seconds, 3.2e9)), section.stretch.up_to)


def mixture_bound(clock: float, target: float, alpha: float) -> float:
    """How far a sum may stray from its mean at any look, one side, with probability α at most.

    ``clock`` is the sum of the variances so far, ``target`` the clock at which the bound is tightest. It is the
    two-sided normal mixture at level 2α, whose one side holds at level α.
    """
    level = 2 * alpha
    tuned = target / (2 * math.log(1 / level) + math.log(1 + 2 * math.log(1 / level)))
    rho = max(tuned, sys.float_info.min)  # the square of a tiny error can be zero
    return math.sqrt((clock + rho) * (math.log(1 + clock / rho) + 2 * math.log(1 / level)))
