"""1,000 streams of 200 retrainings in which no challenger is better: who is promoted all the same?"""

from __future__ import annotations

import numpy as np

from benchmarks.gates import report
from benchmarks.gates.world import (
    ERROR,
    Bools,
    Counts,
    Floats,
    Rule,
    draw,
    mcnemar_p,
    remember,
    rules_of_comparison,
    start,
)
from controller.domain.rules import Comparison
from controller.evidence.compare import Options, Question, compare_models

STREAMS, RETRAININGS, ROWS, SEED = 1000, 200, 2000, 20
WORSE = 0.01
"""In the third world a challenger is up to this much worse than the first champion."""


def run(rule: Rule, world: str) -> tuple[Bools, Floats]:
    """Promotions, (retrainings, streams), and the true error of the champion after each."""
    rng = np.random.default_rng(SEED)
    state = start(STREAMS, ROWS, rng)
    champion = np.full(STREAMS, ERROR)
    promotions, errors = [], []
    for _ in range(RETRAININGS):
        extra = rng.uniform(0.0, WORSE, STREAMS) if world == "worse" else 0.0
        challenger = np.full(STREAMS, ERROR) + extra
        counts = draw(rng, ROWS, champion, champion, challenger, same=world == "identical")
        promoted = rule(counts, state)
        remember(state, counts, promoted)
        champion = np.where(promoted, challenger, champion)
        promotions.append(promoted)
        errors.append(champion)
    return np.array(promotions), np.array(errors)


def check_against_raw_rows() -> float:
    """The largest difference between the p-values used here and those of `compare` on raw rows."""
    rng = np.random.default_rng(SEED)
    errors = np.full(20, ERROR)
    counts = draw(rng, ROWS, errors, errors, errors)
    found = []
    for p, table in zip(mcnemar_p(counts), counts.table, strict=True):
        rows = np.repeat(np.array(list(np.ndindex(2, 2, 2))), table.reshape(-1), axis=0)
        truth = np.arange(len(rows)) % 2
        evidence = compare_models(
            truth,
            truth ^ rows[:, 2],
            truth ^ rows[:, 1],
            Question(metric="error_rate", comparison=Comparison.BETTER_THAN),
            Options(),
        )
        found.append(abs(float(p) - (evidence.p_pass or 0.0)))
    return max(found)


def disagreement(counts: Counts) -> float:
    b, c = counts.discordant(1)
    return float(np.mean(b + c) / counts.rows)


def main() -> None:
    body, lines = [], {}
    titles = {
        "identical": "The challenger is a copy of the champion",
        "equal": "The challenger is another model, exactly as good",
        "worse": "Every challenger is 0 to 1 point worse than the first champion",
    }
    for world, title in titles.items():
        rows = []
        for name, rule in rules_of_comparison(ROWS, RETRAININGS).items():
            promotions, errors = run(rule, world)
            total = promotions.sum(axis=0)
            rows.append(
                [
                    name,
                    f"{total.mean():.2f}",
                    f"{(total > 0).mean():.1%}",
                    f"{errors[-1].mean():.2%}",
                    f"{errors[-1].max():.2%}",
                ]
            )
            if world == "equal":
                lines[name] = np.cumsum(promotions, axis=0).mean(axis=1)
        header = ["rule", "promotions a stream", "streams with any", "final error", "worst stream"]
        body.append(f"### {title}\n\n{report.table(header, rows)}")
    rng = np.random.default_rng(SEED)
    same = np.full(200, ERROR)
    text = (
        f"{STREAMS:,} streams of {RETRAININGS} retrainings, a fresh holdout of {ROWS:,} labelled rows "
        f"each; the first champion errs on {ERROR:.0%}, two models disagree on "
        f"{disagreement(draw(rng, ROWS, same, same, same)):.1%} of the rows. Every promotion is a "
        "false one. Simulated by the counts that the rules read, which are multinomial: the "
        "distribution is that of row by row simulation. Against `compare()` on 20 raw holdouts the "
        f"largest difference of a p-value is {check_against_raw_rows():.1e}.\n\n"
        "ease.ml/ci: condition `n - o > 0 +/- eps`, fp-free, reliability 0.95 over the "
        "200 steps; eps is what 2,000 rows can promise. A budget of 5 % bounds the expected share of "
        "false promotions; where none is right that is the share of streams with any."
    )
    report.line_plot(
        "false_promotions",
        "False promotions of equally good challengers",
        ("retrainings", "promotions so far, mean of streams"),
        lines,
    )
    plot = "![False promotions over retrainings](false_promotions.svg)"
    report.publish("false_promotions", "False promotions", "\n\n".join([text, *body, plot]))


if __name__ == "__main__":
    main()
