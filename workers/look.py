"""The profile step, in a process of its own: counts the new batches, checks them, and compares them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.drift import DriftReport
from controller.domain.errors import IncumbentError
from controller.domain.layouts import Layout
from controller.domain.profiles import Profile
from controller.domain.quality import QualityReport
from controller.evidence.drift import DriftOptions, compare
from controller.ports import Batch
from workers.failure import Failure
from workers.jobs import Job
from workers.profiles import BatchData, Engine, LayoutOptions, make_layout, make_profile
from workers.quality import check_and_profile, check_batch
from workers.snapshot import local_file

_THREADS = 2


def look(job: Job, folder: Path) -> Mapping[str, Any]:
    """What each new batch breaks, and how far all good ones together are from the reference."""
    try:
        return _look(job, folder)
    except IncumbentError as error:
        raise Failure(error.sentence().rstrip(".")) from error


def _look(job: Job, folder: Path) -> Mapping[str, Any]:
    engine = Engine(threads=min(_THREADS, os.cpu_count() or 1), directory=folder)
    reference = _reference(job, folder, engine)
    checked = [_check(job, batch, folder, engine, reference) for batch in job.batches]
    good = [profile for _, report, profile in checked if report.passed and profile is not None]
    merged = None
    for profile in good:
        merged = profile if merged is None else merged.merge(profile)
    report = None
    if reference is not None and merged is not None:
        report = compare(reference[0], reference[1], merged, DriftOptions())
    fresh = reference is not None and not job.details.get("known")
    return {
        "rows": sum(report.rows for _, report, _ in checked),
        "columns": _columns(report),
        "verdict": report.verdict.value if report else "not enough data",
        "reasons": list(report.reasons) if report else [],
        "problem": None if report else "there is no earlier data to compare with",
        "quarantine": [_broken(batch, found) for batch, found, _ in checked if not found.passed],
        "schema_changes": [
            change.sentence() for _, found, _ in checked for change in found.schema_changes
        ],
        "report": to_plain(report) if report else None,
        "profile": merged.to_json() if merged else None,
        "reference": {"layout": reference[0].to_json(), "profile": reference[1].to_json()}
        if fresh and reference
        else None,
    }


def _reference(job: Job, folder: Path, engine: Engine) -> tuple[Layout, Profile] | None:
    known = job.details.get("known")
    if known:
        return Layout.from_json(known["layout"]), Profile.from_json(known["profile"])
    batches = [Batch(**item) for item in job.details.get("all") or []]
    if not batches:
        return None
    files = tuple(str(local_file(batch, folder / "fetched")) for batch in batches)
    data = BatchData(paths=files)
    layout = make_layout(data, LayoutOptions(seed=job.spec.seed), engine)
    return layout, make_profile(data, layout, engine)


def _check(
    job: Job, batch: Batch, folder: Path, engine: Engine, reference: tuple[Layout, Profile] | None
) -> tuple[Batch, QualityReport, Profile | None]:
    data = BatchData.of(local_file(batch, folder / "fetched"))
    now: datetime = job.ordered_at.astimezone(UTC)
    expectations = job.spec.data.expect
    if reference is None:
        return batch, check_batch(data, expectations, now=now, engine=engine), None
    report, profile = check_and_profile(
        data, expectations, now=now, layout=reference[0], engine=engine
    )
    return batch, report, profile


def _columns(report: DriftReport | None) -> dict[str, dict[str, float]]:
    if report is None:
        return {}
    return {found.column: dict(found.values) for found in report.columns if found.values}


def _broken(batch: Batch, report: QualityReport) -> dict[str, Any]:
    sentences: Sequence[str] = [
        f"{found.column}: {found.message}" if found.column else found.message
        for found in report.broken
    ]
    return {
        "sequence": batch.sequence,
        "uri": batch.uri,
        "sentence": "; ".join(sentences),
        "examples": [dict(row) for result in report.broken for row in result.examples][:5],
    }
