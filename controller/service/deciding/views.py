"""Which of the signals that wait a decision looks into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from controller.domain.canonical import in_order
from controller.domain.signals import Signal, SignalKind
from controller.domain.snapshot import SetAside
from controller.ports import Transaction

_LATER = "it is left for a later decision"
_MOST_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """``only`` these signals are looked into (None: all). ``ended`` tells why a signal cannot be decided, by its id.

    ``resting`` is why the model rests in error, empty where it does not.
    """

    only: frozenset[int] | None = None
    ended: Mapping[int, str] = field(default_factory=dict)
    resting: str = ""

    def select(self, tx: Transaction, model: str) -> tuple[list[Signal], tuple[SetAside, ...]]:
        """The signals that the decision reads, and those that are set aside.

        Their payloads are as the decision's record gives them back: a sentence that quotes one is the same again.
        """
        pending = tx.signals.pending(model)
        ended = {s.id: s.problem for s in pending if s.problem} if self.only is None else {}
        ended |= self.ended
        read = [s for s in pending if self.only is None or s.id in self.only or s.id in ended]
        bare = [replace(s, payload={} if s.id in ended else in_order(s.payload)) for s in read]
        known = {signal.id for signal in read}
        aside = [SetAside(signal=s.id, why=ended[s.id], ends=True) for s in read if s.id in ended]
        aside += [SetAside(signal=s.id, why=_LATER) for s in pending if s.id not in known]
        there = {signal.id for signal in pending}
        aside += [SetAside(signal=n, why=_LATER) for n in _named(tx, model, read) if n not in there]
        return bare, tuple(aside)


ALL = View()


def _named(tx: Transaction, model: str, signals: Iterable[Signal]) -> Iterator[int]:
    """Signals of the model that a person wants to end, and that wait beyond those that one decision reads."""
    for signal in signals:
        number = signal.payload.get("signal")
        if signal.kind is not SignalKind.DISMISS or type(number) is not int:
            continue
        found = tx.signals.get(number) if 0 < number <= _MOST_ID else None
        if found is not None and found.model == model and not found.status.ended:
            yield number
