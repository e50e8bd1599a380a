"""A world of classifiers in which every model's true error is known, and the rules that gate them.

Each row is easy or hard, and each model errs on a row independently of the others given that. What
any of the rules needs of a holdout of n rows is how many rows each combination of (anchor, champion,
challenger) has right or wrong. Those eight counts are multinomial, so they are drawn as such: this
is exactly the distribution that row by row simulation would give, at a thousandth of the cost.

Gains and losses are in percentage points of the error rate; the first champion errs on 20 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from controller.evidence.planning import bennett_rows, hoeffding_sum_rows
from controller.policy.wealth import next_level

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ERROR = 0.20
"""True error rate of the first champion."""
HARD = 0.20
"""Share of hard rows. A model gets a tenth of them right, and errs on 2.5 % of the others."""
SLIP = 0.025


@dataclass(frozen=True)
class Counts:
    """Rows of one holdout a stream, (streams, 2, 2, 2): axis is anchor, champion, challenger; 1 is wrong."""

    table: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        return int(self.table[0].sum())

    def errors(self, who: int) -> Floats:
        """Observed error rate of one of the three, (streams,)."""
        others = tuple(axis + 1 for axis in range(3) if axis != who)
        return np.asarray(self.table.sum(axis=others)[:, 1] / self.rows)

    def discordant(self, who: int) -> tuple[Floats, Floats]:
        """Rows that only ``who`` (0 anchor, 1 champion) has right, and only the challenger."""
        pair = self.table.sum(axis=2 - who)  # sums out the other of the two
        return pair[:, 0, 1].astype(np.float64), pair[:, 1, 0].astype(np.float64)


def draw(rng: np.random.Generator, rows: int, *errors: Floats, same: bool = False) -> Counts:
    """Counts for true ``errors`` of anchor, champion and challenger, (streams,) each.

    ``same``: the challenger is a copy of the champion, right and wrong on the same rows.
    """
    streams = len(errors[0])
    probability = np.zeros((streams, 2, 2, 2))
    for share, chances in ((HARD, _on_hard), (1.0 - HARD, _on_easy)):
        a, o, n = (np.stack([1.0 - chances(e), chances(e)], axis=1) for e in errors)
        if same:
            joint = np.einsum("si,sj->sij", a, o)
            for k in (0, 1):
                probability[:, :, k, k] += share * joint[:, :, k]
        else:
            probability += share * np.einsum("si,sj,sk->sijk", a, o, n)
    flat = rng.multinomial(rows, probability.reshape(streams, 8))
    return Counts(flat.reshape(streams, 2, 2, 2))


def _on_hard(error: Floats) -> Floats:
    return np.clip((error - (1.0 - HARD) * SLIP) / HARD, 0.0, 1.0)


def _on_easy(error: Floats) -> Floats:
    return np.maximum(SLIP, (error - HARD) / (1.0 - HARD))


# --- rules ----------------------------------------------------------------------------------------


@dataclass
class State:
    """What a rule remembers of each stream."""

    stored: Floats
    """The error that was noted when the champion was promoted."""
    promotions: list[list[int]] = field(default_factory=list)
    test: int = 0


Rule = Callable[[Counts, State], Bools]


def start(streams: int, rows: int, rng: np.random.Generator) -> State:
    """Every stream begins with a champion that was measured once, on a holdout of its own."""
    stored = rng.binomial(rows, ERROR, streams) / rows
    return State(stored=stored, promotions=[[] for _ in range(streams)])


def bare(counts: Counts, _state: State) -> Bools:
    """challenger.error < champion.error, both on the same rows."""
    return counts.errors(2) < counts.errors(1)


def bare_stored(counts: Counts, state: State) -> Bools:
    """challenger.error < the number that was logged for the champion, on older rows."""
    return counts.errors(2) < state.stored


def tolerance(counts: Counts, _state: State) -> Bools:
    """Not worse than the champion by more than 1 % of its error."""
    return counts.errors(2) <= 1.01 * counts.errors(1)


def mlflow(relative: float) -> Rule:
    """MLflow's MetricThreshold(min_relative_change=relative, greater_is_better=False).

    Passes unless (baseline - candidate) / baseline < relative; equal numbers pass at 0.
    """

    def rule(counts: Counts, _state: State) -> Bools:
        old = np.maximum(counts.errors(1), 1e-12)
        return np.asarray((old - counts.errors(2)) / old >= relative)

    return rule


def z_test(counts: Counts, _state: State) -> Bools:
    """A one-sided paired z test at 5 %, anew for every challenger."""
    return paired_z(counts, 1, 0.0) < 0.05


def paired_z(counts: Counts, who: int, margin: float) -> Floats:
    """p-value against "worse than ``who`` by ``margin`` or more"."""
    b, c = counts.discordant(who)
    n = counts.rows
    difference = (b - c) / n
    error = np.sqrt(np.maximum(b + c - (b - c) ** 2 / n, 1e-9)) / n
    p = special.ndtr((difference - margin) / error)
    return np.asarray(np.where(b + c > 0, p, 1.0 if margin == 0.0 else p))


def ease_ml_ci(steps: int, rows: int, *, bennett: bool) -> Rule:
    """Condition ``n - o > 0 +/- eps`` in fp-free mode, 95 % reliability over ``steps`` steps.

    ``eps`` is the tolerance that ``rows`` rows a step can promise: by Hoeffding for the two
    accuracies, or by Bennett for models that disagree on fewer than 10 % of the rows.
    """

    def needed(epsilon: float) -> float:
        if bennett:
            return bennett_rows(epsilon, 0.05, disagreement=0.1, steps=steps)
        return hoeffding_sum_rows(epsilon, 0.05, coefficients=(1.0, -1.0), steps=steps)

    epsilon = optimize.brentq(lambda e: needed(e) - rows, 1e-4, 0.9)

    def rule(counts: Counts, _state: State) -> Bools:
        return np.asarray(counts.errors(1) - counts.errors(2) > epsilon)

    return rule


def mcnemar_p(counts: Counts) -> Floats:
    """One-sided exact p-values, as `controller.evidence.mcnemar` gives them one by one."""
    b, c = counts.discordant(1)
    return np.asarray(np.where(b + c > 0, stats.binom.sf(c - 1, b + c, 0.5), 1.0))


def ours(counts: Counts, _state: State) -> Bools:
    """``{metric: error_rate, better_than: champion}``: the paired test at 95 %, no budget."""
    return mcnemar_p(counts) <= 0.05


def ours_with_budget(counts: Counts, state: State) -> Bools:
    """The same with ``error_budget: {false_promotions: 5%}``: the level follows from the wealth."""
    known: dict[tuple[int, ...], float] = {}
    levels = np.empty(len(state.promotions))
    for stream, promoted in enumerate(state.promotions):
        key = tuple(promoted)
        if key not in known:
            known[key] = min(0.05, next_level(0.05, state.test, promoted))
        levels[stream] = known[key]
    return mcnemar_p(counts) <= levels


def remember(state: State, counts: Counts, promoted: Bools) -> None:
    """Books the outcome of one retraining."""
    state.stored = np.where(promoted, counts.errors(2), state.stored)
    for stream in np.flatnonzero(promoted):
        state.promotions[stream].append(state.test)
    state.test += 1


def rules_of_comparison(rows: int, retrainings: int) -> dict[str, Rule]:
    """The rules by the names that the tables show."""
    return {
        "bare rule, same rows": bare,
        "bare rule, logged number": bare_stored,
        "1 % tolerance": tolerance,
        "MLflow min_relative_change 0": mlflow(0.0),
        "MLflow min_relative_change 1 %": mlflow(0.01),
        "z test a retraining, 5 %": z_test,
        "ease.ml/ci, Hoeffding": ease_ml_ci(retrainings, rows, bennett=False),
        "ease.ml/ci, Bennett": ease_ml_ci(retrainings, rows, bennett=True),
        "Incumbent, 95 %": ours,
        "Incumbent, budget 5 %": ours_with_budget,
    }
