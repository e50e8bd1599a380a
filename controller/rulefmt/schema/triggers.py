"""The sections `triggers` and `limits`: when a model is trained, and how often at most."""

from __future__ import annotations

from typing import Any

from controller.policy.triggers import TRIGGERS, TriggerKind
from controller.rulefmt.keys import key_of
from controller.rulefmt.schema.vocabulary import FREE_NAME
from controller.rulefmt.sections import Key, Section
from controller.rulefmt.types import ChoiceType, Duration, NumberType


def kind_section(kind: TriggerKind[Any]) -> Section:
    """What a policy says of a trigger of this kind."""
    return Section(
        title=f"triggers[].{kind.key}",
        doc=kind.doc,
        keys=tuple(key_of(key) for key in kind.keys),
        one_of=kind.one_of,
        only_with=kind.only_with,
    )


TRIGGER = Section(
    title="triggers[]",
    doc="One cause for a training. Any of them is enough; all that hold are recorded on the run.",
    keys=(
        Key(
            name="name",
            type=FREE_NAME,
            doc="What it is called in explanations and tests.",
            example="weekly",
            default_says="its kind",
        ),
        *(
            Key(name=kind.key, type=kind_section(kind), doc=kind.doc, example=kind.example)
            for kind in TRIGGERS.values()
        ),
    ),
    one_of=tuple(TRIGGERS),
)

LIMITS = Section(
    title="limits",
    doc="How often and how many trainings at once.",
    keys=(
        Key(
            name="cooldown",
            type=Duration(positive=False),
            doc="The least time between the ends of one training and the start of the next.",
            example="6h",
            default="0s",
        ),
        Key(
            name="runs_per_day",
            type=NumberType(1, whole=True),
            doc="At most so many trainings in 24 hours.",
            example="4",
            default_says="no limit",
        ),
        Key(
            name="concurrency",
            type=NumberType(1, 1000, whole=True),
            doc="At most so many trainings of this model at once.",
            example="2",
            default="1",
        ),
        Key(
            name="queue_while_running",
            type=ChoiceType(("coalesce", "skip")),
            doc="What a cause meets while a training runs: one more training for all of them, or none.",
            example="skip",
            default="coalesce",
        ),
    ),
)
