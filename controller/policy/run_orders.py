"""The orders that a decision gives to workers: complete, so that a worker never needs the policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.decay import MetricWatch
from controller.domain.decisions import StartRun
from controller.domain.rules import Gate, Recipe, Reference, WhenInconclusive
from controller.domain.runs import Cause, RunKind, RunSpec, run_id
from controller.domain.versions import VersionView
from controller.policy.context import DecisionContext
from controller.policy.gates import kind_of
from controller.policy.triggers import DecayTrigger, DriftTrigger


def recipe_in_turn(context: DecisionContext) -> Recipe:
    """The recipe whose turn it is; after the last one comes the first again."""
    recipes = context.policy.train.recipes
    return recipes[context.snapshot.recipe_index % len(recipes)]


def order_training(context: DecisionContext, causes: tuple[Cause, ...]) -> StartRun:
    """Train a challenger on all data that the snapshot knows of."""
    recipe = recipe_in_turn(context)
    common = _order(context, RunKind.TRAIN, recipe)
    retries = context.policy.train.retries
    return _numbered(context, replace(common, search=recipe.search, retries=retries, causes=causes))


def order_evaluation(
    context: DecisionContext,
    challenger: int,
    recipe_name: str,
    cause: Cause,
    *,
    since: datetime | None = None,
) -> StartRun:
    """Score a challenger, the champion and the anchor on the same holdout rows of the newest data.

    ``since`` keeps the beginning of an earlier holdout, so that the next look sees the same rows and more.
    """
    anchor = anchor_of(context)
    spec = replace(
        _order(context, RunKind.EVALUATE, context.policy.recipe(recipe_name)),
        causes=(cause,),
        version=challenger,
        champion=context.champion.number if context.champion else None,
        anchor=anchor.number if anchor else None,
        gates=_gates(context),
        details={"holdout_since": since} if since is not None else {},
    )
    return _numbered(context, spec)


def order_verification(context: DecisionContext, version: VersionView, cause: Cause) -> StartRun:
    """Load a version in a fresh process and let it answer for stored rows, before it may take the seat back."""
    common = _order(context, RunKind.VERIFY, context.policy.recipe(version.recipe))
    return _numbered(context, replace(common, causes=(cause,), version=version.number))


def order_profile(context: DecisionContext, after: int, cause: Cause) -> StartRun:
    """Profile the batches after number ``after``, hold them against what is expected and against the reference."""
    reference = context.champion.data_through if context.champion else 0
    named = {t.reference for t in context.policy.triggers if isinstance(t, DriftTrigger)}
    details: dict[str, Any] = {"after": after, "reference_through": reference}
    if others := sorted(named - {"training"}):
        details["references"] = others
    common = _order(context, RunKind.PROFILE, Recipe(name=""))
    return _numbered(context, replace(common, causes=(cause,), details=details))


def order_decay(context: DecisionContext, champion: VersionView, cause: Cause) -> StartRun:
    """Ask the champion about the rows since it was judged whose labels have come, and hold it against its record."""
    judged = champion.evaluation
    holdout = judged.holdout if judged else None
    anchor = anchor_of(context)
    earlier = next(
        (r.version for r in context.snapshot.history if r.version != champion.number), None
    )
    details = {
        "watches": to_plain(watches(context)),
        "predictions": judged.predictions if judged else None,
        "since": (holdout.end if holdout else None) or champion.promoted_at or champion.created_at,
        "previous": earlier,
        "served_through": context.snapshot.served.through,
    }
    spec = replace(
        _order(context, RunKind.DECAY, context.policy.recipe(champion.recipe)),
        causes=(cause,),
        version=champion.number,
        anchor=anchor.number if anchor else None,
        gates=context.policy.promote,
        details=details,
    )
    return _numbered(context, spec)


def watches(context: DecisionContext) -> tuple[MetricWatch, ...]:
    """What the policy wants to know of its champion: its ``decay`` triggers, then the conditions of ``rollback``."""
    asked = [
        MetricWatch(
            name=trigger.name,
            asked_by="trigger",
            metric=trigger.metric,
            worse_than=trigger.worse_than.value,
            margin=trigger.margin.value,
            relative=trigger.margin.relative,
            window=trigger.window.total_seconds(),
            min_labels=trigger.min_labels,
            higher_is_better=trigger.higher_is_better,
            test=trigger.test,
        )
        for trigger in context.policy.triggers
        if isinstance(trigger, DecayTrigger)
    ]
    asked += [
        MetricWatch(
            name=condition.name,
            asked_by="rollback",
            metric=condition.metric,
            worse_than=condition.worse_than.value,
            margin=condition.margin.value,
            relative=condition.margin.relative,
            window=condition.window.total_seconds(),
            min_labels=condition.min_samples,
            confidence=condition.confidence,
            higher_is_better=condition.higher_is_better,
        )
        for condition in context.policy.rollback.when
        if condition.worse_than is not None
    ]
    return tuple(asked)


def order_skew(
    context: DecisionContext, champion: VersionView, after: int, cause: Cause
) -> StartRun:
    """Hold the serving log's batches after number ``after`` against the champion's training rows, and row by row."""
    details = {
        "after": after,
        "served_through": context.snapshot.served.through,
        "reference_through": champion.data_through,
    }
    common = _order(context, RunKind.SKEW, Recipe(name=""))
    return _numbered(
        context, replace(common, causes=(cause,), version=champion.number, details=details)
    )


def _order(context: DecisionContext, kind: RunKind, recipe: Recipe) -> RunSpec:
    """What all orders have in common. Only a training may be told to run once: the others harm nobody twice."""
    train = context.policy.train
    return RunSpec(
        kind=kind,
        model=context.snapshot.model,
        data=context.policy.data,
        data_through=context.snapshot.data.through,
        seed=train.seed,
        recipe=recipe.name,
        entrypoint=recipe.entrypoint,
        command=recipe.command,
        params=recipe.params,
        window=train.window,
        timeout=train.timeout,
        memory=train.memory,
        retries=max(train.retries, 1),
        queue=train.queue,
    )


def _gates(context: DecisionContext) -> tuple[Gate, ...]:
    """Whoever may look again must begin with a test that is valid at every look, not with a fixed one."""
    if context.policy.inconclusive is not WhenInconclusive.WAIT:
        return context.policy.promote
    return tuple(
        replace(gate, test="confidence_sequence")
        if gate.test == "auto" and gate.reference is not None
        else gate
        for gate in context.policy.promote
    )


def anchor_of(context: DecisionContext) -> VersionView | None:
    """The best proven champion: the newest one that took the seat by a passed "better than the champion".

    A champion that was only shown to be no worse does not become the anchor, so a chain of small losses is
    always held against the same version. Without any such promotion it is the oldest champion still known.
    """
    known = (context.snapshot.version(reign.version) for reign in context.snapshot.history)
    seated = [view for view in known if view is not None]
    proven = (view for view in seated if _won(context, view))
    return next(proven, seated[-1] if seated else None)


def _won(context: DecisionContext, view: VersionView) -> bool:
    if view.evaluation is None and not view.passes:
        return False
    superior = [
        gate
        for gate in context.policy.promote
        if kind_of(gate).improves and gate.reference is Reference.CHAMPION
    ]
    for gate in superior:
        p_pass = view.passes.get(gate.name)
        if view.evaluation is not None:
            evidence = view.evaluation.for_gate(gate.name)
            p_pass = evidence.p_pass if evidence is not None else None
        if p_pass is None or p_pass > round(1.0 - gate.confidence, 12):
            return False
    return bool(superior)


def _numbered(context: DecisionContext, spec: RunSpec) -> StartRun:
    number = context.snapshot.next_run
    return StartRun(run=run_id(context.snapshot.model, number), number=number, spec=spec)
