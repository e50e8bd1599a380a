"""A search for parameters inside one training run: trials on a part of the training rows, ranked on the rest.

The rows that will judge the model are in neither part. Trials are chosen by Optuna's sampler (a tree-structured
Parzen estimator, Bergstra et al. 2011) with the run's seed, so that the same order gives the same parameters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from controller.domain.canonical import to_plain
from controller.domain.metrics import PredictionType, find_metric, is_lower_better
from controller.domain.rules import DataSection, Search
from controller.evidence.inputs import Unusable
from controller.evidence.scores import score
from workers.contract import EventPipe, to_form
from workers.failure import Failure, described
from workers.snapshot import Split

_VALIDATION = 0.2
_LEAST_ROWS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """What a trial trained: the metrics that it reported, and the model if it is an object with ``predict``."""

    metrics: Mapping[str, float]
    model: Any = None
    form: str = "pandas"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The training rows, parted: ``fit`` trains a trial, ``validation`` (``rows``) ranks it."""

    fit: Split
    validation: pa.Table


Fit = Callable[[Mapping[str, Any], Parts, int], Fitted]
"""Trains once with these parameters; Failure says why not."""


@dataclass(kw_only=True, slots=True)
class Found:
    """The best trial's ``params``, and all trials for the lineage."""

    params: Mapping[str, Any]
    metric: str
    value: float
    rows: int
    trials: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is searched for, from where, by which seed, over which columns."""

    search: Search
    params: Mapping[str, Any]
    seed: int
    data: DataSection


def search_parameters(order: Order, split: Split, fit: Fit, events: EventPipe) -> Found:
    """Try ``order.search.trials`` parameter sets; Failure if none of them could be ranked."""
    optuna = _optuna()
    search = order.search
    lower = is_lower_better(search.metric, higher_is_better=search.higher_is_better)
    study = optuna.create_study(
        direction="minimize" if lower else "maximize",
        sampler=optuna.samplers.TPESampler(seed=order.seed),
    )
    parts = part_rows(split, order)
    trials: list[dict[str, Any]] = []
    known: dict[str, float | None] = {}
    events.send(phase="searching")
    for number in range(search.trials):
        trial = study.ask(_distributions(search.space))
        params = {**order.params, **trial.params}
        key = json.dumps(to_plain(trial.params), sort_keys=True)
        if key not in known:
            held = _tried(order, parts, fit, params, number)
            trials.append({"params": dict(trial.params), **held})
            known[key] = held.get("value")
            if (value := known[key]) is not None:
                events.send(metric=f"search/{search.metric}", value=value, step=number)
        value = known[key]
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
        events.send(progress=(number + 1) / search.trials)
    ranked = [t for t in trials if t.get("value") is not None]
    if not ranked:
        raise Failure(
            f"none of {search.trials} trials could be ranked; the first: {trials[0]['problem']}"
        )
    best = (min if lower else max)(ranked, key=lambda t: t["value"])
    return Found(
        params={**order.params, **best["params"]},
        metric=search.metric,
        value=best["value"],
        rows=parts.validation.num_rows,
        trials=trials,
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise Failure(
            "`search` needs Optuna where the worker runs: install `incumbent[search]` beside the worker"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distributions(space: Mapping[str, Any]) -> dict[str, Any]:
    """A list is one value of it, a mapping with ``low`` and ``high`` a range; whole if both ends are whole."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    made: dict[str, Any] = {}
    for name, values in space.items():
        if not isinstance(values, Mapping):
            made[name] = CategoricalDistribution(list(values))
            continue
        low, high, log = values["low"], values["high"], bool(values.get("log", False))
        whole = isinstance(low, int) and isinstance(high, int)
        kind = IntDistribution if whole else FloatDistribution
        made[name] = kind(low, high, log=log)
    return made


def part_rows(split: Split, order: Order) -> Parts:
    """The newest fifth by time validates; without a time column a fifth drawn by the seed."""
    table, time = split.training, order.data.time
    rows = table.num_rows
    held = math.ceil(rows * _VALIDATION)
    if held < _LEAST_ROWS or rows - held < _LEAST_ROWS:
        raise Failure(f"{rows} training rows are too few to search on: a fifth of them must rank")
    if time:
        places = pc.sort_indices(table, sort_keys=[(time, "ascending")]).to_numpy()
    else:
        places = np.random.default_rng(order.seed).permutation(rows)
    inner, outer = np.sort(places[: rows - held]), np.sort(places[rows - held :])
    return Parts(
        fit=replace(split, training=table.take(pa.array(inner))),
        validation=table.take(pa.array(outer)),
    )


def _tried(
    order: Order, parts: Parts, fit: Fit, params: Mapping[str, Any], number: int
) -> dict[str, Any]:
    """One trial's value, or the sentence why it has none."""
    try:
        fitted = fit(params, parts, number)
        value = _ranked(order, parts, fitted)
    except Failure as failure:
        return {"problem": str(failure)}
    if not math.isfinite(value):
        return {"problem": f"{order.search.metric} is {value}"}
    return {"value": value}


def _ranked(order: Order, parts: Parts, fitted: Fitted) -> float:
    """The metric on the validation rows; what we cannot compute must have been reported by the training."""
    name, metric = order.search.metric, find_metric(order.search.metric)
    ask = "predict"
    if metric is not None and metric.prediction in {
        PredictionType.PROBABILITY,
        PredictionType.SCORE,
    }:
        ask = "predict_proba"
    computed = metric is not None and metric.prediction is not PredictionType.NONE
    if not computed or not callable(getattr(fitted.model, ask, None)):
        if name in fitted.metrics:
            return fitted.metrics[name]
        raise Failure(f"{name} cannot be computed here and the training reported none")
    frame = to_form(parts.validation.select(list(parts.fit.features)), fitted.form)
    classes = getattr(fitted.model, "classes_", None)
    try:
        answers = getattr(fitted.model, ask)(frame)
        y = parts.validation[order.data.target].combine_chunks().to_numpy(zero_copy_only=False)
        return score(
            name,
            y,
            np.asarray(answers),
            classes=None if classes is None else np.asarray(classes).tolist(),
        )
    except Unusable as problem:
        raise Failure(str(problem)) from problem
    except Exception as error:
        raise Failure(f"predict raised {described(error)}") from error
