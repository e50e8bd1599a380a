"""``triggers[].decay``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controller.domain.rules import Margin, Reference, Trigger
from controller.policy.triggers.decay import DECAY as KIND
from controller.policy.triggers.decay import DecayTrigger
from controller.rulefmt.problems import one_of
from controller.rulefmt.schema.vocabulary import METRIC
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.testcases import RuleTestEvent
from controller.rulefmt.triggers.base import Place, SeriesFormat, TriggerFormat, Ways
from controller.rulefmt.triggers.watched import HELD, read_held
from controller.rulefmt.types import Amount, ChoiceType, Duration, NumberType


def _build(place: Place, values: Values, ways: Ways) -> DecayTrigger:
    margin, relative = values["margin"]
    return DecayTrigger(
        **place,
        metric=values["metric"],
        worse_than=Reference(values["worse_than"]),
        margin=Margin(value=float(margin), relative=relative),
        window=values["window"],
        min_labels=values["min_labels"],
        test=values["test"],
        higher_is_better=ways.get(values["metric"]),
        **read_held(values),
    )


def _fill(payload: dict[str, Any], series: Values, value: float) -> None:
    payload.update(
        metric=series["decay"],
        value=value,
        reference=float(series["reference"]),
        labels=series["labels"],
    )


def _check_event(event: RuleTestEvent, triggers: Iterable[Trigger]) -> str | None:
    metrics = {trigger.metric for trigger in triggers if isinstance(trigger, DecayTrigger)}
    if not metrics or event.payload.get("metric") in metrics:
        return None
    return f"the decay trigger looks at {one_of(sorted(metrics))}"


DECAY = TriggerFormat(
    kind=KIND,
    section=Section(
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
                doc="What proves it: a test of the metric by day that holds at every look, or a detector of `river` "
                "over the losses row by row (extra `streams`).",
                example="page_hinkley",
                default="sequence",
            ),
            *HELD,
        ),
    ),
    example="{metric: mae, margin: 10%}",
    build=_build,
    event="{}",
    series=SeriesFormat(fill=_fill),
    check_event=_check_event,
)
