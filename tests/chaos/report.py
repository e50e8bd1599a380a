"""What a run of chaos says: one table of rounds, one of faults, figures, and every violation."""

from __future__ import annotations

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.chaos.round import Outcome, quantile


def report(outcomes: Sequence[Outcome], skipped: Sequence[str], command: str) -> str:
    """Markdown."""
    parts = [
        "# Chaos on real processes\n",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {_machine()}.\n",
        _rounds(outcomes),
        _faults(outcomes),
        _figures(outcomes),
        *(f"Not run: {reason}.\n" for reason in skipped),
        _violations(outcomes),
    ]
    return "\n".join(part for part in parts if part)


def _machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def _rounds(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "| installation | faults | kills | lost | doubled | other violations | decides again p50 / p99 (s)"
        " | trains again p50 / p99 (s) | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(outcome.shape.name, [outcome]) for outcome in outcomes]
    if len(outcomes) > 1:
        lines.append(_row("**all**", outcomes))
    return "\n".join(lines) + "\n"


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    answered = [value for o in outcomes for value in o.answered]
    trained = [value for o in outcomes for value in o.trained]
    cells = [
        name,
        sum(len(o.struck) for o in outcomes),
        sum(fault.kills for o in outcomes for fault in o.struck),
        sum(len(o.findings.lost) for o in outcomes),
        sum(len(o.findings.doubled) for o in outcomes),
        sum(len(o.findings.broken) for o in outcomes),
        f"{quantile(answered, 0.5):.1f} / {quantile(answered, 0.99):.1f}",
        f"{quantile(trained, 0.5):.1f} / {quantile(trained, 0.99):.1f}",
        f"{sum(o.seconds for o in outcomes) / 60:.0f}",
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _faults(outcomes: Sequence[Outcome]) -> str:
    lasted: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for fault in outcome.struck:
            lasted[fault.what].append(fault.over - fault.began)
    lines = ["| fault | times | seconds that it lasted, median |", "|---|---|---|"]
    lines += [
        f"| {name} | {len(values)} | {statistics.median(values):.1f} |"
        for name, values in sorted(lasted.items())
    ]
    return "\n".join(lines) + "\n"


def _figures(outcomes: Sequence[Outcome]) -> str:
    names = list(dict.fromkeys(name for o in outcomes for name in o.findings.figures))
    lines = ["| | all rounds |", "|---|---|"]
    lines += [f"| {n} | {sum(o.findings.figures.get(n, 0) for o in outcomes):,} |" for n in names]
    return "\n".join(lines) + "\n"


def _violations(outcomes: Sequence[Outcome]) -> str:
    lines = [f"- {o.shape.name}: {sentence}" for o in outcomes for sentence in o.findings.all]
    return "Violations:\n\n" + "\n".join(lines) + "\n" if lines else "No violation.\n"
