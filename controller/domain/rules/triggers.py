"""The sections ``triggers`` and ``limits``: when a model is trained, and how often at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from controller.domain.keys import Declared, Key, Number, Section
from controller.domain.rules.vocabulary import Count, FreeName, MaybeNoTime


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger(Declared):
    """One cause for a training. Any of them is enough; all that hold are recorded on the run.

    What else one says depends on its kind: see :mod:`controller.policy.triggers`.
    """

    section: ClassVar[Section] = Section("triggers[]")
    kind: ClassVar[str]
    name: Annotated[
        FreeName,
        Key(
            "What it is called in explanations and tests.",
            "weekly",
            default_says="its kind",
            required=False,
        ),
    ]
    line: int = 0

    def directed(self, higher_is_better: Mapping[str, bool]) -> Self:
        """With the direction of the team's own metric, where it looks at one."""
        del higher_is_better
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """How long something must last: ``batches`` of the last ``of`` (0: so many in a row), or a span."""

    batches: int = 1
    of: int = 0
    span: timedelta | None = None


ONE_BATCH = Hold()


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits(Declared):
    """How often and how many trainings at once."""

    section: ClassVar[Section] = Section("limits")
    cooldown: Annotated[
        MaybeNoTime,
        Key("The least time between the ends of one training and the start of the next.", "6h"),
    ] = timedelta(0)
    runs_per_day: Annotated[
        Count | None, Key("At most so many trainings in 24 hours.", "4", default_says="no limit")
    ] = None
    concurrency: Annotated[
        int, Number(1, 1000), Key("At most so many trainings of this model at once.", "2")
    ] = 1
    queue_while_running: Annotated[
        Literal["coalesce", "skip"],
        Key(
            "What a cause meets while a training runs: one more training for all of them, or none.",
            "skip",
        ),
    ] = "coalesce"
    line: int = 0
