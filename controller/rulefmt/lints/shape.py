"""What a lint is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from controller.domain.metrics import find_metric
from controller.domain.rules import Policy

Severity = Literal["danger", "advice"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a lint applies: a line of the policy, what is there, and what to write instead."""

    line: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One lint. ``stops`` says which failure it stops, in one sentence.

    ``danger`` makes `incumbent check` answer no; ``advice`` is shown, and counts with `--strict`.
    """

    name: str
    stops: str
    severity: Severity
    look: Callable[[Policy], Iterable[Hit]]


def lower_is_better(policy: Policy, metric: str) -> bool | None:
    """Which way a metric is better: as the policy says, else as everybody knows, else None."""
    if metric in policy.metrics:
        return not policy.metrics[metric]
    known = find_metric(metric)
    return None if known is None else known.lower_is_better
