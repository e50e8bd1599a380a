"""Diebold-Mariano test of two forecasts whose errors are dependent in time.

Forecasts h steps ahead have errors that are correlated over h - 1 steps; the variance of the
mean loss difference counts those autocovariances (Diebold & Mariano 1995). The small-sample
factor and the t distribution are of Harvey, Leybourne & Newbold (1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from controller.evidence.losses import Array


@dataclass(frozen=True)
class DieboldMariano:
    """``dm`` is the plain statistic, ``hln`` the corrected one, ``variance`` that of the mean.

    ``p_less`` is small when the first forecast has the smaller loss. ``bartlett`` tells that
    the plain variance was not positive and Bartlett weights were used.
    """

    mean: float
    dm: float
    hln: float
    variance: float
    p_less: float
    p_greater: float
    n: int
    horizon: int
    bartlett: bool
    problem: str | None = None

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided interval of the mean difference: the inversion of the corrected test."""
        factor = harvey_factor(self.n, self.horizon)
        quantile = float(stats.t.ppf(0.5 + confidence / 2.0, self.n - 1))
        reach = quantile * float(np.sqrt(self.variance)) / factor
        return self.mean - reach, self.mean + reach


def harvey_factor(n: int, horizon: int) -> float:
    """Factor of the statistic for ``n`` differences: sqrt((n + 1 - 2h + h(h - 1)/n) / n)."""
    inside = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    return float(np.sqrt(max(inside, 0.0)))


def diebold_mariano(differences: Array, horizon: int = 1) -> DieboldMariano:
    """Test of mean zero for loss differences (n,) in the order of time.

    ``horizon`` is the number of steps ahead, at least 1 and under n / 2.
    """
    n = len(differences)
    mean = float(np.mean(differences)) if n else 0.0
    if horizon < 1 or n < 2 or 2 * horizon >= n:
        text = f"A horizon of {horizon} needs more than {max(2 * horizon, 1)} rows; there are {n}."
        return _nothing(mean, n, horizon, text)
    centred = differences - mean
    covariances = [float(np.sum(centred[lag:] * centred[: n - lag])) / n for lag in range(horizon)]
    variance = (covariances[0] + 2.0 * sum(covariances[1:])) / n
    bartlett = variance <= 0.0 and horizon > 1
    if bartlett:
        weighted = [(1.0 - lag / horizon) * covariances[lag] for lag in range(1, horizon)]
        variance = (covariances[0] + 2.0 * sum(weighted)) / n
    if variance <= 1e-26 * mean * mean or variance <= 0.0:
        return _nothing(mean, n, horizon, "The loss differences do not vary.")
    dm = mean / float(np.sqrt(variance))
    hln = dm * harvey_factor(n, horizon)
    p_less = float(stats.t.cdf(hln, n - 1))
    p_greater = float(stats.t.sf(hln, n - 1))
    return DieboldMariano(mean, dm, hln, variance, p_less, p_greater, n, horizon, bartlett)


def _nothing(mean: float, n: int, horizon: int, problem: str) -> DieboldMariano:
    return DieboldMariano(mean, 0.0, 0.0, 0.0, 1.0, 1.0, n, horizon, False, problem)
