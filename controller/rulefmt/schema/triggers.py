"""The sections `triggers` and `limits`: when a model is trained, and how often at most."""

from __future__ import annotations

from dataclasses import replace

from controller.domain.drift import DriftMetric
from controller.rulefmt.names import TRIGGER_KINDS
from controller.rulefmt.schema.vocabulary import COLUMN, EVENT_TYPE, FREE_NAME, METRIC
from controller.rulefmt.sections import Key, Section
from controller.rulefmt.types import (
    Amount,
    ChoiceType,
    Cron,
    Duration,
    Hold,
    ListOf,
    NumberType,
    ReferenceWindow,
    TimeZone,
)

DISTANCES = tuple(metric.value for metric in DriftMetric)
"""Distances of two profiles that a trigger may name."""

MISMATCH_METRIC = "mismatch_rate"
"""The share of rows whose logged feature is not the one that the data give for the same key."""

_FOR = (
    Key(
        name="for",
        type=Hold(),
        doc="How long the condition must hold before the trigger fires; until then it is pending.",
        example="2 batches",
        default="1 batch",
    ),
    Key(
        name="keep_firing_for",
        type=Duration(),
        doc="How long the trigger keeps firing after the condition no longer holds, against flapping.",
        example="1d",
        default_says="not at all",
    ),
)


_FOR_DRIFT = (
    replace(_FOR[0], example="2 of 3 batches", default="2 of 3 batches"),
    _FOR[1],
)


def _distance(
    title: str,
    doc: str,
    metrics: tuple[str, ...],
    held: tuple[Key, ...],
    more: tuple[Key, ...] = (),
) -> Section:
    return Section(
        title=title,
        doc=doc,
        keys=(
            Key(
                name="metric",
                type=ChoiceType(metrics),
                doc="The distance of the two distributions of a column.",
                example="jensen_shannon",
                default="psi",
            ),
            Key(
                name="above",
                type=NumberType(0),
                doc="The threshold.",
                example="0.2",
                default_says="where the column's verdict is an alert (docs/reference/drift.md)",
            ),
            Key(
                name="columns",
                type=ListOf(COLUMN, least=1, unique=True),
                doc="The columns that are looked at; one above the threshold is enough.",
                example="[distance, carrier]",
                default_says="all features",
            ),
            *held,
            *more,
        ),
    )


SCHEDULE = Section(
    title="triggers[].schedule",
    doc="Fires at times. After a downtime it catches up once.",
    keys=(
        Key(
            name="cron",
            type=Cron(),
            doc="Minute, hour, day of month, month, weekday (0 and 7 are Sunday).",
            example='"0 3 * * 1"',
        ),
        Key(name="every", type=Duration(), doc="An interval instead of a cron line.", example="6h"),
        Key(
            name="timezone",
            type=TimeZone(),
            doc="Whose wall clock the cron line means.",
            example="Europe/Berlin",
            default="UTC",
        ),
    ),
    one_of=("cron", "every"),
    only_with={"timezone": ("cron",)},
)

NEW_DATA = Section(
    title="triggers[].new_data",
    doc="Fires when enough new rows or files have come since the training that it caused last.",
    keys=(
        Key(name="rows", type=NumberType(1, whole=True), doc="So many new rows.", example="20000"),
        Key(name="files", type=NumberType(1, whole=True), doc="So many new files.", example="1"),
    ),
    one_of=("rows", "files"),
)

DRIFT_SECTION = _distance(
    "triggers[].drift",
    "Fires when new rows no longer look like the reference.",
    DISTANCES,
    _FOR_DRIFT,
    (
        Key(
            name="reference",
            type=ReferenceWindow(),
            doc="What new rows are compared with: the champion's training rows, the batch before, the same days "
            "of the year before, or the rows of a window of time, its first day and the day after its last.",
            example="same_season",
            default="training",
        ),
    ),
)

SKEW = _distance(
    "triggers[].skew",
    "Fires when the rows that are served (`data.served`) no longer look like the training rows.",
    (*DISTANCES, MISMATCH_METRIC),
    _FOR,
)

DECAY = Section(
    title="triggers[].decay",
    doc="Fires when the champion has become worse, by labels that came since.",
    keys=(
        Key(
            name="metric",
            type=METRIC,
            doc="The metric, computed over the window's labels.",
            example="mae",
            required=True,
        ),
        Key(
            name="worse_than",
            type=ChoiceType(("training", "previous", "anchor", "baseline")),
            doc="What it is compared with; `training` is the champion's own value when it was promoted.",
            example="previous",
            default="training",
        ),
        Key(
            name="margin",
            type=Amount(),
            doc="How much worse it must be.",
            example="10%",
            default="0",
        ),
        Key(
            name="window",
            type=Duration(),
            doc="The span of labels that is looked at.",
            example="7d",
            default="7d",
        ),
        Key(
            name="min_labels",
            type=NumberType(1, whole=True),
            doc="With fewer labels in the window it does not fire.",
            example="1000",
            default="100",
        ),
        Key(
            name="test",
            type=ChoiceType(("sequence", "adwin", "page_hinkley")),
            doc="What proves it: a test of the metric by day that holds at every look, or a detector of `river` over "
            "the losses row by row (extra `streams`).",
            example="page_hinkley",
            default="sequence",
        ),
        *_FOR,
    ),
)

WEBHOOK = Section(
    title="triggers[].webhook",
    doc="Fires on an event that was delivered to the API.",
    keys=(
        Key(
            name="type",
            type=EVENT_TYPE,
            doc="The CloudEvents type that it listens to.",
            example="com.example.labels.ready",
            required=True,
        ),
    ),
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
        Key(name="schedule", type=SCHEDULE, doc=SCHEDULE.doc, example='{cron: "0 3 * * 1"}'),
        Key(name="new_data", type=NEW_DATA, doc=NEW_DATA.doc, example="{rows: 20000}"),
        Key(
            name="drift",
            type=DRIFT_SECTION,
            doc=DRIFT_SECTION.doc,
            example="{metric: psi, above: 0.2}",
        ),
        Key(name="decay", type=DECAY, doc=DECAY.doc, example="{metric: mae, margin: 10%}"),
        Key(name="skew", type=SKEW, doc=SKEW.doc, example="{metric: jensen_shannon, above: 0.1}"),
        Key(
            name="webhook",
            type=WEBHOOK,
            doc=WEBHOOK.doc,
            example="{type: com.example.labels.ready}",
        ),
    ),
    one_of=TRIGGER_KINDS,
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
