"""A plan as one JSON document."""

from __future__ import annotations

import json
from typing import Any

from controller.domain.canonical import to_plain
from controller.entrypoints.cli.output import SCHEMA_VERSION
from controller.service.replay.plan import PlanReport, Replayed


def plan_as_json(plan: PlanReport) -> str:
    """Everything that the plan holds, with its summary sentences."""
    models = []
    for model in plan.models:
        document: dict[str, Any] = to_plain(model)
        document["summary"] = model.summary
        document["flips"] = [_replayed(item) for item in model.flips]
        document["unknown"] = [_replayed(item) for item in model.unknown]
        if model.trainings is not None:
            document["trainings"]["summary"] = model.trainings.words
        for size, plain in zip(model.samples, document["samples"], strict=True):
            plain["enough"] = size.enough
        models.append(document)
    document = {
        "schema_version": SCHEMA_VERSION,
        "base": plan.base,
        "head": plan.head,
        "flips": plan.flips,
        "unchanged": plan.unchanged,
        "models": models,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def _replayed(item: Replayed) -> dict[str, Any]:
    document: dict[str, Any] = to_plain(item)
    return {**document, "change": item.words}
