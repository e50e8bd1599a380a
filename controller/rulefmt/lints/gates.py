"""Lints of the gates: what promotes too easily, never, or ever a little worse."""

from __future__ import annotations

from collections.abc import Iterator

from controller.domain.metrics import METRICS, Metric, find_metric, metric_names
from controller.domain.rules import Gate, Policy, Reference
from controller.policy.gates import KINDS, kind_of
from controller.policy.gates.base import GateKind
from controller.policy.triggers import DecayTrigger
from controller.rulefmt.lints.shape import Hit, Lint, lower_is_better
from controller.rulefmt.problems import did_you_mean


def _no_gate(policy: Policy) -> Iterator[Hit]:
    counting = [gate for gate in policy.promote if not gate.dry_run]
    if policy.promote and not counting:
        yield Hit(
            policy.promote[0].line, "every gate is a dry run, so none can promote or stop anything"
        )
    elif not counting:
        hint = "for example `promote: [{metric: mae, better_than: champion}]`"
        yield Hit(1, "the policy has no promotion gate", hint)


def _unknown_metric(policy: Policy) -> Iterator[Hit]:
    """A metric of the team's own is welcome; one that looks misspelt, or whose direction is needed, is not."""
    for gate in policy.promote:
        if _knows(policy, gate.metric):
            continue
        meant = did_you_mean(gate.metric, [*metric_names(), *policy.metrics])
        if not meant and gate.reference is None:
            continue
        hint = (
            meant
            or f"say which way it is better: `metrics: {{{gate.metric}: {{higher_is_better: true}}}}`"
        )
        yield Hit(gate.line, f"nobody knows the metric `{gate.metric}` of gate `{gate.name}`", hint)


def _missing_metric_passes(policy: Policy) -> Iterator[Hit]:
    guards = [(c.name, c.metric, c.line) for c in policy.rollback.when]
    guards += [(t.name, t.metric, t.line) for t in policy.triggers if isinstance(t, DecayTrigger)]
    for name, metric, line in guards:
        if not _knows(policy, metric):
            meant = did_you_mean(metric, [*metric_names(), *policy.metrics])
            hint = meant or "declare it under `metrics` once something reports it"
            message = f"`{name}` stays quiet for ever if nothing reports the metric `{metric}`"
            yield Hit(line, message, hint)


def _unwatched_rollout(policy: Policy) -> Iterator[Hit]:
    if policy.rollout and not policy.rollback.when:
        yield Hit(
            policy.rollout[0].line,
            "nothing is watched during the rollout",
            "for example `rollback: {when: [{error_rate: 1%}]}`",
        )


def _adopted_past_people(policy: Policy) -> Iterator[Hit]:
    if policy.registry.moved_elsewhere == "adopt" and policy.approval.when == "always":
        yield Hit(
            policy.registry.line,
            "`moved_elsewhere: adopt` promotes a version without the approval that `approval.when: always` asks for",
            "write `moved_elsewhere: hold` or `restore`",
        )


def _wrong_direction(policy: Policy) -> Iterator[Hit]:
    for name, higher in policy.metrics.items():
        known = METRICS.get(name)
        if known is not None and known.lower_is_better is higher:
            better = "lower" if known.lower_is_better else "higher"
            message = (
                f"`metrics.{name}` says the opposite of what everybody means: {better} is better"
            )
            yield Hit(1, message, "give a metric of your own another name")
    for gate in policy.promote:
        lower, kind = lower_is_better(policy, gate.metric), kind_of(gate)
        wrong = -1.0 if lower else 1.0
        if lower is None or gate.threshold is None or kind.question.sign != wrong:
            continue
        better, asked = ("lower" if lower else "higher"), kind.need(gate)
        message = f"gate `{gate.name}` asks for {gate.metric} {asked}, and {better} is better"
        yield Hit(gate.line, message, f"write `{_turned(kind)}: {gate.threshold:g}`")
    for condition in policy.rollback.when:
        above = condition.threshold is not None
        if above and lower_is_better(policy, condition.metric) is False:
            message = f"`{condition.name}` rolls back when {condition.metric} is high, and higher is better"
            yield Hit(condition.line, message)


def _turned(kind: GateKind) -> str:
    """The key of the first kind that bounds the other side."""
    return next(
        k.key for k in KINDS if not k.question.paired and k.question.sign == -kind.question.sign
    )


def _cannot_fail(policy: Policy) -> Iterator[Hit]:
    for gate in policy.promote:
        why = kind_of(gate).never_fails(gate, _bounded(policy, gate.metric))
        if why:
            yield Hit(gate.line, f"gate `{gate.name}` cannot fail: {why}", "tighten or delete it")


def _cannot_pass(policy: Policy) -> Iterator[Hit]:
    for gate in policy.promote:
        why = kind_of(gate).never_passes(gate, _bounded(policy, gate.metric))
        if why and not gate.dry_run:
            yield Hit(gate.line, f"gate `{gate.name}` cannot pass: {why}", "loosen or delete it")
    yield from _contradictions(policy)


def _contradictions(policy: Policy) -> Iterator[Hit]:
    counting = [g for g in policy.promote if not g.dry_run and g.threshold is not None]
    for floor in (g for g in counting if kind_of(g).question.sign < 0):
        for ceiling in (g for g in counting if kind_of(g).question.sign > 0):
            both = floor.metric == ceiling.metric
            if both and (floor.threshold or 0.0) > (ceiling.threshold or 0.0):
                message = f"nothing passes both gate `{floor.name}` and gate `{ceiling.name}`"
                yield Hit(max(floor.line, ceiling.line), message)


def _unanchored(policy: Policy) -> Iterator[Hit]:
    """A margin against the latest champion may be used up at every promotion; something must end that."""
    counting = [g for g in policy.promote if not g.dry_run]
    for gate in counting:
        slides = (
            kind_of(gate).question.margin_sign < 0
            and gate.reference in {Reference.CHAMPION, Reference.PREVIOUS}
            and gate.margin.value > 0
        )
        if not slides or any(_bounds(other, gate) for other in counting):
            continue
        size = f"{gate.margin.value:.3g}"
        if gate.margin.relative:
            size = f"{gate.margin.value * 100:.3g}%"
        message = (
            f"gate `{gate.name}` lets every champion be {size} worse than the last, without end"
        )
        hint = f"add `{{metric: {gate.metric}, not_worse_than: anchor, margin: {size}}}`"
        yield Hit(gate.line, message, hint)


def _bounds(other: Gate, gate: Gate) -> bool:
    if other is gate or other.metric != gate.metric:
        return False
    improves = kind_of(other).improves and other.reference is Reference.CHAMPION
    anchored = other.reference in {Reference.ANCHOR, Reference.BASELINE}
    return improves or anchored or other.threshold is not None


def _unbudgeted_anchor(policy: Policy) -> Iterator[Hit]:
    """Looked at after every retraining at 95 %, an anchor is passed by luck sooner or later."""
    if policy.error_budget is not None:
        return
    for gate in policy.promote:
        if gate.reference is Reference.ANCHOR and not gate.dry_run:
            message = f"gate `{gate.name}` is judged at {gate.confidence:.4g} again and again"
            yield Hit(gate.line, message, "add `error_budget: {false_promotions: 5%}`")


def _bare_comparison(policy: Policy) -> Iterator[Hit]:
    for gate in policy.promote:
        if gate.test == "point" and kind_of(gate).improves and not gate.dry_run:
            message = f"gate `{gate.name}` compares bare numbers"
            yield Hit(gate.line, message, "delete `test: point`")


def _knows(policy: Policy, metric: str) -> bool:
    return metric in policy.metrics or find_metric(metric) is not None


def _bounded(policy: Policy, name: str) -> Metric | None:
    return None if name in policy.metrics else find_metric(name)


GATE_LINTS = (
    Lint(
        name="no-gate",
        severity="danger",
        stops="Without a gate nothing can be shown to be better, so no challenger is ever promoted.",
        look=_no_gate,
    ),
    Lint(
        name="unknown-metric",
        severity="danger",
        stops="A gate on a misspelt metric never gets evidence, and every challenger is rejected by it.",
        look=_unknown_metric,
    ),
    Lint(
        name="missing-metric-passes",
        severity="danger",
        stops="A guard whose metric is never reported looks healthy while nobody watches.",
        look=_missing_metric_passes,
    ),
    Lint(
        name="wrong-direction",
        severity="danger",
        stops="A bound on the wrong side keeps good models out and lets bad ones in.",
        look=_wrong_direction,
    ),
    Lint(
        name="gate-cannot-fail",
        severity="danger",
        stops="A gate that everything passes protects nothing and looks as if it did.",
        look=_cannot_fail,
    ),
    Lint(
        name="gate-cannot-pass",
        severity="danger",
        stops="A gate that nothing passes freezes the champion while trainings cost money.",
        look=_cannot_pass,
    ),
    Lint(
        name="unanchored-margin",
        severity="danger",
        stops="A margin against the latest champion adds up: many small losses, each allowed, become a large one.",
        look=_unanchored,
    ),
    Lint(
        name="anchor-without-budget",
        severity="advice",
        stops="Each retraining is one more chance to pass the anchor by luck: in 200 of them 95 streams in 100 "
        "sank below its margin at 95 %, and none where an error budget sets the level (benchmarks/gates).",
        look=_unbudgeted_anchor,
    ),
    Lint(
        name="rollout-without-watch",
        severity="advice",
        stops="A stage of a rollout ends early only where a condition of `rollback.when` is shown to hold; without "
        "one it is a delay and proves nothing.",
        look=_unwatched_rollout,
    ),
    Lint(
        name="adopt-without-approval",
        severity="danger",
        stops="Whoever may write to the team's registry sets a champion that nobody of `approval.from` agreed to.",
        look=_adopted_past_people,
    ),
    Lint(
        name="bare-comparison",
        severity="danger",
        stops="An identical model wins every second comparison of bare numbers: luck replaces the champion.",
        look=_bare_comparison,
    ),
)
