"""A training run on the worker's side: one step in the user's process, then the model and its lineage are stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.domain.canonical import canonical_json, to_plain
from controller.domain.runs import RunState
from controller.ports import RunEnd
from workers.failure import Failure
from workers.lineage import code_facts, packages, platform_facts
from workers.steps import RunSteps

LINEAGE_FORMAT = 1
_MOST_POINTS = 10_000


def train_run(steps: RunSteps) -> RunEnd:
    """Done with the model's digest; Failure carries why not."""
    started = steps.reporter.now()
    answer = steps.do("train", steps.job(task="train"))
    stored = Path(str(answer["stored"]))
    if not stored.is_file() or not stored.is_relative_to(steps.folder):
        raise Failure("returned no model: its file is gone from the run folder")
    digest = steps.place.artifacts.put_file(stored)
    metrics = {str(name): float(value) for name, value in dict(answer.get("metrics") or {}).items()}
    model = {
        "digest": digest,
        "size": steps.place.artifacts.size(digest),
        "format": str(answer["format"]),
        "frame": str(answer["frame"]),
    }
    used = steps.used()
    facts = lineage_of(steps) | {
        "started_at": started,
        "ended_at": steps.reporter.now(),
        "model": model,
        "artifacts": _artifacts(steps, answer),
        "metrics": metrics,
        "source": answer.get("source") or {},
        "rows": answer.get("counts") or {},
        "training_ends": answer.get("boundary"),
        "features": answer.get("features") or [],
        "schema": answer.get("schema") or {},
        **{name: answer[name] for name in ("params", "search") if name in answer},
    }
    return RunEnd(
        state=RunState.DONE,
        result={
            "digest": digest,
            "size": model["size"],
            "format": model["format"],
            "metrics": metrics,
            "lineage": store_lineage(steps, facts | used),
            "recipe": steps.run.spec.recipe,
            "rows": int(dict(answer.get("counts") or {}).get("training", 0)),
            "data_through": steps.run.spec.data_through,
            **used,
        },
    )


def lineage_of(steps: RunSteps) -> dict[str, Any]:
    """What is known of any run, whatever came of it."""
    run, spec = steps.run, steps.run.spec
    return {
        "format": LINEAGE_FORMAT,
        "run": run.id,
        "kind": spec.kind,
        "model_name": spec.model,
        "attempt": run.attempt,
        "worker": run.worker,
        "decision": run.decision,
        "causes": spec.causes,
        "ordered_at": run.ordered_at,
        "recipe": spec.recipe,
        "entrypoint": spec.entrypoint,
        "command": spec.command,
        "params": spec.params,
        "seed": spec.seed,
        "limits": {"timeout": spec.timeout, "memory": spec.memory},
        "code": code_facts(steps.place.settings.code),
        "packages": packages(),
        "platform": platform_facts(),
        "data": {
            "section": spec.data,
            "through": spec.data_through,
            "window": spec.window,
            "files": [
                {
                    "uri": b.uri,
                    "digest": b.digest,
                    "size": b.size,
                    "rows": b.rows,
                    "sequence": b.sequence,
                }
                for b in steps.batches
            ],
        },
        "metrics_by_step": {
            name: points[:_MOST_POINTS] for name, points in steps.reporter.metrics.items()
        },
    }


def store_lineage(steps: RunSteps, facts: Mapping[str, Any]) -> str:
    """The document's digest in the artifact store."""
    return steps.place.artifacts.put_bytes(canonical_json(to_plain(facts)).encode())


def _artifacts(steps: RunSteps, answer: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, place in dict(answer.get("artifacts") or {}).items():
        path = Path(str(place))
        if path.is_file() and path.is_relative_to(steps.folder):
            digest = steps.place.artifacts.put_file(path)
            kept[str(name)] = {"digest": digest, "size": path.stat().st_size}
    return kept
