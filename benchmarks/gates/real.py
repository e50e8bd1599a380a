"""What each rule promotes on real data: flights of 2013, weekly CO2 at Mauna Loa, handwritten digits.

Each set is played in its own order: a challenger trains on everything before the newest part and is held against the
champion on that part. A promotion was right if the new champion is also the better one of the two on all later parts,
which no rule may look at. The flights are read from the demonstration's record (run `make demo` first; left out
otherwise); CO2 ships with statsmodels (weekly, 1958 to 2001), the digits with scikit-learn (1,797 images).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.gates.report import publish, table
from controller.domain.evidence import GateEvidence
from controller.domain.rules import Comparison
from controller.evidence.compare import Options, Question, compare_models
from controller.policy.wealth import next_level

Array = npt.NDArray[Any]
PARTS = 14


@dataclass(frozen=True)
class Case:
    """A data set in its order: features, labels, its metric, and how to fit."""

    name: str
    x: Array
    y: Array
    metric: str
    fit: Callable[[Array, Array, int], Any]
    block: int | None = None
    """Rows that depend on each other, in a row; None: none do."""


def co2() -> Case:
    """A week's CO2 from the 52 weeks before it: an autoregression."""
    import statsmodels.api as sm
    from sklearn.linear_model import Ridge

    series = sm.datasets.co2.load_pandas().data["co2"].interpolate().to_numpy(dtype=float)
    lags = np.lib.stride_tricks.sliding_window_view(series, 53)
    change = lags[:, -1] - lags[:, -2]

    def fit(x: Array, y: Array, seed: int) -> Any:
        return Ridge(alpha=10.0 ** (seed % 4 - 1)).fit(x, y)

    return Case("CO2, weekly", lags[:, :-1] - lags[:, -2:-1], change, "mae", fit, block=4)


def digits() -> Case:
    """A digit from its image, in the order in which the set holds them (writers come in blocks)."""
    from sklearn.datasets import load_digits
    from sklearn.tree import DecisionTreeClassifier

    found = load_digits()

    def fit(x: Array, y: Array, seed: int) -> Any:
        return DecisionTreeClassifier(max_depth=12, random_state=seed).fit(x, y)

    return Case("digits", found.data, found.target, "accuracy", fit)


@dataclass
class Rule:
    """Decides from the evidence; ``promoted`` keeps at which tests it did."""

    name: str
    decide: Callable[[GateEvidence, Rule], bool]
    tests: int = 0
    promoted: tuple[int, ...] = ()

    def __call__(self, evidence: GateEvidence) -> bool:
        won = self.decide(evidence, self)
        if won:
            self.promoted = (*self.promoted, self.tests)
        self.tests += 1
        return won


def _tolerance(share: float) -> Callable[[GateEvidence, Rule], bool]:
    def decide(evidence: GateEvidence, rule: Rule) -> bool:
        del rule
        sign = 1.0 if evidence.metric == "mae" else -1.0
        worse = sign * (evidence.difference or 0.0)
        return worse < share * abs(evidence.reference or 0.0) if share else worse < 0

    return decide


def _tested(evidence: GateEvidence, rule: Rule) -> bool:
    del rule
    return evidence.p_pass is not None and evidence.p_pass <= 0.05


def _budgeted(evidence: GateEvidence, rule: Rule) -> bool:
    level = min(0.05, next_level(0.05, rule.tests, rule.promoted))
    return evidence.p_pass is not None and evidence.p_pass <= level


def rules() -> list[Rule]:
    """The bare rule, a tolerance, and ours with and without a budget."""
    return [
        Rule("bare numbers", _tolerance(0.0)),
        Rule("1 % tolerance", _tolerance(0.01)),
        Rule("ours, 95 %", _tested),
        Rule("ours, budget 5 %", _budgeted),
    ]


def play(case: Case, rule: Rule) -> tuple[int, int, int, float]:
    """Promotions, how many were right, how many challengers there were, and the champion's mean later loss."""
    edges = np.linspace(0, len(case.y), PARTS + 1).astype(int)
    champion = case.fit(case.x[: edges[2]], case.y[: edges[2]], 0)
    right, losses = 0, []
    for part in range(3, PARTS):
        now = slice(edges[part - 1], edges[part])
        later = slice(edges[part], None)
        challenger = case.fit(case.x[: now.start], case.y[: now.start], part)
        if rule(_evidence(case, now, challenger, champion)):
            right += _loss(case, later, challenger) <= _loss(case, later, champion)
            champion = challenger
        losses.append(_loss(case, slice(edges[part], edges[part + 1]), champion))
    return len(rule.promoted), right, PARTS - 3, float(np.mean(losses))


def _evidence(case: Case, rows: slice, challenger: Any, champion: Any) -> GateEvidence:
    x, y = case.x[rows], case.y[rows]
    blocks = None if case.block is None else np.arange(len(y)) // case.block
    question = Question(metric=case.metric, comparison=Comparison.BETTER_THAN)
    options = Options(blocks=blocks, seed=2013)
    return compare_models(y, challenger.predict(x), champion.predict(x), question, options)


def _loss(case: Case, rows: slice, model: Any) -> float:
    predicted, y = model.predict(case.x[rows]), case.y[rows]
    wrong = np.abs(predicted - y) if case.metric == "mae" else predicted != y
    return float(np.mean(wrong))


def flights() -> Sequence[Sequence[str]]:
    """The demonstration's record: its evidence judged by each rule, along the champions that it really had."""
    home = Path(".incumbent/demo/incumbent.db")
    if not home.is_file():
        print(
            "no .incumbent/demo: run `make demo` first to have the flights in the table",
            file=sys.stderr,
        )
        return []
    found = [e for e in _recorded(home) if e is not None]
    rows = []
    for rule in rules():
        promoted = sum(rule(evidence) for evidence in found)
        rows.append(["flights of 2013", rule.name, f"{promoted} of {len(found)}", "-", "-"])
    return rows


def _recorded(home: Path) -> list[GateEvidence | None]:
    from controller.adapters.clock import SystemClock
    from controller.adapters.sql.store import SqlStore

    store = SqlStore(f"sqlite:///{home.resolve()}", SystemClock())
    try:
        with store.read() as tx:
            evaluations: Mapping[int, Any] = tx.registry.evaluations("flight-delay")
    finally:
        store.close()
    return [evaluations[number].for_gate("better") for number in sorted(evaluations)]


def main() -> int:
    """Runs all and publishes one table."""
    rows = list(flights())
    for case in (co2(), digits()):
        for rule in rules():
            promoted, right, tests, loss = play(case, rule)
            judged = f"{right} of {promoted}" if promoted else "-"
            rows.append([case.name, rule.name, f"{promoted} of {tests}", judged, f"{loss:.4f}"])
    header = ["data", "rule", "promoted", "of these right later", "champion's later loss"]
    publish("real", "Real data", table(header, rows) + "\n\n" + NOTE)
    return 0


NOTE = """\
Right later: the new champion is no worse than the old one on all rows that came after. The loss is the mean absolute
error (CO2, ppm a week) or the share of wrong digits on the part after each decision. The flights' rows judge the
recorded evidence of the demonstration, whose champions were those that its own policy seated."""

if __name__ == "__main__":
    sys.exit(main())
