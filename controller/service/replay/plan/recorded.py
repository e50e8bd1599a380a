"""As much of a recorded decision as a plan looks at in every record: reading all of it takes several times as long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from controller.domain import codec
from controller.domain.runs import RunKind
from controller.policy.decide import CODE
from controller.service.replay.plan.report import PlannedOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedSpec:
    """What a run was ordered to do."""

    kind: RunKind
    recipe: str
    gates: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedAction:
    """An action; only an order of a run has an id and a spec."""

    kind: str
    run: str = ""
    spec: RecordedSpec | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedDecision:
    """A decision of any engine version."""

    verdict: str
    champion_after: int | None
    actions: tuple[RecordedAction, ...]
    code: str = ""

    @classmethod
    def of(cls, text: str) -> RecordedDecision:
        """IntegrityError where ``text`` is none."""
        return codec.load_value(cls, text)

    @property
    def orders(self) -> Iterator[tuple[str, RecordedSpec]]:
        """The runs that it starts."""
        for action in self.actions:
            if action.kind == "start_run" and action.spec is not None:
                yield action.run, action.spec

    @property
    def outcome(self) -> PlannedOutcome | None:
        """What it comes to; None where other code than today's decided."""
        if self.code != CODE:
            return None
        trained = (spec.recipe for _, spec in self.orders if spec.kind is RunKind.TRAIN)
        return PlannedOutcome(
            verdict=self.verdict,
            champion_after=self.champion_after,
            trains=next(trained, None),
        )
