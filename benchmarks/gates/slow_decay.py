"""Challengers that are each a little worse: how far does a gate let the model sink?"""

from __future__ import annotations

import numpy as np

from benchmarks.gates import report
from benchmarks.gates.world import (
    ERROR,
    Bools,
    Counts,
    Floats,
    Rule,
    State,
    draw,
    mcnemar_p,
    paired_z,
    remember,
    rules_of_comparison,
    start,
)
from controller.policy.wealth import next_level

STREAMS, RETRAININGS, ROWS, SEED = 1000, 200, 2000, 22
STEP, MARGIN = 0.003, 0.01


def not_worse(counts: Counts, _state: State) -> Bools:
    """``not_worse_than: champion``, margin one point, at 95 %: only the latest champion counts."""
    return paired_z(counts, 1, MARGIN) <= 0.05


def not_worse_than_anchor(counts: Counts, state: State) -> Bools:
    """The same, and ``not_worse_than: anchor`` with the same margin."""
    return np.asarray(not_worse(counts, state) & (paired_z(counts, 0, MARGIN) <= 0.05))


def anchor_with_budget(counts: Counts, state: State) -> Bools:
    """Both gates, the anchor's judged at the level that a budget of 5 % leaves."""
    levels = np.array([next_level(0.05, state.test, past) for past in state.promotions])
    kept = paired_z(counts, 0, MARGIN) <= np.minimum(levels, 0.05)
    return np.asarray(not_worse(counts, state) & kept)


def better_and_anchor(counts: Counts, state: State) -> Bools:
    """``better_than: champion`` and ``not_worse_than: anchor``, with a budget of 5 %."""
    levels = np.array([next_level(0.05, state.test, past) for past in state.promotions])
    level = np.minimum(levels, 0.05)
    return np.asarray((mcnemar_p(counts) <= level) & (paired_z(counts, 0, MARGIN) <= level))


def run(rule: Rule, rows: int) -> Floats:
    """True error of the champion, (retrainings + 1, streams). The anchor is the first champion."""
    rng = np.random.default_rng(SEED)
    state = start(STREAMS, rows, rng)
    anchor = champion = np.full(STREAMS, ERROR)
    errors = [champion]
    for _ in range(RETRAININGS):
        challenger = np.minimum(champion + STEP, 0.9)
        counts = draw(rng, rows, anchor, champion, challenger)
        promoted = rule(counts, state)
        remember(state, counts, promoted)
        champion = np.where(promoted, challenger, champion)
        errors.append(champion)
    return np.array(errors)


def row(name: str, rule: Rule, rows: int) -> tuple[list[str], Floats]:
    errors = run(rule, rows)
    last = errors[-1]
    beyond = float((last > ERROR + MARGIN + 1e-9).mean())
    cells = [name, f"{rows:,}", f"{last.mean():.2%}", f"{last.max():.2%}", f"{beyond:.1%}"]
    return cells, np.asarray(errors.mean(axis=1))


def main() -> None:
    rules = rules_of_comparison(ROWS, RETRAININGS)
    chosen: dict[str, tuple[Rule, int]] = {name: (rule, ROWS) for name, rule in rules.items()}
    for rows in (ROWS, 20_000):
        suffix = "" if rows == ROWS else f", {rows:,} rows"
        chosen |= {
            f"not worse than champion{suffix}": (not_worse, rows),
            f"… and than the anchor{suffix}": (not_worse_than_anchor, rows),
            f"… and than the anchor, budget 5 %{suffix}": (anchor_with_budget, rows),
            f"better, and anchor, budget 5 %{suffix}": (better_and_anchor, rows),
        }
    cells, lines = [], {}
    for name, (rule, rows) in chosen.items():
        found, mean = row(name, rule, rows)
        cells.append(found)
        lines[name] = mean
    header = ["gates", "rows", "final error", "worst stream", "streams beyond the margin"]
    text = (
        f"{STREAMS:,} streams of {RETRAININGS} retrainings; each challenger is worse than the "
        f"champion it meets by {STEP * 100:.1f} points of error ({ERROR:.0%} at first). The margin of "
        f"the last eight is {MARGIN * 100:.0f} point; the anchor is the first champion. Where every "
        f"step is taken the error ends at {ERROR + STEP * RETRAININGS:.0%}."
    )
    shown = [
        *("bare rule, same rows", "1 % tolerance", "z test a retraining, 5 %"),
        *("Incumbent, 95 %", "not worse than champion, 20,000 rows"),
        *("… and than the anchor, 20,000 rows", "… and than the anchor, budget 5 %, 20,000 rows"),
    ]
    report.line_plot(
        "slow_decay",
        "True error of the champion while every challenger is worse",
        ("retrainings", "error, mean of streams"),
        {name.replace(", 20,000 rows", " (20k)"): lines[name] for name in shown},
    )
    plot = "![True error over retrainings](slow_decay.svg)"
    report.publish(
        "slow_decay", "Slow decay", "\n\n".join([text, report.table(header, cells), plot])
    )


if __name__ == "__main__":
    main()
