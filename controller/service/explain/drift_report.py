"""How a model's data moved, how its champion does since, and what is in quarantine: what workers found, put together.

Nothing is computed here: distances, verdicts and tests are those of the runs, the same numbers that the triggers'
decisions carry. The command, the page and the API show this one view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from controller.domain.drift import DriftMetric
from controller.domain.runs import Run, RunKind, RunState
from controller.ports import ArtifactStore, Query, Transaction
from controller.service.explain.documents import document_if_there

LOOKS = 30
"""Batches that a history shows."""

SHOWN_METRIC = DriftMetric.JENSEN_SHANNON.value
"""The effect that stands for a column: it exists for every kind of column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchLook:
    """One finished profile: when, how many rows, and what it said against the training data."""

    run: str
    at: datetime
    rows: int
    verdict: str
    through: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMoves:
    """A column in the newest look, with its effect (``SHOWN_METRIC``) in the looks before, oldest first.

    ``moved`` are the bins that moved most, as (label, share before, share now); ``ceiling`` is what the history of
    accepted batches allows, by metric.
    """

    column: str
    verdict: str
    values: Mapping[str, float]
    kind: str = ""
    significant: bool | None = None
    p_value: float | None = None
    reasons: tuple[str, ...] = ()
    moved: tuple[tuple[str, float, float], ...] = ()
    ceiling: Mapping[str, float] = field(default_factory=dict)
    history: tuple[float | None, ...] = ()

    @property
    def effect(self) -> float | None:
        """The distance that stands for the column."""
        return self.values.get(SHOWN_METRIC)


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftComparison:
    """The newest rows held against one reference. ``problem`` says why there is nothing to see."""

    reference: str
    verdict: str
    rows: int
    reference_rows: int | None = None
    reasons: tuple[str, ...] = ()
    problem: str | None = None
    columns: tuple[ColumnMoves, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SkewView:
    """The serving log against the training data. ``matched`` rows were found again by their key."""

    run: str
    at: datetime
    comparison: DriftComparison
    matched: int = 0
    mismatches: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayView:
    """The champion's metric by labels, and what is estimated before they come. ``days`` are (day, value, labels)."""

    run: str
    at: datetime
    version: int | None
    labels: int
    readings: tuple[Mapping[str, Any], ...] = ()
    estimates: tuple[Mapping[str, Any], ...] = ()
    days: Mapping[str, tuple[tuple[str, float | None, int], ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedBatch:
    """A batch that trains nothing: why, how many rows broke it, and a few of them."""

    sequence: int
    uri: str
    reason: str
    rows: int | None
    failing: int | None = None
    examples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftView:
    """Everything about one model's data, as of the newest runs."""

    model: str
    looks: tuple[BatchLook, ...] = ()
    comparisons: tuple[DriftComparison, ...] = ()
    skew: SkewView | None = None
    decay: DecayView | None = None
    quarantined: tuple[QuarantinedBatch, ...] = ()


def drift_view(
    tx: Transaction, artifacts: ArtifactStore | None, model: str, *, looks: int = LOOKS
) -> DriftView:
    """The view; without ``artifacts`` the bins that moved and the single days are left out."""
    profiles = _runs(tx, model, RunKind.PROFILE, looks)
    skews, decays = (_runs(tx, model, kind, 1) for kind in (RunKind.SKEW, RunKind.DECAY))
    return DriftView(
        model=model,
        looks=tuple(_look(run) for run in profiles),
        comparisons=tuple(_comparisons(profiles, artifacts)),
        skew=_skew(skews[-1], artifacts) if skews else None,
        decay=_decay(decays[-1], artifacts) if decays else None,
        quarantined=tuple(_quarantined(tx, model)),
    )


def _runs(tx: Transaction, model: str, kind: RunKind, limit: int) -> list[Run]:
    """Those that ended well, oldest first."""
    query = Query(model=model, kinds=(kind.value,), states=(RunState.DONE.value,), limit=limit)
    return tx.runs.find(query)[::-1]


def _look(run: Run) -> BatchLook:
    result = run.result
    return BatchLook(
        run=run.id,
        at=run.ended_at or run.ordered_at,
        rows=int(result.get("n") or 0),
        verdict=str(result.get("verdict") or "not enough data"),
        through=int(result.get("data_through") or 0),
    )


# --- drift ----------------------------------------------------------------------------------------------------


def _comparisons(runs: Sequence[Run], artifacts: ArtifactStore | None) -> Iterator[DriftComparison]:
    if not runs:
        return
    newest = runs[-1]
    names = ("training", *(newest.result.get("against") or {}))
    whole = document_if_there(artifacts, newest.result.get("reports"))
    for name in names:
        report = whole.get(name)
        if report is None and name == "training":
            report = document_if_there(artifacts, newest.result.get("report"))
        yield _comparison(name, runs, report or {})


def _told(run: Run, reference: str) -> Mapping[str, Any]:
    if reference == "training":
        return run.result
    return (run.result.get("against") or {}).get(reference) or {}


def _comparison(name: str, runs: Sequence[Run], report: Mapping[str, Any]) -> DriftComparison:
    told = _told(runs[-1], name)
    past = [_told(run, name).get("columns") or {} for run in runs]
    columns = _columns(told, report)
    return DriftComparison(
        reference=name,
        verdict=str(told.get("verdict") or "not enough data"),
        rows=int(told.get("n") or 0),
        reference_rows=report.get("reference_rows"),
        reasons=tuple(str(reason) for reason in told.get("reasons") or ()),
        problem=told.get("problem"),
        columns=tuple(
            replace(c, history=tuple((p.get(c.column) or {}).get(SHOWN_METRIC) for p in past))
            for c in columns
        ),
    )


_RANK = {"alert": 0, "warn": 1, "not_enough_data": 2, "ok": 3}


def _columns(told: Mapping[str, Any], report: Mapping[str, Any]) -> list[ColumnMoves]:
    """Worst first."""
    judged: Mapping[str, Any] = told.get("judged") or {}
    values: Mapping[str, Any] = told.get("columns") or {}
    details = {str(c.get("column")): c for c in report.get("columns") or ()}
    found = [
        _column(name, values.get(name) or {}, judged.get(name) or {}, details.get(name) or {})
        for name in dict.fromkeys([*values, *judged])
    ]
    return sorted(found, key=lambda c: (_RANK.get(c.verdict, 4), -(c.effect or 0.0), c.column))


def _column(
    name: str, values: Mapping[str, Any], judged: Mapping[str, Any], detail: Mapping[str, Any]
) -> ColumnMoves:
    moved = tuple(
        (str(b["label"]), float(b["reference"]), float(b["current"]))
        for b in detail.get("moved") or ()
    )
    return ColumnMoves(
        column=name,
        kind=str(detail.get("kind") or ""),
        verdict=str(judged.get("verdict") or "ok"),
        values=dict(values),
        significant=judged.get("significant"),
        p_value=detail.get("p_value"),
        reasons=tuple(detail.get("reasons") or ()),
        moved=moved,
        ceiling=dict(judged.get("ceiling") or {}),
    )


# --- skew, decay, quarantine ----------------------------------------------------------------------------------


def _skew(run: Run, artifacts: ArtifactStore | None) -> SkewView:
    report = document_if_there(artifacts, run.result.get("report"))
    rows = report.get("rows_by_key") or {}
    return SkewView(
        run=run.id,
        at=run.ended_at or run.ordered_at,
        comparison=_comparison("training", [run], report),
        matched=int(run.result.get("matched") or 0),
        mismatches=tuple(f for f in rows.get("features") or () if f.get("mismatches")),
        problem=str(report.get("rows_problem") or ""),
    )


def _decay(run: Run, artifacts: ArtifactStore | None) -> DecayView:
    report = document_if_there(artifacts, run.result.get("report"))
    return DecayView(
        run=run.id,
        at=run.ended_at or run.ordered_at,
        version=run.result.get("version"),
        labels=int(run.result.get("labels") or 0),
        readings=tuple(run.result.get("readings") or ()),
        estimates=tuple(run.result.get("estimates") or ()),
        days={
            metric: tuple((str(p["start"])[:10], p["value"], int(p["labels"])) for p in by["days"])
            for metric, by in (report.get("history") or {}).items()
            if "days" in by
        },
    )


def _quarantined(tx: Transaction, model: str) -> Iterator[QuarantinedBatch]:
    batches = tx.data.quarantined(model)
    if not batches:
        return
    told = {
        int(item["sequence"]): item
        for run in _runs(tx, model, RunKind.PROFILE, 200)
        for item in run.result.get("quarantine") or ()
    }
    for batch in batches:
        item = told.get(batch.sequence) or {}
        yield QuarantinedBatch(
            sequence=batch.sequence,
            uri=batch.uri,
            reason=batch.quarantined,
            rows=batch.rows,
            failing=item.get("failing"),
            examples=tuple(item.get("examples") or ()),
        )


def reference_profile(
    tx: Transaction, artifacts: ArtifactStore, model: str
) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    """The stored reference (layout and profile) and the profiles of the accepted batches that were counted with it,
    for calibration; None if no run has made one.
    """
    runs = _runs(tx, model, RunKind.PROFILE, 200)
    made = next((r for r in reversed(runs) if isinstance(r.result.get("reference"), str)), None)
    if made is None:
        return None, []
    reference = document_if_there(artifacts, made.result["reference"]) or None
    kept: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        same = run.result.get("reference_through") == made.result.get("reference_through")
        if same and run.result.get("verdict") != "alert":
            kept |= document_if_there(artifacts, run.result.get("profiles"))
    return reference, list(kept.values())
