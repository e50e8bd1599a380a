"""``triggers[].new_data``."""

from __future__ import annotations

from typing import Any

from controller.policy.triggers.new_data import NEW_DATA as KIND
from controller.policy.triggers.new_data import NewDataTrigger
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.triggers.base import Place, SeriesFormat, TriggerFormat, Ways
from controller.rulefmt.types import NumberType


def _build(place: Place, values: Values, ways: Ways) -> NewDataTrigger:
    del ways
    return NewDataTrigger(**place, rows=values["rows"], files=values["files"])


def _fill(payload: dict[str, Any], series: Values, value: float) -> None:
    del series
    payload["rows"] = int(value)


NEW_DATA = TriggerFormat(
    kind=KIND,
    section=Section(
        title="triggers[].new_data",
        doc="Fires when enough new rows or files have come since the training that it caused last.",
        keys=(
            Key(
                name="rows",
                type=NumberType(1, whole=True),
                doc="So many new rows.",
                example="20000",
            ),
            Key(
                name="files", type=NumberType(1, whole=True), doc="So many new files.", example="1"
            ),
        ),
        one_of=("rows", "files"),
    ),
    example="{rows: 20000}",
    build=_build,
    event="{rows: 20000}",
    series=SeriesFormat(fill=_fill),
)
