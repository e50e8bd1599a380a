"""The sections `triggers` and `limits`: when a model is trained, and how often at most."""

from __future__ import annotations

from controller.rulefmt.schema.vocabulary import FREE_NAME
from controller.rulefmt.sections import Key, Section
from controller.rulefmt.triggers.registry import FORMATS
from controller.rulefmt.types import ChoiceType, Duration, NumberType

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
            Key(name=key, type=item.section, doc=item.section.doc, example=item.example)
            for key, item in FORMATS.items()
        ),
    ),
    one_of=tuple(FORMATS),
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
