"""``triggers[].webhook``."""

from __future__ import annotations

from controller.policy.triggers.webhook import WEBHOOK as KIND
from controller.policy.triggers.webhook import WebhookTrigger
from controller.rulefmt.schema.vocabulary import EVENT_TYPE
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.triggers.base import Place, TriggerFormat, Ways


def _build(place: Place, values: Values, ways: Ways) -> WebhookTrigger:
    del ways
    return WebhookTrigger(**place, type=values["type"])


WEBHOOK = TriggerFormat(
    kind=KIND,
    section=Section(
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
    ),
    example="{type: com.example.labels.ready}",
    build=_build,
    event="{}",
    series=None,
)
