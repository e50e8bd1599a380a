"""An evaluation on the worker's side: the same rows for all, each version in a fresh process, then the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from controller.domain.canonical import parse_time, to_plain
from controller.domain.codec import load_plain
from controller.domain.errors import IncumbentError
from controller.domain.evidence import Evaluation, GateEvidence, HoldoutView
from controller.domain.metrics import PredictionType, find_metric
from controller.domain.runs import RunState
from controller.domain.versions import Version
from controller.ports import RunEnd
from controller.ports.documents import read_document
from workers.failure import Failure
from workers.jobs import Candidate
from workers.steps import RunSteps
from workers.training import lineage_of, store_lineage


def evaluate_run(steps: RunSteps) -> RunEnd:
    """Done with an :class:`Evaluation` in its plain form, whatever it says about the challenger."""
    spec = steps.run.spec
    candidates = _candidates(steps)
    prepared = steps.do("prepare", steps.job(task="prepare", candidates=candidates), quiet=True)
    sides = {c.role: ask_version(steps, c, candidates, prepared) for c in candidates}
    judged = steps.do(
        "judge",
        steps.job(
            task="judge",
            details={"rows": prepared["rows"], "baseline": prepared["baseline"], "sides": sides},
        ),
        quiet=True,
    )
    predictions = steps.place.artifacts.put_file(Path(str(judged["predictions"])))
    counts: Mapping[str, int] = prepared["counts"]
    metrics: Mapping[str, Mapping[str, float]] = judged["metrics"]
    evaluation = Evaluation(
        run=steps.run.id,
        version=spec.version or 0,
        champion=spec.champion,
        anchor=spec.anchor,
        evidence=load_plain(tuple[GateEvidence, ...], judged["evidence"]),
        holdout=HoldoutView(
            rows=counts["holdout"],
            labelled=counts["holdout_labelled"],
            start=_moment(prepared["start"]),
            end=_moment(prepared["end"]),
            digest=str(prepared["digest"]),
        ),
        predictions=predictions,
        evaluated_at=steps.reporter.now(),
        metrics=dict(metrics.get("challenger") or {}),
        details={
            "unlabelled": counts["holdout_unlabelled"],
            "baseline": _without_shares(prepared["baseline"]),
            "panel": judged["panel"],
            **{role: dict(found) for role, found in metrics.items() if role != "challenger"},
        },
    )
    used = steps.used()
    lineage = lineage_of(steps) | {
        "rows": counts,
        "versions": _named(candidates),
        "predictions": predictions,
    }
    return RunEnd(
        state=RunState.DONE,
        result={
            "evaluation": to_plain(evaluation),
            "version": spec.version,
            "data_through": spec.data_through,
            "lineage": store_lineage(steps, lineage | used),
            **used,
        },
    )


def verify_run(steps: RunSteps) -> RunEnd:
    """Load one version in a fresh process and let it answer for the newest holdout rows."""
    candidates = _candidates(steps)
    prepared = steps.do("prepare", steps.job(task="prepare", candidates=candidates), quiet=True)
    side = ask_version(steps, candidates[0], candidates, prepared)
    if side.get("problem"):
        raise Failure(f"{side['name']} does not serve: {side['problem']}")
    return RunEnd(
        state=RunState.DONE,
        result={
            "version": steps.run.spec.version,
            "verified": True,
            "rows": prepared["counts"]["holdout_labelled"],
            "metrics": side["measured"],
            **steps.used(),
        },
    )


def _candidates(steps: RunSteps) -> tuple[Candidate, ...]:
    """Challenger, champion and anchor; a version in two roles is asked once, in the first of them."""
    spec = steps.run.spec
    with steps.place.store.read() as tx:
        versions = {v.number: v for v in tx.registry.versions(spec.model)}
    roles = {"challenger": spec.version, "champion": spec.champion, "anchor": spec.anchor}
    found: list[Candidate] = []
    for role, number in roles.items():
        if number is None:
            continue
        if number not in versions:
            raise Failure(f"version {number} of {spec.model} is not in the registry")
        if role == "anchor" and number == spec.champion:
            continue
        found.append(candidate_of(steps, role, versions[number]))
    if not found or found[0].role != "challenger":
        raise Failure("the order names no version")
    return tuple(found)


def candidate_of(steps: RunSteps, role: str, version: Version) -> Candidate:
    """A version ready to be asked: its artifact is fetched, or ``problem`` says why it is not."""
    artifacts, target = steps.place.artifacts, steps.folder / f"{role}.model"
    lineage: Mapping[str, Any] = {}
    problem = ""
    try:
        artifacts.fetch(version.digest, target)
        lineage = read_document(artifacts, version.lineage)
    except IncumbentError as error:
        problem = error.sentence().rstrip(".")
    return Candidate(
        role=role,
        version=version.number,
        digest=version.digest,
        size=version.size,
        model=str(target),
        lineage=lineage,
        problem=problem,
    )


def ask_version(
    steps: RunSteps,
    candidate: Candidate,
    candidates: tuple[Candidate, ...],
    prepared: Mapping[str, Any],
    *,
    optional: bool = False,
) -> dict[str, Any]:
    """What a version answered, or why it did not. Only the user's part may fail: the rest is the run's failure.

    ``optional``: its probabilities are taken where it gives any, and nothing is wrong where it does not.
    """
    name = f"{candidate.role} v{candidate.version}"
    if candidate.problem:
        return {"name": name, "problem": candidate.problem}
    before = steps.usage.peak_memory
    steps.usage.peak_memory = 0
    details = {
        "rows": prepared["rows"],
        "features": prepared["features"],
        "probabilities": _needs_probabilities(steps),
        "optional": optional,
    }
    job = steps.job(task="predict", role=candidate.role, candidates=candidates, details=details)
    try:
        answer = steps.do(f"predict-{candidate.role}", job)
    except Failure as failure:
        return {"name": name, "problem": str(failure).rstrip(".")}
    finally:
        memory = steps.usage.peak_memory
        steps.usage.peak_memory = max(before, memory)
    return {
        "name": name,
        "predictions": answer["predictions"],
        "classes": answer.get("classes"),
        "measured": _measured(candidate, answer, memory),
    }


def _measured(candidate: Candidate, answer: Mapping[str, Any], memory: int) -> dict[str, float]:
    latency: Mapping[str, float] = answer["latency_ms"]
    found = {f"latency_ms_{name}": value for name, value in latency.items() if name[0] == "p"}
    found |= {
        "latency_ms": latency["mean"],
        "latency_samples": latency["samples"],
        "model_size_bytes": float(candidate.size),
        "model_size_mb": candidate.size / 1e6,
        "memory_bytes": float(memory),
    }
    trained = candidate.lineage.get("seconds")
    if isinstance(trained, (int, float)):
        found["training_seconds"] = float(trained)
    return found


def _needs_probabilities(steps: RunSteps) -> bool:
    kinds = {PredictionType.PROBABILITY, PredictionType.SCORE}
    found = (find_metric(gate.metric) for gate in steps.run.spec.gates)
    return any(metric is not None and metric.prediction in kinds for metric in found)


def _named(candidates: tuple[Candidate, ...]) -> dict[str, Any]:
    return {c.role: {"version": c.version, "digest": c.digest} for c in candidates}


def _without_shares(baseline: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in baseline.items() if name != "shares"}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
