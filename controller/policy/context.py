"""What a reason gets to look at, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.decisions import Action, Notify, Outcome, Verdict
from controller.domain.notices import channels_told
from controller.domain.rollout import RolloutView
from controller.domain.rules import Policy
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.domain.snapshot import Snapshot
from controller.domain.versions import VersionState, VersionView


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """One model's snapshot, its rules and the time: everything that deciding may depend on."""

    snapshot: Snapshot
    policy: Policy
    now: datetime

    @property
    def champion(self) -> VersionView | None:
        """Who sits in the seat."""
        return self.snapshot.champion

    @property
    def seat(self) -> str:
        """The champion as sentences name it."""
        return f"champion v{self.champion.number}" if self.champion else "no champion"

    @property
    def seat_stays(self) -> str:
        """The end of a sentence in which nothing was promoted."""
        if self.champion is None:
            return "there is still no champion"
        return f"champion v{self.champion.number} stays"

    def takes_over(self, number: int) -> str:
        """How a sentence says that a version becomes champion."""
        if self.champion is None:
            return f"v{number} is the first champion"
        return f"v{number} replaces v{self.champion.number} as champion"

    @property
    def now_champion(self) -> str:
        """The end of a sentence about somebody who expected another champion."""
        return f"the champion is v{self.champion.number}" if self.champion else "there is none"

    @property
    def rollout(self) -> RolloutView | None:
        """The rollout that is under way: its version still is a challenger, of the seat that it began with."""
        rollout = self.snapshot.rollout
        if rollout is None or rollout.generation != self.snapshot.generation:
            return None
        version = self.snapshot.version(rollout.version)
        under_way = version is not None and version.state is VersionState.CHALLENGER
        return rollout if under_way else None

    @property
    def rollout_figures(self) -> tuple[Signal, ...]:
        """The metric signals that name the version in rollout."""
        rollout = self.rollout
        if rollout is None:
            return ()
        return tuple(
            s
            for s in self.signals(SignalKind.METRIC)
            if s.payload.get("version") == rollout.version
        )

    def signals(self, *kinds: SignalKind) -> tuple[Signal, ...]:
        """The signals of these kinds that have not ended, oldest first."""
        return tuple(signal for signal in self.snapshot.signals if signal.kind in kinds)

    def notices(self, event: str, sentence: str) -> tuple[Notify, ...]:
        """A notification for the channels that hear of ``event``; none if there are none."""
        channels = channels_told(self.policy.notify, event)
        return (Notify(event=event, channels=channels, sentence=sentence),) if channels else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonResult:
    """What one reason found. With a verdict it wants to act and ends the search; without one it only explains."""

    node: Outcome
    verdict: Verdict | None = None
    actions: tuple[Action, ...] = ()
    answers: tuple[SignalAnswer, ...] = ()
    challenger: int | None = None
    champion_after: int | None = None
    wake_at: datetime | None = None


def finished(context: DecisionContext, kind: RunKind) -> tuple[Signal, ...]:
    """The reports of runs of this kind that ended well and have not been answered for good."""
    return tuple(
        signal
        for signal in context.signals(SignalKind.RUN_FINISHED)
        if signal.payload.get("kind") == kind.value
    )


def answer_all(
    signals: Iterable[Signal], status: SignalStatus, reason: str
) -> tuple[SignalAnswer, ...]:
    """The same answer to each of ``signals``."""
    return tuple(SignalAnswer(signal=s.id, status=status, reason=reason) for s in signals)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of those moments that are known."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
