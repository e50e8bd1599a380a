"""The section `data`: where rows come from and what their columns mean."""

from __future__ import annotations

from controller.rulefmt.problems import Problems
from controller.rulefmt.schema.vocabulary import COLUMN
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.types import (
    Anything,
    Boolean,
    ChoiceType,
    Duration,
    ListOf,
    MapOf,
    NumberType,
    Share,
    Text,
)


def _columns_differ(data: Values, where: str, problems: Problems) -> None:
    for name in ("time", "key"):
        if data.has(name) and data[name] == data["target"]:
            message = (
                f"`{where}.{name}` and `{where}.target` name the same column `{data['target']}`"
            )
            problems.add(data.at(name), "same-column", message)
    if data["features"] and data["target"] in data["features"]:
        message = f"`{where}.features` contains the target `{data['target']}`: the model would see the answer"
        problems.add(data.at("features"), "target-is-feature", message)
    if data["holdout"] is not None and data["holdout"].has("last") and not data.has("time"):
        message = f"`{where}.holdout.last` is a span of time, and `{where}.time` names no column"
        problems.add(data["holdout"].at("last"), "no-time-column", message, "add `time: COLUMN`")
    if data["holdout"] is not None and data["holdout"]["by"] == "time" and not data.has("time"):
        message = (
            f"`{where}.holdout.by: time` needs a column of time, and `{where}.time` is missing"
        )
        problems.add(data["holdout"].at("by"), "no-time-column", message, "add `time: COLUMN`")
    if data.has("label_delay") and data["label_delay"] and not data.has("time"):
        message = f"`{where}.label_delay` needs to know when a row happened, and `{where}.time` is missing"
        problems.add(data.at("label_delay"), "no-time-column", message, "add `time: COLUMN`")


def _served_rows_meet(data: Values, where: str, problems: Problems) -> None:
    served = data["served"]
    if served is not None and served.has("prediction") and not data.has("key"):
        message = f"`{where}.served.prediction` meets its label by `{where}.key`, which is missing"
        problems.add(served.at("prediction"), "missing-key", message, "add `key: COLUMN`")


def _group_is_named(holdout: Values, where: str, problems: Problems) -> None:
    by_group = holdout["by"] == "group"
    if by_group and not holdout.has("group"):
        problems.add(
            holdout.at("by"), "missing-key", f"`{where}.by: group` needs `{where}.group: COLUMN`"
        )
    if holdout.has("group") and not by_group:
        message = f"`{where}.group` has an effect only with `by: group`"
        problems.add(holdout.at("group"), "without-effect", message)
    if holdout.has("last") and holdout["by"] not in (None, "time"):
        message = f"`{where}.last` has an effect only with `by: time`"
        problems.add(holdout.at("last"), "without-effect", message, "use `fraction: 20%`")


def _bounds_are_ordered(bounds: Values, where: str, problems: Problems) -> None:
    low, high = bounds["min"], bounds["max"]
    if low is not None and high is not None and low > high:
        message = f"nothing satisfies `{where}`: min {low:g} is above max {high:g}"
        problems.add(bounds.at("max"), "empty-range", message)


def _rows_are_ordered(bounds: Values, where: str, problems: Problems) -> None:
    low, high = bounds["min_rows"], bounds["max_rows"]
    if low is not None and high is not None and low > high:
        message = f"nothing satisfies `{where}`: min_rows {low} is above max_rows {high}"
        problems.add(bounds.at("max_rows"), "empty-range", message)


EXPECT_COLUMN = Section(
    title="data.expect.COLUMN",
    doc="What every batch must satisfy in one column; a batch that breaks it is quarantined.",
    keys=(
        Key(
            name="max_null_rate",
            type=Share(),
            doc="The largest share of missing values.",
            example="0",
        ),
        Key(name="min", type=NumberType(), doc="No value below this.", example="0"),
        Key(name="max", type=NumberType(), doc="No value above this.", example="5000"),
        Key(
            name="allowed",
            type=ListOf(Anything(), least=1),
            doc="No value outside of this list.",
            example="[EWR, JFK, LGA]",
        ),
        Key(name="unique", type=Boolean(), doc="No value twice in a batch.", example="true"),
        Key(
            name="type",
            type=ChoiceType(("number", "integer", "text", "boolean", "timestamp")),
            doc="What the column holds.",
            example="number",
        ),
        Key(
            name="max_age",
            type=Duration(),
            doc="The newest time in the column is not older than this when the batch is read.",
            example="2d",
        ),
    ),
    checks=(_bounds_are_ordered,),
)

EXPECT_BATCH = Section(
    title="data.expect_batch",
    doc="What every batch must satisfy as a whole; a batch that breaks it is quarantined.",
    keys=(
        Key(
            name="min_rows",
            type=NumberType(1, whole=True),
            doc="At least so many rows.",
            example="100",
        ),
        Key(
            name="max_rows",
            type=NumberType(1, whole=True),
            doc="At most so many rows.",
            example="1000000",
        ),
        Key(
            name="sql",
            type=Text("an SQL condition", longest=2000),
            doc="A condition in DuckDB's SQL that is true for every row; a worker computes it.",
            example='"arr_delay > -300 or cancelled"',
        ),
    ),
    checks=(_rows_are_ordered,),
)

HOLDOUT = Section(
    title="data.holdout",
    doc="The newest labelled rows, kept from training, on which challenger and champion are compared.",
    keys=(
        Key(
            name="last",
            type=Duration(),
            doc="The newest span of the time column.",
            example="14d",
        ),
        Key(
            name="fraction",
            type=Share(most=0.9, positive=True),
            doc="The newest share of the rows (by time where a time column is named).",
            example="20%",
            default_says="`20%` where `last` is not given",
        ),
        Key(
            name="min_rows",
            type=NumberType(1, whole=True),
            doc="With fewer rows no gate can pass.",
            example="5000",
            default="100",
        ),
        Key(
            name="by",
            type=ChoiceType(("time", "rows", "group")),
            doc="What is kept together: the newest rows by time, the last rows as they come, or whole groups.",
            example="group",
            default_says="`time` where `data.time` is given, else `rows`",
        ),
        Key(
            name="group",
            type=COLUMN,
            doc="The column whose values form the groups of `by: group`.",
            example="customer_id",
        ),
    ),
    one_of=(),
    checks=(_group_is_named,),
)

SERVED = Section(
    title="data.served",
    doc="The serving log: what was asked of the model, and what it answered. `skew` and late labels need it.",
    keys=(
        Key(
            name="source",
            type=Text("a path, glob or URL", longest=1000),
            doc="Where it is written, as `data.source`.",
            example='"logs/*.parquet"',
            required=True,
        ),
        Key(name="time", type=COLUMN, doc="When a row was served.", example="served_at"),
        Key(
            name="prediction",
            type=COLUMN,
            doc="What the model answered; joined by `data.key` with the label when it comes. Without it the champion "
            "is asked again.",
            example="prediction",
        ),
        Key(
            name="version",
            type=COLUMN,
            doc="The number of the version that answered; rows of others are left out.",
            example="model_version",
        ),
    ),
)

DATA = Section(
    title="data",
    doc="Where rows come from and what their columns mean.",
    keys=(
        Key(
            name="source",
            type=Text("a path, glob or URL", longest=1000),
            doc="Files (a path or glob, Parquet or CSV), a SQL table, a Delta or an Iceberg table.",
            example='"data/flights/*.parquet"',
            required=True,
        ),
        Key(
            name="target",
            type=COLUMN,
            doc="The column to predict.",
            example="arr_delay",
            required=True,
        ),
        Key(
            name="time",
            type=COLUMN,
            doc="When a row happened; the holdout, windows and late labels follow it.",
            example="time_hour",
        ),
        Key(
            name="key",
            type=COLUMN,
            doc="Identifies a row; joins predictions with labels that come late.",
            example="flight_id",
        ),
        Key(
            name="label_delay",
            type=Duration(positive=False),
            doc="How long after a row its label is known; younger rows are neither training nor holdout.",
            example="2d",
            default="0s",
        ),
        Key(
            name="features",
            type=ListOf(COLUMN, least=1, unique=True),
            doc="The columns that the model may see.",
            example="[carrier, origin, dest]",
            default_says="all columns but target and key",
        ),
        Key(
            name="expect",
            type=MapOf(COLUMN, EXPECT_COLUMN, "column"),
            doc="What every batch must satisfy, by column.",
            example="{carrier: {max_null_rate: 0}}",
        ),
        Key(
            name="expect_batch",
            type=EXPECT_BATCH,
            doc="What every batch must satisfy as a whole.",
            example="{min_rows: 100}",
        ),
        Key(
            name="holdout",
            type=HOLDOUT,
            doc="The rows on which challenger and champion are compared.",
            example="{last: 14d, min_rows: 5000}",
        ),
        Key(
            name="poll",
            type=Duration(),
            doc="How often the source is looked at where it cannot be watched.",
            example="5m",
            default_says="the server's setting",
        ),
        Key(
            name="served",
            type=SERVED,
            doc=SERVED.doc,
            example='{source: "logs/*.parquet", time: served_at, prediction: prediction}',
        ),
    ),
    checks=(_columns_differ, _served_rows_meet),
)
