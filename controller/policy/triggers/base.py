"""What every kind of trigger must say of itself. A kind that leaves one out cannot be made, so it fails at import."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from controller.domain.decisions import Outcome, Result
from controller.domain.rules import Trigger
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalKind
from controller.policy.context import DecisionContext

T = TypeVar("T", bound=Trigger)


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerVerdict:
    """One trigger's state, the signals that made it so, and those that it is done with.

    ``spent`` are signals that can no longer make it fire, with the reason they are told.
    """

    trigger: str
    result: Result
    sentence: str
    signals: tuple[Signal, ...] = ()
    spent: tuple[Signal, ...] = ()
    values: Mapping[str, Any] | None = None
    line: int | None = None
    wake_at: datetime | None = None

    @property
    def node(self) -> Outcome:
        """The trigger as a node of the outcome tree."""
        return Outcome(
            name=self.trigger,
            result=self.result,
            sentence=self.sentence,
            values=self.values or {},
            line=self.line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFormat:
    """How a rule test's series of this kind becomes signals. ``fill`` writes one step's value into a payload.

    ``is_merged``: all series of the kind that have a value at one time come in one signal.
    """

    fill: Callable[[dict[str, Any], Mapping[str, Any], float], None]
    is_merged: bool = False


@dataclass(frozen=True, kw_only=True)
class TriggerKind(ABC, Generic[T]):
    """One kind of trigger. The attributes without a default must be said; so must the abstract methods."""

    key: str
    """Its key in a policy, and the word for it everywhere else."""
    example: str
    """Its section in a policy, as YAML on one line."""
    event: str | None
    """An example of the payload of a rule test's signal; None: the signals come by themselves."""
    series: SeriesFormat | None
    """How a rule test's series is read; None: it has no series."""
    value: type[T]
    """What a policy holds of it: its fields are the keys, its docstring says when it fires."""
    signal: SignalKind
    """The signals that feed it."""
    lints: tuple[str, ...]
    """The lints that look at it; empty: none does."""
    is_sendable: bool
    """Whether a program may send its signals to the API; else they come from the controller or as events."""
    also: tuple[SignalKind, ...] = ()
    """Other signals that it reads."""
    measured_by: RunKind | None = None
    """The runs whose reports it reads, beside the signals that somebody sent."""
    unasked: str = ""
    """What such a report is told that made no trigger fire."""

    @abstractmethod
    def evaluate(
        self, context: DecisionContext, trigger: T, signals: tuple[Signal, ...]
    ) -> TriggerVerdict:
        """Inactive, pending or firing, with the sentence; ``signals`` are those meant for it, oldest first."""

    @abstractmethod
    def unrecorded(
        self, trigger: T, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        """What ``plan`` says where the history cannot tell when the trigger would have fired; None: it can.

        ``before`` is the trigger of that name in the old policy, ``found`` the recorded payloads.
        """

    def unseen(self, payload: Mapping[str, Any], triggers: Iterable[Trigger]) -> str | None:
        """Why a rule test's signal shows nothing to any of the policy's triggers of this kind; None: it does."""
        del payload, triggers
        return None

    def is_meant(self, signal: Signal, trigger: T) -> bool:
        """Whether a signal that feeds the kind is for this trigger."""
        return signal.trigger is None or signal.trigger == trigger.name

    def reports(self, reports: tuple[Signal, ...], context: DecisionContext) -> tuple[Signal, ...]:
        """Which of the reports of ``measured_by`` it may read now."""
        del context
        return reports

    def is_recorded(self, signal: Signal) -> bool:
        """Whether ``plan`` finds in the signal what the trigger would have read."""
        return signal.kind is self.signal

    def unwanted(self, signal: Signal) -> str:
        """What a signal is told that no trigger of the policy waits for."""
        return nobody_waits(signal)


def nobody_waits(signal: Signal) -> str:
    """What a signal is told that means nothing to the policy."""
    if signal.trigger is not None:
        return f"the policy has no trigger called '{signal.trigger}'"
    return f"the policy has no {signal.kind.value} trigger"
