"""A plan as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from controller.entrypoints.cli.output import time_cell
from controller.entrypoints.cli.plan_text import by_missing, numbers, numbers_compared, period
from controller.service.replay.plan import ModelPlan, PlanReport, Replayed

SHOWN_IN_MARKDOWN = 50
"""Decisions of a kind that are listed: a comment has an end."""


def plan_as_markdown(plan: PlanReport) -> str:
    """A headline, then one section a model."""
    lines = [f"### {_headline(plan)}", "", f"Compared: {_code(plan.base)} → {_code(plan.head)}"]
    for model in plan.models:
        lines += ["", *_model(model)]
    return "\n".join(lines)


def _headline(plan: PlanReport) -> str:
    if not plan.models:
        return "No rule differs"
    total = sum(model.decisions for model in plan.models)
    if plan.flips == 0:
        return f"None of {total:,} recorded decisions changes for certain"
    noun = "decision" if plan.flips == 1 else "decisions"
    return f"{plan.flips:,} {noun} of {total:,} would have been another one"


def _model(model: ModelPlan) -> Iterator[str]:
    yield f"#### {_plain(model.model)} ({_code(model.path)})"
    yield ""
    yield _plain(f"{model.summary}{period(model)}")
    if model.flips:
        yield from ("", "| decision | decided (UTC) | change | because |", "|---|---|---|---|")
        yield from (_row(item) for item in model.flips[:SHOWN_IN_MARKDOWN])
    if len(model.flips) > SHOWN_IN_MARKDOWN:
        yield from (
            "",
            f"… and {len(model.flips) - SHOWN_IN_MARKDOWN:,} more; `--format json` lists them.",
        )
    yield from _evidence(model)
    yield from _list(model)


def _row(item: Replayed) -> str:
    who = f" (v{item.challenger})" if item.challenger else ""
    cells = (
        f"{item.decision}{who}",
        time_cell(item.decided_at),
        f"**{_cell(item.words)}**",
        _cell(item.because),
    )
    return f"| {' | '.join(cells)} |"


def _evidence(model: ModelPlan) -> Iterator[str]:
    shown = [item for item in model.flips[:SHOWN_IN_MARKDOWN] if item.evidence]
    if not shown:
        return
    yield from ("", "<details><summary>Evidence</summary>", "")
    for item in shown:
        for gate, values in item.evidence.items():
            yield f"- {item.decision}, {_plain(gate)}: {_plain(numbers_compared(values))}"
    yield from ("", "</details>")


def _list(model: ModelPlan) -> Iterator[str]:
    lines = [
        f"**Cannot know** {numbers(items).replace('#', '')}: {_plain(why)} "
        f"(could be {_plain(items[0].words)})"
        for why, items in by_missing(model.unknown).items()
    ]
    if model.trainings is not None:
        lines.append(_plain(model.trainings.words))
        lines += [f"**Cannot know**: {_plain(why)}" for why in model.trainings.unknown]
    lines += [f"Gate {_code(size.gate)}: {_plain(size.sentence)}" for size in model.samples]
    lines += [f"Note: {note}" for note in model.notes]
    if lines:
        yield ""
        yield from (f"- {line}" for line in lines)


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _plain(text: str) -> str:
    """Names come from a policy that somebody wrote: no HTML, no mention and no link comes of them."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("->", "→")
    return text.replace("@", "@\u200b").replace("](", "]\u200b(")


def _cell(text: str) -> str:
    return _plain(text.replace("->", "→").replace("|", "\\|").replace("\n", " "))
