"""Decay and skew on the worker's side: the champion against the labels that came, the serving log against the data.

Both only report. A trigger or a condition of the policy may act on what they prove; an estimate can only alert.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controller.domain.codec import load_plain
from controller.domain.data import served_stream
from controller.domain.decay import MetricWatch
from controller.domain.runs import RunKind, RunState
from controller.ports import Batch, Query, RunEnd
from workers.evaluating import ask_version, candidate_of
from workers.failure import Failure
from workers.jobs import Candidate
from workers.profiling import known_reference, plain_batches
from workers.steps import RunSteps


def decay_run(steps: RunSteps) -> RunEnd:
    """Done with an answer to each watch, and with when more labels come due."""
    spec = steps.run.spec
    watches = load_plain(tuple[MetricWatch, ...], spec.details["watches"])
    candidates = _candidates(steps, watches)
    logged = _served(steps) if spec.data.served and spec.data.served.prediction else ()
    found = steps.do(
        "since",
        steps.job(
            task="since",
            candidates=candidates,
            details={"served": plain_batches(logged), "version": spec.version},
        ),
        quiet=True,
    )
    answers: dict[str, Any] = {}
    if found["rows"]:
        answers = _answers(steps, candidates, found)
    record = steps.folder / "record.parquet"
    steps.place.artifacts.fetch(str(spec.details["predictions"]), record)
    judged = steps.do(
        "decay",
        steps.job(
            task="decay",
            details={
                "rows": found["path"],
                "record": str(record),
                "sides": answers,
                "logged": found["logged"],
            },
        ),
        quiet=True,
    )
    before = _estimated_before(steps)
    estimates = [
        {**e, "news": bool(e.get("worse")) and e["metric"] not in before}
        for e in judged["estimates"]
    ]
    report = {
        "run": steps.run.id,
        "version": spec.version,
        "since": spec.details["since"],
        "rows": found["rows"],
        "labels": found["labels"],
        "readings": judged["readings"],
        "estimates": estimates,
        "history": judged["history"],
        "predictions_from": "the serving log" if found["logged"] else "the champion, asked again",
    }
    return RunEnd(
        state=RunState.DONE,
        result={
            "version": spec.version,
            "rows": found["rows"],
            "labels": found["labels"],
            "readings": judged["readings"],
            "estimates": estimates,
            "look_again": found["look_again"],
            "report": steps.place.artifacts.put_bytes(json.dumps(report).encode()),
            "data_through": spec.data_through,
            "served_through": spec.details.get("served_through", 0),
            **steps.used(),
        },
    )


def _candidates(steps: RunSteps, watches: tuple[MetricWatch, ...]) -> tuple[Candidate, ...]:
    """The champion, and whom the policy holds it against on the same rows."""
    spec = steps.run.spec
    asked = {watch.worse_than for watch in watches}
    roles = {"champion": spec.version, "previous": spec.details.get("previous")}
    roles["anchor"] = spec.anchor
    with steps.place.store.read() as tx:
        versions = {v.number: v for v in tx.registry.versions(spec.model)}
    if spec.version not in versions:
        raise Failure(f"version {spec.version} of {spec.model} is not in the registry")
    return tuple(
        candidate_of(steps, role, versions[number])
        for role, number in roles.items()
        if number in versions and (role == "champion" or role in asked)
    )


def _answers(
    steps: RunSteps,
    candidates: tuple[Candidate, ...],
    found: Mapping[str, Any],
) -> dict[str, Any]:
    prepared = {"rows": found["path"], "features": found["features"]}
    return {
        candidate.role: ask_version(steps, candidate, candidates, prepared, optional=True)
        for candidate in candidates
        if not (found["logged"] and candidate.role == "champion")
    }


def _served(steps: RunSteps, after: int = 0) -> tuple[Batch, ...]:
    """The serving log's batches beyond ``after``, as far as the order says."""
    through = int(steps.run.spec.details.get("served_through") or 0)
    with steps.place.store.read() as tx:
        found = tx.data.batches(served_stream(steps.run.model), through)
    return tuple(batch for batch in found if batch.sequence > after)


def _estimated_before(steps: RunSteps) -> set[str]:
    """Metrics whose estimate was beyond its limit in the look before, of the same version."""
    query = Query(
        model=steps.run.model,
        kinds=(RunKind.DECAY.value,),
        states=(RunState.DONE.value,),
        limit=1,
    )
    with steps.place.store.read() as tx:
        earlier = tx.runs.find(query)
    return {
        str(estimate.get("metric"))
        for run in earlier
        if run.result.get("version") == steps.run.spec.version
        for estimate in run.result.get("estimates") or ()
        if estimate.get("worse")
    }


def skew_run(steps: RunSteps) -> RunEnd:
    """Done with each feature's distance between training and serving, and its rate of mismatch where a key allows."""
    details = steps.run.spec.details
    through = int(details.get("reference_through", 0))
    fresh = _served(steps, int(details.get("after", 0)))
    if not fresh:
        raise Failure("the served rows to look at are not in the log any more")
    reference = tuple(b for b in steps.batches if b.sequence <= through)
    looked = steps.do(
        "skew",
        steps.job(
            task="skew",
            batches=fresh,
            details={
                "known": known_reference(steps, through),
                "all": plain_batches(reference),
                "data": plain_batches(steps.batches),
            },
        ),
        quiet=True,
    )
    store = steps.place.artifacts
    kept: dict[str, Any] = {"reference_through": through}
    if looked.get("reference") is not None:
        kept["reference"] = store.put_bytes(json.dumps(looked["reference"]).encode())
    return RunEnd(
        state=RunState.DONE,
        result={
            "columns": looked["columns"],
            "judged": looked["judged"],
            "verdict": looked["verdict"],
            "reasons": looked["reasons"],
            "n": looked["rows"],
            "matched": looked["matched"],
            "problem": looked["problem"],
            "report": store.put_bytes(json.dumps(looked["report"]).encode()),
            "served_through": details.get("served_through", 0),
            "data_through": steps.run.spec.data_through,
            **kept,
            **steps.used(),
        },
    )
