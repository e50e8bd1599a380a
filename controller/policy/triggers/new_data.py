"""``new_data``: fires when enough new rows or files have come since the training that it caused last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from controller.domain.decisions import Result
from controller.domain.keys import Key, Section
from controller.domain.rules import Trigger
from controller.domain.rules.vocabulary import Count
from controller.domain.signals import Signal, SignalKind
from controller.policy.context import DecisionContext
from controller.policy.phrase import count
from controller.policy.triggers.base import SeriesFormat, TriggerKind, TriggerVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDataTrigger(Trigger):
    """Fires when enough new rows or files have come since the training that it caused last."""

    section: ClassVar[Section] = Section("triggers[].new_data", one_of=("rows", "files"))
    kind: ClassVar[str] = "new_data"
    rows: Annotated[Count | None, Key("So many new rows.", "20000")] = None
    files: Annotated[Count | None, Key("So many new files.", "1")] = None


@dataclass(frozen=True, kw_only=True)
class NewDataKind(TriggerKind[NewDataTrigger]):
    """The signals wait until their rows or files add up."""

    def evaluate(
        self, context: DecisionContext, trigger: NewDataTrigger, signals: tuple[Signal, ...]
    ) -> TriggerVerdict:
        del context
        rows = sum(int(s.payload.get("rows") or 0) for s in signals)
        files = sum(int(s.payload.get("files") or 1) for s in signals)
        have, want, noun = (
            (rows, trigger.rows, "row")
            if trigger.rows is not None
            else (files, trigger.files, "file")
        )
        want = want or 1
        if have >= want:
            result, words = Result.FIRING, f"{count(have, f'new {noun}')}, {want:,} needed"
        elif signals:
            result, words = Result.PENDING, f"{have:,} of {want:,} new {noun}s"
        else:
            result, words = Result.INACTIVE, "no new data"
        return TriggerVerdict(
            trigger=trigger.name,
            result=result,
            sentence=words,
            signals=signals,
            values={"have": have, "need": want, "unit": noun},
            line=trigger.line or None,
        )

    def unrecorded(
        self, trigger: NewDataTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        del trigger, before
        return None if found else f"no {self.key} signal was recorded"


def _fill(payload: dict[str, Any], series: Mapping[str, Any], value: float) -> None:
    del series
    payload["rows"] = int(value)


NEW_DATA = NewDataKind(
    key="new_data",
    example="{rows: 20000}",
    event="{rows: 20000}",
    series=SeriesFormat(fill=_fill),
    value=NewDataTrigger,
    signal=SignalKind.NEW_DATA,
    also=(SignalKind.RELEASE_BATCH,),
    lints=(),
    is_sendable=False,
)
