"""A plan for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.entrypoints.cli.output import show_cell, style, time_cell
from controller.service.replay.plan import ModelPlan, PlanReport, Replayed

SHOWN_IN_TEXT = 20
"""Decisions of a kind that are listed; JSON holds all."""


def plan_as_text(plan: PlanReport) -> str:
    """One block a model."""
    lines = [f"Compared: {plan.base} -> {plan.head}"]
    if not plan.models:
        lines += ["", "No rule differs."]
    for model in plan.models:
        lines += ["", *_model(model)]
    return "\n".join(lines)


def _model(model: ModelPlan) -> Iterator[str]:
    yield f"{style(model.model, bold=True)}  ({model.path})"
    yield f"  {model.summary}{period(model)}"
    yield from (f"  {line}" for item in model.flips[:SHOWN_IN_TEXT] for line in _replayed(item))
    yield from _more(model.flips, "changed decisions")
    for why, items in by_missing(model.unknown).items():
        yield f"  cannot know {numbers(items)}: {why}"
        yield f"      could be: {items[0].words}"
    if model.trainings is not None:
        yield f"  {model.trainings.words}"
        yield from (f"      cannot know: {why}" for why in model.trainings.unknown)
    for size in model.samples:
        yield f"  gate '{size.gate}': {size.sentence}"
    yield from (f"  note: {note}" for note in model.notes)


def _replayed(item: Replayed) -> Iterator[str]:
    who = f"challenger v{item.challenger}: " if item.challenger else ""
    change = style(item.words, bold=True)
    yield f"#{item.decision}  {time_cell(item.decided_at)}  {who}{change}"
    yield f"    because {item.because}"
    for gate, values in item.evidence.items():
        yield f"    evidence of '{gate}': {numbers_compared(values)}"


def _more(items: Sequence[Replayed], what: str) -> Iterator[str]:
    if len(items) > SHOWN_IN_TEXT:
        yield f"  … and {len(items) - SHOWN_IN_TEXT:,} more {what}; --format json lists them."


def period(model: ModelPlan) -> str:
    """From when to when was replayed, in brackets."""
    if model.first is None or model.last is None:
        return ""
    return f" ({time_cell(model.first)} to {time_cell(model.last)} UTC)"


def by_missing(items: Sequence[Replayed]) -> dict[str, list[Replayed]]:
    """What cannot be known, by what history lacks."""
    found: dict[str, list[Replayed]] = {}
    for item in items:
        found.setdefault(item.because, []).append(item)
    return found


def numbers(items: Sequence[Replayed]) -> str:
    """``#3, #9 and 12 more``."""
    first = ", ".join(f"#{item.decision}" for item in items[:5])
    return first if len(items) <= 5 else f"{first} and {len(items) - 5:,} more"


def numbers_compared(values: Mapping[str, Any]) -> str:
    """The compared numbers that are there, in their order."""
    return ", ".join(
        f"{name.replace('_', ' ')} {show_cell(value)}"
        for name, value in values.items()
        if value not in (None, "")
    )
