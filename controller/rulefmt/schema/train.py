"""The section `train`: how challengers are made."""

from __future__ import annotations

from typing import Any

from controller.rulefmt.problems import Problems
from controller.rulefmt.schema.vocabulary import ENTRYPOINT, FREE_NAME, METRIC
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.types import (
    Anything,
    Checked,
    Duration,
    ListOf,
    MapOf,
    NumberType,
    Size,
    Text,
)


def _space_entry(value: Any) -> str | None:
    """A list of plain values, or a range."""
    if isinstance(value, list):
        plain = all(isinstance(v, (str, int, float, bool)) or v is None for v in value)
        return (
            None
            if value and plain
            else "must list at least one value, each a number, a text or a truth value"
        )
    if not isinstance(value, dict):
        return "must be a list of values, or a range like {low: 0.01, high: 0.3, log: true}"
    unknown = sorted(set(value) - {"low", "high", "log"})
    if unknown:
        return f"knows low, high and log, not {unknown[0]}"
    ends: list[Any] = [value.get("low"), value.get("high")]
    if any(isinstance(end, bool) or not isinstance(end, (int, float)) for end in ends):
        return "needs the numbers low and high"
    if ends[0] >= ends[1]:
        return "needs a low below its high"
    if value.get("log") and ends[0] <= 0:
        return "needs a low above 0 where log is true"
    return None


SEARCH = Section(
    title="train.search",
    doc="A search for parameters inside one training: trials fit the older four fifths of the training rows and are "
    "ranked on the newest fifth; the best parameters train the challenger on all of them.",
    keys=(
        Key(
            name="trials",
            type=NumberType(1, 100_000, whole=True),
            doc="How many parameter sets are tried.",
            example="40",
            required=True,
        ),
        Key(
            name="metric",
            type=METRIC,
            doc="The metric that ranks the trials, on a part of the training rows.",
            example="mae",
            required=True,
        ),
        Key(
            name="space",
            type=MapOf(FREE_NAME, Checked(Anything(), _space_entry), "parameter"),
            doc="By parameter: a list of the values to try, or a range (of whole numbers, if both its ends are).",
            example="{depth: [3, 6, 9], rate: {low: 0.01, high: 0.3, log: true}}",
            required=True,
        ),
    ),
)

_HOW = (
    Key(
        name="entrypoint",
        type=ENTRYPOINT,
        doc="The Python function that trains: `def train(run): ...`.",
        example='"flights.train:gbm"',
    ),
    Key(
        name="command",
        type=ListOf(Text("text"), least=1),
        doc="A command that trains, as a list of arguments; no shell reads it.",
        example='[Rscript, train.R, "--fast"]',
    ),
    Key(
        name="params",
        type=MapOf(FREE_NAME, Anything(), "parameter"),
        doc="Parameters handed to the training code.",
        example="{depth: 6}",
    ),
    Key(
        name="search",
        type=SEARCH,
        doc="A search for parameters inside one training.",
        example="{trials: 40, metric: mae, space: {depth: [3, 6, 9]}}",
    ),
)

RECIPE = Section(
    title="train.recipes[]",
    doc="One way to train.",
    keys=(
        Key(name="name", type=FREE_NAME, doc="What it is called.", example="gbm", required=True),
        *_HOW,
    ),
    one_of=("entrypoint", "command"),
)


def _recipes_differ(train: Values, _where: str, problems: Problems) -> None:
    seen: dict[str, int] = {}
    for recipe in train["recipes"] or ():
        name = recipe["name"]
        if name in seen:
            message = f"two recipes are called `{name}`, the first on line {seen[name]}"
            problems.add(recipe.at("name"), "same-name", message, "rename one of them")
        seen.setdefault(name, recipe.line)


TRAIN = Section(
    title="train",
    doc="How challengers are made: one way, or several recipes that are tried in order.",
    keys=(
        *_HOW,
        Key(
            name="recipes",
            type=ListOf(RECIPE, least=1, most=50),
            doc="Ways to train, tried in order: one that no longer improves makes way for the next.",
            example='[{name: gbm, entrypoint: "flights.train:gbm"}]',
        ),
        Key(
            name="window",
            type=Duration(),
            doc="Train on the newest span of the time column only.",
            example="180d",
            default_says="all rows before the holdout",
        ),
        Key(
            name="seed",
            type=NumberType(0, 2**32 - 1, whole=True),
            doc="The seed that the run is given.",
            example="7",
            default="0",
        ),
        Key(
            name="timeout",
            type=Duration(),
            doc="A training that takes longer is ended and counts as failed.",
            example="2h",
            default="1h",
        ),
        Key(
            name="retries",
            type=NumberType(0, 100, whole=True),
            doc="How often a training begins again after its worker was lost; a training that fails is not repeated.",
            example="2",
            default="1",
        ),
        Key(
            name="queue",
            type=Text("a queue's name", r"[A-Za-z0-9][A-Za-z0-9._-]*", 100, label="name"),
            doc="The queue whose workers train this model.",
            example="gpu",
            default="default",
        ),
        Key(
            name="memory",
            type=Size(),
            doc="A training that takes more memory is ended and counts as failed.",
            example="4GiB",
            default_says="no limit",
        ),
    ),
    one_of=("entrypoint", "command", "recipes"),
    only_with={"params": ("entrypoint", "command"), "search": ("entrypoint", "command")},
    checks=(_recipes_differ,),
)
