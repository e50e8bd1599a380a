"""Values that were read -> the frozen policy of :mod:`controller.domain.rules`. Nothing can fail here any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from controller.domain.rules import (
    Approval,
    DataSection,
    Deprecate,
    ErrorBudget,
    Expectation,
    Gate,
    Holdout,
    Limits,
    Margin,
    Mode,
    Policy,
    Recipe,
    Reference,
    RegistrySection,
    RollbackCondition,
    RollbackSection,
    RolloutStep,
    Search,
    Served,
    Silenced,
    Slices,
    TrainSection,
    Trigger,
    Unimproving,
    WhenInconclusive,
)
from controller.policy.gates import kind_by_key
from controller.policy.triggers import TRIGGERS
from controller.rulefmt.names import (
    comparison_of,
    condition_name,
    gate_name,
    trigger_kind,
    trigger_name,
)
from controller.rulefmt.sections import Values

Ways = Mapping[str, bool]
"""Directions of the team's own metrics: True where higher is better."""

_DEFAULT_FRACTION = 0.2


def build_policy(v: Values) -> Policy:
    """The policy, with every default filled in."""
    approval = v["approval"]
    asks = approval is not None and approval["when"] == "inconclusive"
    ways = {name: item["higher_is_better"] for name, item in (v["metrics"] or {}).items()}
    inconclusive = v["inconclusive"] or ("approval" if asks else "hold")
    return Policy(
        version=v["version"],
        model=v["model"],
        owner=v["owner"],
        description=v["description"] or "",
        mode=Mode(v["mode"]),
        data=_data(v["data"]),
        train=_train(v["train"], ways),
        triggers=tuple(_trigger(t, ways) for t in v["triggers"] or ()),
        limits=_limits(v["limits"]) if v["limits"] else Limits(),
        metrics=ways,
        promote=tuple(_gate(g, ways) for g in v["promote"] or ()),
        inconclusive=WhenInconclusive(inconclusive),
        error_budget=_error_budget(v["error_budget"]) if v["error_budget"] else None,
        rollout=tuple(_step(s) for s in v["rollout"] or ()),
        approval=_approval(approval) if approval else Approval(),
        rollback=_rollback(v["rollback"], ways) if v["rollback"] else RollbackSection(),
        unimproving=_unimproving(v["unimproving"]) if v["unimproving"] else None,
        deprecate=_deprecate(v["deprecate"]) if v["deprecate"] else None,
        registry=_registry(v["registry"]) if v["registry"] else RegistrySection(),
        notify=v["notify"] or {},
        silenced=tuple(
            Silenced(lint=s["lint"], reason=s["reason"], line=s.line) for s in v["allow"] or ()
        ),
    )


def _data(v: Values) -> DataSection:
    return DataSection(
        source=v["source"],
        target=v["target"],
        time=v["time"],
        key=v["key"],
        label_delay=v["label_delay"],
        features=v["features"],
        expect=_expectations(v),
        holdout=_holdout(v["holdout"], timed=v["time"] is not None),
        poll=v["poll"],
        line=v.line,
        served=_served(v["served"]) if v["served"] else None,
    )


def _served(v: Values) -> Served:
    return Served(
        source=v["source"],
        time=v["time"],
        prediction=v["prediction"],
        version=v["version"],
        line=v.line,
    )


def _expectations(v: Values) -> tuple[Expectation, ...]:
    batch = v["expect_batch"]
    sections = [(None, batch)] if batch else []
    sections += list((v["expect"] or {}).items())
    return tuple(
        Expectation(
            column=column,
            check=check,
            value=_plain(section[check]),
            line=section.at(check).line,
        )
        for column, section in sections
        for check in section.nodes
    )


def _plain(value: Any) -> Any:
    """A value that JSON keeps: a span becomes its seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def _holdout(v: Values | None, *, timed: bool) -> Holdout:
    by: Any = (v["by"] if v else None) or ("time" if timed else "rows")
    if v is None:
        return Holdout(fraction=_DEFAULT_FRACTION, by=by)
    fraction = v["fraction"]
    if fraction is None and v["last"] is None:
        fraction = _DEFAULT_FRACTION
    return Holdout(
        last=v["last"], fraction=fraction, min_rows=v["min_rows"], by=by, group=v["group"]
    )


def _train(v: Values, ways: Ways) -> TrainSection:
    recipes = v["recipes"]
    return TrainSection(
        recipes=tuple(_recipe(r, ways) for r in recipes or [v]),
        window=v["window"],
        seed=v["seed"],
        timeout=v["timeout"],
        retries=v["retries"],
        queue=v["queue"],
        memory=v["memory"],
        line=v.line,
    )


def _recipe(v: Values, ways: Ways) -> Recipe:
    search = v["search"]
    return Recipe(
        name=v.values.get("name") or "default",
        entrypoint=v["entrypoint"],
        command=v["command"],
        params=v["params"] or {},
        search=_search(search, ways) if search else None,
        line=v.line,
    )


def _search(v: Values, ways: Ways) -> Search:
    return Search(
        trials=v["trials"],
        metric=v["metric"],
        space=v["space"],
        higher_is_better=ways.get(v["metric"]),
    )


def _trigger(v: Values, ways: Ways) -> Trigger:
    kind = trigger_kind(v)
    built: Trigger = TRIGGERS[kind].build(
        {"name": trigger_name(v), "line": v.line}, v[kind].values, ways
    )
    return built


def _limits(v: Values) -> Limits:
    return Limits(
        cooldown=v["cooldown"],
        runs_per_day=v["runs_per_day"],
        concurrency=v["concurrency"],
        queue_while_running=v["queue_while_running"],
        line=v.line,
    )


def _margin(amount: tuple[float, bool]) -> Margin:
    return Margin(value=float(amount[0]), relative=amount[1])


def _gate(v: Values, ways: Ways) -> Gate:
    comparison = comparison_of(v)
    kind = kind_by_key(comparison)
    compares = kind.question.paired
    slices = v["slices"]
    return Gate(
        name=gate_name(v),
        metric=v["metric"],
        comparison=kind.comparison,
        reference=Reference(v[comparison]) if compares else None,
        threshold=None if compares else float(v[comparison]),
        margin=_margin(v[kind.margin_key]) if kind.margin_key else Margin(),
        confidence=float(v["confidence"]),
        test=v["test"],
        slices=Slices(by=slices["by"], min_rows=slices["min_rows"]) if slices else None,
        dry_run=v["dry_run"],
        higher_is_better=ways.get(v["metric"]),
        line=v.line,
    )


def _error_budget(v: Values) -> ErrorBudget:
    return ErrorBudget(
        false_promotions=v["false_promotions"],
        holdout_steps=v["holdout_steps"],
        adaptivity=v["adaptivity"],
        line=v.line,
    )


def _step(v: Values) -> RolloutStep:
    return RolloutStep(shadow=v["shadow"], traffic=v["traffic"], soak=v["soak"], line=v.line)


def _approval(v: Values) -> Approval:
    return Approval(
        when=v["when"],
        groups=v["from"] or (),
        count=v["count"],
        expires=v["expires"],
        escalate_after=v["escalate"]["after"] if v["escalate"] else None,
        escalate_to=tuple(v["escalate"]["to"]) if v["escalate"] else (),
        supersede=v["supersede"],
        line=v.line,
    )


def _rollback(v: Values, ways: Ways) -> RollbackSection:
    return RollbackSection(
        when=tuple(_condition(c, ways) for c in v["when"] or ()),
        to=v["to"],
        then=v["then"],
        drill=v["drill"],
        line=v.line,
    )


def _condition(v: Values, ways: Ways) -> RollbackCondition:
    metric = "error_rate" if v.has("error_rate") else v["metric"]
    threshold = v["error_rate"] if v.has("error_rate") else v["above"]
    return RollbackCondition(
        name=condition_name(v),
        metric=metric,
        worse_than=Reference(v["worse_than"]) if v["worse_than"] else None,
        margin=_margin(v["margin"]),
        threshold=None if threshold is None else float(threshold),
        window=v["window"],
        min_samples=v["min_samples"],
        confidence=float(v["confidence"]),
        higher_is_better=ways.get(metric),
        query=v["query"],
        samples=v["samples"],
        every=v["every"],
        line=v.line,
    )


def _unimproving(v: Values) -> Unimproving:
    stretch = v["stretch"]
    base = Unimproving()
    return Unimproving(
        after=v["after"],
        smallest_useful=v["smallest_useful"],
        stretch_factor=float(stretch["factor"]) if stretch else base.stretch_factor,
        stretch_up_to=stretch["up_to"] if stretch else base.stretch_up_to,
        line=v.line,
    )


def _deprecate(v: Values) -> Deprecate:
    base = Deprecate()
    unless = base.unless if v["unless"] is None else v["unless"]
    return Deprecate(keep=v["keep"], after=v["after"], unless=unless, line=v.line)


def _registry(v: Values) -> RegistrySection:
    return RegistrySection(moved_elsewhere=v["moved_elsewhere"], line=v.at("moved_elsewhere").line)
