"""Give another recipe its turn: retraining with this one is shown to bring nothing worth its cost."""

from __future__ import annotations

from datetime import timedelta

from controller.domain.decisions import Outcome, Result, TurnRecipe, Verdict
from controller.domain.rules import Unimproving
from controller.domain.snapshot import Trial
from controller.policy.case import Case, Finding
from controller.policy.orders import recipe_in_turn
from controller.policy.phrase import count, duration, moment, percent
from controller.policy.unimproving import Progress, progress, stretched


def give_turn(case: Case) -> Finding | None:
    """Judge the recipe in turn by its trials since it got the turn."""
    section = case.policy.unimproving
    if section is None:
        return None
    recipe = recipe_in_turn(case).name
    trials = tuple(
        trial
        for trial in case.snapshot.trials
        if trial.recipe == recipe and trial.version > case.snapshot.rest.since_version
    )
    found = progress(trials, section.after)
    if found is None or not found.useless(section):
        return None
    return _turn(case, section, recipe, trials, found)


def _turn(
    case: Case, section: Unimproving, recipe: str, trials: tuple[Trial, ...], found: Progress
) -> Finding:
    recipes = case.policy.train.recipes
    index = case.snapshot.recipe_index + 1
    stretches = case.snapshot.rest.stretches + 1
    rest = stretched(_pace(trials), section, stretches)
    until = trials[-1].at + rest
    following = recipes[index % len(recipes)].name
    said = (
        f"{count(found.trials, 'retraining')} with '{recipe}' gained {percent(found.mean)} on "
        f"average and at most {percent(found.upper)}; less than {percent(section.smallest_useful)} "
        "is not useful"
    )
    who = f"'{following}' gets its turn" if following != recipe else f"'{recipe}' is all there is"
    spent = found.seconds / found.trials if found.trials else 0.0
    saved = (
        f", a training of about {spent:,.0f} s of processor time is saved each time"
        if spent
        else ""
    )
    sentence = f"unimproving: {said}; {who} and training rests until {moment(until)}{saved}"
    return Finding(
        node=Outcome(
            name="unimproving",
            result=Result.DONE,
            sentence=sentence,
            values={
                "trials": found.trials,
                "mean": found.mean,
                "upper": found.upper,
                "smallest_useful": section.smallest_useful,
                "rest": duration(rest),
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
            *case.notices("unimproving", sentence),
        ),
    )


def _pace(trials: tuple[Trial, ...]) -> timedelta:
    """The usual time between two trainings."""
    if len(trials) < 2:
        return timedelta(days=1)
    return (trials[-1].at - trials[0].at) / (len(trials) - 1)
