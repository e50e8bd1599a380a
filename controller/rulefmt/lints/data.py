"""Lints of data and holdout: what a gate is judged on must be there, be enough, and be unseen."""

from __future__ import annotations

from collections.abc import Iterator

from controller.domain.durations import format_duration
from controller.domain.metrics import find_metric
from controller.domain.rules import Gate, Policy
from controller.policy.planning import difference_seen, paired_rows_needed
from controller.rulefmt.lints.shape import Hit, Lint

RELATIVE_SPREAD = 0.5
"""Assumed spread of paired differences of a mean of losses, as a share of the metric. `plan` knows the real one."""
ABSOLUTE_SPREAD = 0.3
"""Assumed spread of paired differences of a share between 0 and 1 (accuracy, error rate)."""


def _overlap(policy: Policy) -> Iterator[Hit]:
    holdout, window, line = policy.data.holdout, policy.train.window, policy.data.line
    if holdout.last and window and window <= holdout.last:
        message = (
            f"the training window of {format_duration(window)} lies inside of the holdout's last "
            f"{format_duration(holdout.last)}"
        )
        yield Hit(policy.train.line, message, "make `train.window` longer than `data.holdout.last`")
    if policy.data.time and holdout.by == "rows":
        message = "the holdout is cut by rows although `data.time` says when they happened"
        yield Hit(line, message, "use `by: time`")
    for recipe in policy.train.recipes:
        if policy.data.source in {str(value) for value in recipe.params.values()}:
            message = (
                f"recipe `{recipe.name}` gets `data.source` as a parameter and can read the holdout"
            )
            yield Hit(recipe.line, message, "use the data that the run gives")


def _too_small(policy: Policy) -> Iterator[Hit]:
    rows = policy.data.holdout.min_rows
    for gate in policy.promote:
        spread = _assumed_spread(gate)
        if spread is None or gate.dry_run:
            continue
        needed = paired_rows_needed(spread, gate.margin.value, confidence=gate.confidence)
        if needed <= rows:
            continue
        seen = difference_seen(spread, rows, confidence=gate.confidence)
        message = (
            f"gate `{gate.name}` needs about {needed:,} rows to see {_amount(gate, gate.margin.value)}, "
            f"the holdout has at least {rows:,} and sees {_amount(gate, seen)}"
        )
        hint = f"set `data.holdout.min_rows: {needed}` or widen the margin"
        yield Hit(gate.line, message, hint)


def _assumed_spread(gate: Gate) -> float | None:
    metric = find_metric(gate.metric)
    if metric is None or metric.operational or gate.reference is None or not gate.margin.value:
        return None
    if gate.margin.relative:
        return RELATIVE_SPREAD
    share = metric.lower_bound == 0 and metric.upper_bound == 1
    return ABSOLUTE_SPREAD if share else None


def _amount(gate: Gate, value: float) -> str:
    return f"{value * 100:.3g} %" if gate.margin.relative else f"{value:.3g}"


def _slice_unreachable(policy: Policy) -> Iterator[Hit]:
    rows = policy.data.holdout.min_rows
    for gate in policy.promote:
        if gate.slices is None or 2 * gate.slices.min_rows <= rows:
            continue
        message = (
            f"gate `{gate.name}` wants {gate.slices.min_rows:,} rows a slice by "
            f"{' and '.join(gate.slices.by)}, and the holdout may have only {rows:,} in all"
        )
        hint = f"set `data.holdout.min_rows` to several times {gate.slices.min_rows:,}"
        yield Hit(gate.line, message, hint)


def _no_owner(policy: Policy) -> Iterator[Hit]:
    if not policy.owner:
        yield Hit(1, f"nobody owns `{policy.model}`", "add `owner: TEAM`")


DATA_LINTS = (
    Lint(
        name="holdout-in-training",
        severity="danger",
        stops="A model that was trained on its holdout passes every gate, and fails in production.",
        look=_overlap,
    ),
    Lint(
        name="holdout-too-small",
        severity="advice",
        stops="With too few rows a real improvement stays inconclusive and trainings are wasted.",
        look=_too_small,
    ),
    Lint(
        name="slice-unreachable",
        severity="danger",
        stops="A slice without enough rows is not judged, and a gate without a judged slice never passes.",
        look=_slice_unreachable,
    ),
    Lint(
        name="no-owner",
        severity="advice",
        stops="When the model is held at night, nobody knows whom to ask.",
        look=_no_owner,
    ),
)
