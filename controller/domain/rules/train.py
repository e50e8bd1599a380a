"""The section ``train``: how challengers are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar, TypeGuard

from controller.domain.keys import (
    Checked,
    Declared,
    Fault,
    Key,
    Keyed,
    Listed,
    Number,
    Said,
    Section,
    Size,
    Text,
    narrowed,
    told_apart,
)
from controller.domain.rules.vocabulary import FREE_NAME, Entrypoint, FreeName, MetricName


def _space_problem(value: object) -> str | None:
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
    low, high = value.get("low"), value.get("high")
    if not _is_number(low) or not _is_number(high):
        return "needs the numbers low and high"
    if low >= high:
        return "needs a low below its high"
    if value.get("log") and low <= 0:
        return "needs a low above 0 where log is true"
    return None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, kw_only=True, slots=True)
class Search(Declared):
    """A search for parameters inside one training: trials fit the older four fifths of the training rows and are
    ranked on the newest fifth; the best parameters train the challenger on all of them.
    """

    section: ClassVar[Section] = Section("train.search")
    trials: Annotated[int, Number(1, 100_000), Key("How many parameter sets are tried.", "40")]
    metric: Annotated[
        MetricName, Key("The metric that ranks the trials, on a part of the training rows.", "mae")
    ]
    space: Annotated[
        Mapping[str, Annotated[Any, Checked(_space_problem)]],
        Keyed(FREE_NAME, "parameter"),
        Key(
            "By parameter: a list of the values to try, or a range (of whole numbers, if both its ends are).",
            "{depth: [3, 6, 9], rate: {low: 0.01, high: 0.3, log: true}}",
        ),
    ]
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""


@dataclass(frozen=True, kw_only=True)
class _How(Declared):
    """The keys of one way to train. Without slots: a class can inherit it beside one that has them."""

    entrypoint: Annotated[
        Entrypoint | None,
        Key("The Python function that trains: `def train(run): ...`.", '"flights.train:gbm"'),
    ] = None
    command: Annotated[
        tuple[str, ...] | None,
        Listed(least=1),
        Key(
            "A command that trains, as a list of arguments; no shell reads it.",
            '[Rscript, train.R, "--fast"]',
        ),
    ] = None
    params: Annotated[
        Mapping[str, Any],
        Keyed(FREE_NAME, "parameter"),
        Key("Parameters handed to the training code.", "{depth: 6}"),
    ] = field(default_factory=dict)
    search: Annotated[
        Search | None,
        Key(
            "A search for parameters inside one training.",
            "{trials: 40, metric: mae, space: {depth: [3, 6, 9]}}",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe(_How):
    """One way to train.

    A Python entry point ``module:function`` or a command, never both.
    """

    section: ClassVar[Section] = Section("train.recipes[]", one_of=("entrypoint", "command"))
    name: Annotated[FreeName, Key("What it is called.", "gbm", before="entrypoint")]
    line: int = 0

    def directed(self, higher_is_better: Mapping[str, bool]) -> Recipe:
        """With the direction of the team's own metric that ranks its trials."""
        if self.search is None:
            return self
        known = higher_is_better.get(self.search.metric)
        return replace(self, search=replace(self.search, higher_is_better=known))


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSection(Declared):
    """How challengers are made. Recipes are tried in order; ``memory`` is a limit in bytes."""

    recipes: tuple[Recipe, ...]
    window: Annotated[
        timedelta | None,
        Key(
            "Train on the newest span of the time column only.",
            "180d",
            default_says="all rows before the holdout",
        ),
    ] = None
    seed: Annotated[int, Number(0, 2**32 - 1), Key("The seed that the run is given.", "7")] = 0
    timeout: Annotated[
        timedelta, Key("A training that takes longer is ended and counts as failed.", "2h")
    ] = timedelta(hours=1)
    retries: Annotated[
        int,
        Number(0, 100),
        Key(
            "How often a training begins again after its worker was lost; a training that fails is not repeated.",
            "2",
        ),
    ] = 1
    queue: Annotated[
        str,
        Text("a queue's name", r"[A-Za-z0-9][A-Za-z0-9._-]*", 100, label="name"),
        Key("The queue whose workers train this model.", "gpu"),
    ] = "default"
    memory: Annotated[
        int | None,
        Size(),
        Key(
            "A training that takes more memory is ended and counts as failed.",
            "4GiB",
            default_says="no limit",
        ),
    ] = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenTrain(TrainSection, _How):
    """How challengers are made: one way, or several recipes that are tried in order."""

    section: ClassVar[Section] = Section(
        "train",
        one_of=("entrypoint", "command", "recipes"),
        only_with={"params": ("entrypoint", "command"), "search": ("entrypoint", "command")},
    )
    recipes: Annotated[
        tuple[Recipe, ...],
        Listed(least=1, most=50),
        Key(
            "Ways to train, tried in order: one that no longer improves makes way for the next.",
            '[{name: gbm, entrypoint: "flights.train:gbm"}]',
        ),
    ] = ()

    def faults(self, said: Said) -> Iterable[Fault]:
        """Two recipes of one name."""
        del said
        named = [(r.name, r.line, ("recipes", at)) for at, r in enumerate(self.recipes)]
        return told_apart("recipes", named, "rename one of them")

    def meant(self, said: Said) -> TrainSection:
        """One way to train is a list of one recipe."""
        del said
        recipes = self.recipes or (narrowed(self, Recipe, name="default"),)
        return narrowed(self, TrainSection, recipes=recipes)
