"""The profile step, in a process of its own: counts the new batches, checks them, and compares them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.drift import THRESHOLDS, DriftReport
from controller.domain.errors import IncumbentError
from controller.domain.layouts import Layout
from controller.domain.profiles import Profile, merge_profiles
from controller.domain.quality import QualityReport
from controller.domain.rules import DataSection
from controller.evidence.drift import DriftOptions, compare_profiles, history_ceiling
from controller.ports import Batch
from workers.failure import Failure
from workers.jobs import Job
from workers.profiles import BatchData, LayoutOptions, ScanEngine, make_layout, make_profile
from workers.quality import check_and_profile, check_batch
from workers.snapshot import local_file

_THREADS = 2
NOTHING_EARLIER = "there is no earlier data to compare with"

ProfileHistory = Mapping[str, Sequence[Mapping[str, float]]]


def evaluate_batches(job: Job, folder: Path) -> Mapping[str, Any]:
    """What each new batch breaks, and how far all good ones together are from each reference."""
    try:
        return _look(job, folder)
    except IncumbentError as error:
        raise Failure(error.sentence().rstrip(".")) from error


def _look(job: Job, folder: Path) -> Mapping[str, Any]:
    engine = ScanEngine(threads=min(_THREADS, os.cpu_count() or 1), directory=folder)
    reference = reference_of(job, folder, engine)
    checked = [_check(job, batch, folder, engine, reference) for batch in job.batches]
    good = {b.sequence: p for b, report, p in checked if report.passed and p is not None}
    merged = merge_profiles(good.values()) if good else None
    told: dict[str, Any] = _compared(None, {}, NOTHING_EARLIER)
    against: dict[str, Any] = {}
    if reference is not None and merged is not None:
        layout, training = reference
        history: Mapping[str, ProfileHistory] = job.details.get("history") or {}
        own = history.get("training") or {}
        told = _compared(
            compare_profiles(
                layout,
                training,
                merged,
                DriftOptions(critical=critical_columns(job.spec.data, layout), history=own),
            ),
            own,
        )
        for name, window in dict(job.details.get("windows") or {}).items():
            against[name] = _against(
                job, folder, engine, (layout, merged), window, history.get(name) or {}
            )
    fresh = reference is not None and not job.details.get("known")
    return {
        **told,
        "rows": sum(report.rows for _, report, _ in checked),
        "against": against,
        "quarantine": [_broken(batch, found) for batch, found, _ in checked if not found.passed],
        "schema_changes": [
            change.sentence() for _, found, _ in checked for change in found.schema_changes
        ],
        "profile": merged.to_json() if merged else None,
        "profiles": {str(number): profile.to_json() for number, profile in good.items()},
        "reference": {"layout": reference[0].to_json(), "profile": reference[1].to_json()}
        if fresh and reference
        else None,
    }


def _compared(
    report: DriftReport | None, history: ProfileHistory, problem: str = ""
) -> dict[str, Any]:
    """A comparison as the signal tells it; the whole of it is kept as an artifact."""
    if report is None:
        return {
            "columns": {},
            "judged": {},
            "verdict": "not enough data",
            "reasons": [],
            "problem": problem,
            "n": 0,
            "report": None,
        }
    return {
        "columns": columns_of(report),
        "judged": judged_of(report, history),
        "verdict": report.verdict.value,
        "reasons": list(report.reasons),
        "problem": None,
        "n": report.rows,
        "report": to_plain(report),
    }


def critical_columns(data: DataSection, layout: Layout) -> tuple[str, ...] | None:
    """Whose verdicts make that of the batch: the policy's features and its target; where it names no features, all
    but the key and the time, which move with every batch. None: all, where none of these is there.
    """
    if data.features is not None:
        wanted = [*data.features, data.target]
    else:
        wanted = [c.name for c in layout.columns if c.name not in (data.key, data.time)]
    return tuple(name for name in wanted if name in layout.by_name) or None


def _against(
    job: Job,
    folder: Path,
    engine: ScanEngine,
    now: tuple[Layout, Profile],
    window: Mapping[str, Any],
    history: ProfileHistory,
) -> dict[str, Any]:
    """The same rows held against another window; profiles that are kept are added up, others counted now."""
    layout, current = now
    if window.get("problem"):
        return _compared(None, {}, str(window["problem"]))
    profiles = []
    for item in window["batches"]:
        batch = Batch(**item["batch"])
        kept = item.get("profile")
        if kept is not None and kept.get("layout") == layout.digest:
            profiles.append(Profile.from_json(kept))
            continue
        file = local_file(batch, folder / "fetched")
        profiles.append(make_profile(BatchData.of(file), layout, engine))
    options = DriftOptions(
        critical=critical_columns(job.spec.data, layout), training_reference=False, history=history
    )
    found = _compared(compare_profiles(layout, merge_profiles(profiles), current, options), history)
    return found | {"batches": [item["batch"]["sequence"] for item in window["batches"]]}


def reference_of(job: Job, folder: Path, engine: ScanEngine) -> tuple[Layout, Profile] | None:
    """The bins and the counts of the training data: as an earlier run made them, or made now."""
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
    job: Job,
    batch: Batch,
    folder: Path,
    engine: ScanEngine,
    reference: tuple[Layout, Profile] | None,
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


def columns_of(report: DriftReport) -> dict[str, dict[str, float]]:
    """Each column's distances, where there are any."""
    return {found.column: dict(found.values) for found in report.columns if found.values}


def judged_of(
    report: DriftReport, history: ProfileHistory | None = None
) -> dict[str, dict[str, Any]]:
    """What stands between a column's distances and an alarm: its verdict, its significance, its history."""
    found: dict[str, dict[str, Any]] = {}
    for column in report.columns:
        ceilings = {
            threshold.metric.value: ceiling
            for threshold in THRESHOLDS
            if (
                ceiling := history_ceiling((history or {}).get(column.column, ()), threshold.metric)
            )
            is not None
        }
        found[column.column] = {
            "verdict": column.verdict.value,
            "significant": column.significant,
            **({"ceiling": ceilings} if ceilings else {}),
        }
    return found


def _broken(batch: Batch, report: QualityReport) -> dict[str, Any]:
    sentences: Sequence[str] = [
        f"{found.column}: {found.message}" if found.column else found.message
        for found in report.broken
    ]
    return {
        "sequence": batch.sequence,
        "uri": batch.uri,
        "rows": report.rows,
        "failing": max((found.failing or 0 for found in report.broken), default=0),
        "sentence": "; ".join(sentences),
        "examples": [dict(row) for result in report.broken for row in result.examples][:5],
    }
