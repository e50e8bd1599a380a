"""McNemar's test for two classifiers on the same rows (McNemar 1947, exact version).

Rows that both get right or both get wrong say nothing about which is better; among the rest
the better one should win more than half.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class McNemar:
    """``b``: rows that only the reference has right; ``c``: rows that only the challenger has.

    ``p_value`` is two-sided; ``p_better`` is small when the challenger is better.
    """

    b: int
    c: int
    p_value: float
    p_better: float
    p_worse: float


def mcnemar_exact(b: int, c: int) -> McNemar:
    """Exact test that the discordant rows fall either way with probability one half.

    Raises `ValueError` for negative counts. Without discordant rows every p-value is 1.
    """
    if b < 0 or c < 0:
        raise ValueError("counts of rows cannot be negative")
    n = b + c
    if n == 0:
        return McNemar(b, c, 1.0, 1.0, 1.0)
    better = float(stats.binom.sf(c - 1, n, 0.5))
    worse = float(stats.binom.sf(b - 1, n, 0.5))
    return McNemar(b, c, min(1.0, 2.0 * min(better, worse)), better, worse)


def mcnemar_interval(b: int, c: int, rows: int, confidence: float) -> tuple[float, float]:
    """Interval of (b - c) / rows, the challenger's excess error rate, given b + c discordant rows.

    Clopper-Pearson on the share of discordant rows that the reference wins, which makes it
    the inversion of `mcnemar_exact`: it excludes zero exactly when that rejects.
    """
    n = b + c
    if n == 0 or rows == 0:
        return 0.0, 0.0
    alpha = (1.0 - confidence) / 2.0
    low = float(stats.beta.ppf(alpha, b, c + 1)) if b > 0 else 0.0
    high = float(stats.beta.ppf(1.0 - alpha, b + 1, c)) if c > 0 else 1.0
    return n / rows * (2.0 * low - 1.0), n / rows * (2.0 * high - 1.0)
