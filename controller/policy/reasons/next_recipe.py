"""Give another recipe its turn: retraining with this one is shown to bring nothing worth its cost."""

from __future__ import annotations

from datetime import timedelta

from controller.domain.decisions import Outcome, Result, TurnRecipe, Verdict
from controller.domain.durations import format_duration
from controller.domain.rules import Unimproving
from controller.domain.snapshot import Trial
from controller.policy.context import DecisionContext, ReasonResult
from controller.policy.phrase import count, format_time_utc, percent
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import recipe_in_turn
from controller.policy.unimproving import RetrainingProgress, mean_gain_bound, stretched


def next_recipe(context: DecisionContext) -> ReasonResult | None:
    """Judge the recipe in turn by its trials since it got the turn."""
    section = context.policy.unimproving
    if section is None:
        return None
    recipe = recipe_in_turn(context).name
    trials = tuple(
        trial
        for trial in context.snapshot.trials
        if trial.recipe == recipe and trial.version > context.snapshot.rest.since_version
    )
    found = mean_gain_bound(trials, section.after)
    if found is None or not found.useless(section):
        return None
    return _turn(context, section, recipe, trials, found)


def _turn(
    context: DecisionContext,
    section: Unimproving,
    recipe: str,
    trials: tuple[Trial, ...],
    found: RetrainingProgress,
) -> ReasonResult:
    recipes = context.policy.train.recipes
    index = context.snapshot.recipe_index + 1
    stretches = context.snapshot.rest.stretches + 1
    rest = stretched(_pace(trials), section, stretches)
    until = trials[-1].at + rest
    following = recipes[index % len(recipes)].name
    said = (
        f"{count(found.trials, 'retraining')} with '{recipe}' gained {percent(found.mean)} on "
        f"average and at most {percent(found.upper)}; less than {percent(section.smallest_useful)} "
        "is not useful"
    )
    who = f"'{following}' is next" if following != recipe else f"'{recipe}' is the only recipe"
    spent = found.seconds / found.trials if found.trials else 0.0
    saved = (
        f", a training of about {spent:,.0f} s of processor time is saved each time"
        if spent
        else ""
    )
    sentence = (
        f"unimproving: {said}; {who} and training is paused until {format_time_utc(until)}{saved}"
    )
    return ReasonResult(
        node=Outcome(
            name="unimproving",
            result=Result.DONE,
            sentence=sentence,
            values={
                "trials": found.trials,
                "mean": found.mean,
                "upper": found.upper,
                "smallest_useful": section.smallest_useful,
                "rest": format_duration(rest),
            },
            line=section.line or None,
        ),
        verdict=Verdict.NONE,
        actions=(
            TurnRecipe(
                index=index % len(recipes),
                stretches=stretches,
                until=until,
                since_version=trials[-1].version,
                reason=sentence,
            ),
            *context.notices("unimproving", sentence),
        ),
    )


def _pace(trials: tuple[Trial, ...]) -> timedelta:
    """The usual time between two trainings."""
    if len(trials) < 2:
        return timedelta(days=1)
    return (trials[-1].at - trials[0].at) / (len(trials) - 1)


NEXT_RECIPE = Reason(
    key="next_recipe",
    doc="Gives another recipe its turn, where this one is shown to bring nothing worth its cost.",
    rank="a recipe that brings nothing is replaced before it is trained again",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=False,
    evaluate=next_recipe,
)
