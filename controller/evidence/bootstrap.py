"""Intervals and p-values of a statistic of resampled units (rows, or blocks of rows).

Every method answers with an `Interval`, whose p-values are the inversion of the very method
that gave its bounds, so that an interval and a p-value cannot tell different stories.

- `bca_interval`: bias-corrected and accelerated bootstrap (Efron 1987, "Better bootstrap
  confidence intervals"; acceleration from the jackknife).
- `jackknife_interval`: jackknife variance against Student's t, for few units. For few
  clusters the jackknife variance is the conservative one (MacKinnon, Nielsen & Webb 2023).
- `normal_interval`: jackknife variance against the normal, for very many units.
- `wild_cluster_interval`: wild cluster bootstrap-t with the null imposed (Cameron, Gelbach
  & Miller 2008; six-point weights of Webb 2023), for means in few blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from controller.evidence.aggregates import Moments, Weighted
from controller.evidence.losses import Array
from controller.evidence.resampling import (
    bit_generator,
    replicate_weights,
    resampled_sums,
    sum_by_block,
)

FEW_TAIL: Final = 20
"""With fewer replicates than this beyond zero, the tail is extrapolated, not counted."""

_GROUPS: Final = 256
"""Groups of units left out together when leaving out each unit would be quadratic."""


@dataclass(frozen=True)
class Interval:
    """A two-sided interval and the one-sided p-values of the same method.

    ``p_less`` is small when the statistic is below zero (null: at or above zero),
    ``p_greater`` when it is above. ``problem`` is a sentence if there is no answer.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    p_less: float
    p_greater: float
    problem: str | None = None


class Statistic(Protocol):
    """Q numbers computed from units that can be resampled."""

    units: int

    def estimate(self) -> Array:
        """The numbers on the data, (q,)."""

    def replicates(self, seed: str | int, resamples: int) -> Array:
        """The numbers on bootstrap draws of the units, (q, resamples)."""

    def jackknife(self) -> Array:
        """The numbers with each unit (or group of units) left out, (q, groups)."""


class MomentStatistic:
    """A function of sums over units: exact leave-one-out, replicates by exact sums."""

    def __init__(self, columns: Array, value: Callable[[Array], Array]) -> None:
        self.columns = columns
        self.value = value
        self.units = columns.shape[1]
        self._sums = columns.sum(axis=1)

    def estimate(self) -> Array:
        return np.asarray(self.value(self._sums[:, None])[:, 0])

    def replicates(self, seed: str | int, resamples: int) -> Array:
        return self.value(resampled_sums(self.columns, seed=seed, resamples=resamples))

    def jackknife(self) -> Array:
        return self.value(self._sums[:, None] - self.columns)


class WeightStatistic:
    """A function of row weights (AUC, percentiles); ``block`` gives the unit of each row."""

    def __init__(
        self,
        value: Callable[[Array], Array],
        rows: int,
        block: npt.NDArray[np.int64] | None,
    ) -> None:
        self.value = value
        self.rows = rows
        self.block = block
        self.units = rows if block is None else int(block.max()) + 1

    def estimate(self) -> Array:
        return np.asarray(self.value(np.ones((1, self.rows)))[:, 0])

    def replicates(self, seed: str | int, resamples: int) -> Array:
        return replicate_weights(
            self.value, units=self.units, block=self.block, seed=seed, resamples=resamples
        )

    def jackknife(self) -> Array:
        """Leaves out units by `_GROUPS` interleaved groups; skewness per root n is the same."""
        unit = np.arange(self.rows) if self.block is None else self.block
        group = unit % min(self.units, _GROUPS)
        parts = [self.value((group != g)[None, :] * 1.0) for g in range(int(group.max()) + 1)]
        return np.concatenate(parts, axis=1)


def statistic_of(
    sides: tuple[Moments | Weighted, ...],
    combine: Callable[[tuple[Array, ...]], Array],
    block: npt.NDArray[np.int64] | None,
) -> Statistic:
    """The statistic ``combine(values of the sides)``, resampled over rows or blocks.

    ``combine`` maps one array (b,) a side to (q, b). With ``block``, units are blocks.
    """
    if all(isinstance(side, Moments) for side in sides):
        moments = [side for side in sides if isinstance(side, Moments)]
        columns = np.concatenate([side.columns for side in moments])
        ends = np.cumsum([len(side.columns) for side in moments])[:-1]

        def of_sums(sums: Array) -> Array:
            parts = np.split(sums, ends)
            values = zip(moments, parts, strict=True)
            return combine(tuple(side.value(part) for side, part in values))

        if block is not None:
            columns = sum_by_block(columns, block, int(block.max()) + 1)
        return MomentStatistic(columns, of_sums)
    weighted = [side for side in sides if isinstance(side, Weighted)]

    def of_weights(weights: Array) -> Array:
        return combine(tuple(side.value(weights) for side in weighted))

    return WeightStatistic(of_weights, weighted[0].n, block)


def _no_answer(estimate: float, problem: str) -> Interval:
    return Interval(estimate, np.nan, np.nan, np.nan, 1.0, 1.0, problem)


def bca_interval(
    estimate: float, replicates: Array, jackknife: Array, confidence: float
) -> Interval:
    """BCa interval from ``replicates`` (B,) and leave-one-out values ``jackknife`` (groups,).

    Where fewer than `FEW_TAIL` replicates lie beyond zero, the p-value follows the normal
    shape of the replicates with a Student's t tail, and never falls below a hundredth of
    what B replicates can resolve.
    """
    usable = np.sort(replicates[np.isfinite(replicates)])
    resamples = len(replicates)
    if len(usable) < 0.99 * resamples or not np.all(np.isfinite(jackknife)):
        share = 1.0 - len(usable) / max(resamples, 1)
        return _no_answer(
            estimate, f"The metric is undefined on {share:.0%} of the resamples: too few rows."
        )
    error = float(np.std(usable, ddof=1))
    if error <= 1e-13 * max(abs(estimate), float(np.max(np.abs(usable)))) or error == 0.0:
        return _no_answer(estimate, "The statistic does not vary between resamples.")
    bias = _normal_score(usable, estimate)
    pull = _acceleration(jackknife)
    z = float(special.ndtri(0.5 + confidence / 2.0))
    low, high = (_bca_quantile(usable, bias, pull, score) for score in (-z, z))
    tail = _Tail(usable, error, bias, pull, len(jackknife) - 1)
    return Interval(estimate, low, high, error, tail.p_less(), tail.p_greater())


def _normal_score(ordered: Array, at: float) -> float:
    """Normal quantile of the share of replicates below ``at``, ties counted half."""
    below = float(np.searchsorted(ordered, at, "left") + np.searchsorted(ordered, at, "right")) / 2
    share = min(max(below, 0.5), len(ordered) - 0.5) / len(ordered)
    return float(special.ndtri(share))


def _acceleration(jackknife: Array) -> float:
    push = np.mean(jackknife) - jackknife
    spread = float(np.sum(np.square(push)))
    return float(np.sum(push**3)) / (6.0 * spread**1.5) if spread > 0 else 0.0


def _bca_quantile(ordered: Array, bias: float, pull: float, score: float) -> float:
    shifted = bias + score
    slope = 1.0 - pull * shifted
    if slope <= 0.0:  # beyond the range in which the correction is monotone
        return float(ordered[0 if score < 0 else -1])
    return float(np.quantile(ordered, special.ndtr(bias + shifted / slope)))


@dataclass(frozen=True)
class _Tail:
    """The confidence at which a BCa bound touches zero."""

    ordered: Array
    error: float
    bias: float
    pull: float
    freedom: int

    def p_less(self) -> float:
        beyond = len(self.ordered) - int(np.searchsorted(self.ordered, 0.0, "left"))
        return self._p(beyond, 1.0)

    def p_greater(self) -> float:
        beyond = int(np.searchsorted(self.ordered, 0.0, "right"))
        return self._p(beyond, -1.0)

    def _p(self, beyond: int, sign: float) -> float:
        floor = 0.01 / (len(self.ordered) + 1)
        counted = beyond >= FEW_TAIL
        shape = -float(np.mean(self.ordered)) / self.error
        score = _normal_score(self.ordered, 0.0) if counted else shape
        slope = 1.0 + self.pull * (score - self.bias)
        if slope <= 0.0:
            return 1.0
        z = sign * ((score - self.bias) / slope - self.bias)
        p = special.ndtr(-z) if counted else special.stdtr(max(self.freedom, 1), -z)
        return float(min(max(p, floor), 1.0))


def jackknife_error(jackknife: Array) -> float:
    """Standard error from leave-one-out values (groups,)."""
    groups = len(jackknife)
    spread = float(np.sum(np.square(jackknife - np.mean(jackknife))))
    return float(np.sqrt((groups - 1) / groups * spread))


def jackknife_interval(estimate: float, jackknife: Array, confidence: float) -> Interval:
    """Jackknife standard error against Student's t with (groups - 1) degrees of freedom."""
    return _symmetric(estimate, jackknife, confidence, len(jackknife) - 1)


def normal_interval(estimate: float, jackknife: Array, confidence: float) -> Interval:
    """Jackknife standard error against the normal distribution (t for fewer than 1000 groups)."""
    groups = len(jackknife)
    return _symmetric(estimate, jackknife, confidence, np.inf if groups >= 1000 else groups - 1)


def _symmetric(estimate: float, jackknife: Array, confidence: float, freedom: float) -> Interval:
    if not np.all(np.isfinite(jackknife)):
        return _no_answer(estimate, "The metric is undefined when some rows are left out.")
    error = jackknife_error(jackknife)
    if error <= 1e-13 * max(abs(estimate), float(np.max(np.abs(jackknife)))):
        return _no_answer(estimate, "The statistic does not vary between rows or blocks.")
    reach = float(stats.t.ppf(0.5 + confidence / 2.0, freedom)) * error
    p_less = float(stats.t.cdf(estimate / error, freedom))
    return Interval(estimate, estimate - reach, estimate + reach, error, p_less, 1.0 - p_less)


_WEBB: Final = np.sqrt(np.array([0.5, 1.0, 1.5]))


def wild_cluster_interval(
    sums: Array, sizes: Array, *, confidence: float, seed: str | int, resamples: int
) -> Interval:
    """Wild cluster bootstrap-t of the mean ``sum(sums) / sum(sizes)`` over blocks (g,).

    p-values impose the null (the restricted wild bootstrap); the interval is the bootstrap-t
    one from the same signs. Up to 12 blocks all 2**g sign vectors are used (Rademacher),
    beyond that Webb's six weights, ``resamples`` of them.
    """
    total = float(np.sum(sizes))
    estimate = float(np.sum(sums)) / total
    residual = sums - estimate * sizes
    error = _cluster_error(residual[:, None], total)[0]
    if not error > 1e-13 * abs(estimate):
        return _no_answer(estimate, "The statistic does not vary between blocks.")
    weights = _wild_weights(len(sums), seed, resamples)
    centred = _wild_t(weights, residual, sizes, total)
    restricted = _wild_t(weights, sums, sizes, total)
    observed = estimate / error
    count = weights.shape[0]
    p_less = float(np.sum(restricted <= observed + 1e-12)) / count
    p_greater = float(np.sum(restricted >= observed - 1e-12)) / count
    alpha = (1.0 - confidence) / 2.0
    top, bottom = np.quantile(centred, [1.0 - alpha, alpha])
    low, high = estimate - float(top) * error, estimate - float(bottom) * error
    return Interval(estimate, low, high, float(error), p_less, p_greater)


def _cluster_error(residual: Array, total: float) -> Array:
    blocks = residual.shape[0]
    squares = np.square(residual).sum(axis=0)
    return np.asarray(np.sqrt(squares * blocks / (blocks - 1)) / total)


def _wild_weights(blocks: int, seed: str | int, resamples: int) -> Array:
    if blocks <= 12:
        patterns = np.arange(2**blocks)[:, None] >> np.arange(blocks)[None, :]
        return np.asarray(1.0 - 2.0 * (patterns & 1))
    draws = bit_generator(seed, "wild", blocks).random_raw(resamples * blocks)
    points = np.concatenate([-_WEBB, _WEBB])
    return np.asarray(points[(draws % np.uint64(6)).astype(np.int64)]).reshape(resamples, blocks)


def _wild_t(weights: Array, residual: Array, sizes: Array, total: float) -> Array:
    """T statistics of resampled sums ``weights * residual``; elementwise, so free of BLAS."""
    drawn = weights * residual[None, :]
    mean = drawn.sum(axis=1) / total
    error = _cluster_error((drawn - mean[:, None] * sizes[None, :]).T, total)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(error > 0, mean / error, np.sign(mean) * np.inf))
