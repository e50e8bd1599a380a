"""What somebody else did to the champion in a team's registry: told to the engine, and settled as it decided.

A foreign move is a signal in the inbox. The engine answers it by the policy in force with a decision in the chain,
and here that decision is read back and obeyed: ours is written again, theirs is champion by now, or both sides stay as
they are until a person lifts the hold.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controller.domain.canonical import digest, format_time
from controller.domain.catalog import CHAMPION_ALIAS
from controller.domain.payloads import is_in_range, storable_text
from controller.domain.publication import SETTLED_MOST, Publication, Sent, Settlement
from controller.domain.signals import NewSignal, Signal, SignalKind
from controller.domain.versions import Version
from controller.ports import ModelState, Store, Transaction
from controller.ports.publication import RemoteVersion, TeamRegistry
from controller.service.deciding.foreign_moves import settled_by
from controller.service.registry.mlflow.records import DIGEST

log = logging.getLogger(__name__)

_KIND = SignalKind.FOREIGN_MOVE
DRIFTS = "registry_drifts"
"""The counter of foreign moves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedSide:
    """Our side of one model, read at once: what was published, who sits in the seat, and the rules' blob."""

    state: ModelState
    row: Publication
    rules: str
    sent: Mapping[int, Sent]
    versions: tuple[Version, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A foreign move in one sentence, and the version that the alias points at now (None: none)."""

    sentence: str
    found: RemoteVersion | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class _Told:
    """The signal by which a drift was told, and how its decision settles it (None: not at all, or not yet)."""

    signal: Signal
    how: Settlement | None


class Drifts:
    """Sees, tells and obeys. ``otherwise`` holds where a policy is silent; no policy can adopt unless ``may_adopt``.

    ``told`` counts what was put into the inbox.
    """

    def __init__(
        self, store: Store, team: TeamRegistry, otherwise: Settlement, *, may_adopt: bool
    ) -> None:
        self._store = store
        self._team = team
        self._otherwise = otherwise
        self._may_adopt = may_adopt
        self.told = 0

    def lost(self, side: PublishedSide, found: RemoteVersion | None) -> Drift | None:
        """If the version that we made champion is not there any more."""
        row = side.row
        if row.alias is None or found is not None:
            return None
        if self._team.get(row.model, row.alias) is not None:
            return None
        place = self._team.place
        return Drift(
            sentence=f"{place} has lost {row.model} version {row.alias}, which was its champion.",
            lost=True,
        )

    def moved(self, side: PublishedSide, found: RemoteVersion | None) -> Drift | None:
        """If somebody else moved the alias."""
        row, seat = side.row, side.state.champion
        if row.alias is None and seat is None:
            return None  # nothing of ours stands against it yet
        at = None if found is None else found.number
        ours = side.sent[seat].remote if seat is not None and seat in side.sent else None
        if at == row.alias or (at is not None and at == ours):
            return None
        where = f"points at version {at}" if at is not None else "was taken away"
        should = "nothing of ours" if row.alias is None else f"version {row.alias}, as we left it"
        place = self._team.place
        return Drift(
            sentence=f"The alias champion of {row.model} at {place} {where} instead of {should}.",
            found=found,
        )

    def settled(self, side: PublishedSide, drift: Drift, now: datetime) -> bool:
        """Whether our side may be written over theirs now. Otherwise the engine was told, or a person is waited for."""
        with self._store.read() as tx:
            told = self._told(tx, side.row)
        if told is None or told.signal.kind is SignalKind.PROMOTE:
            self._tell(side, drift, now)
            return False
        seen: object = told.signal.payload.get("generation", side.row.generation)
        again = side.row.drift != drift.sentence
        if not told.signal.status.ended:
            if again:
                self._tell(side, drift, now)
            return False
        decided = bool(seen != side.state.generation)  # about the seat, since the drift was told
        if told.how == "hold":
            return (decided and not again) or self._held(side, drift, told, now)
        if again or self._ruled_anew(side, told):
            self._tell(side, drift, now)
            return False
        return decided or told.how == "restore"

    def _held(self, side: PublishedSide, drift: Drift, told: _Told, now: datetime) -> bool:
        """Both sides stay until a person lifts the hold, or other rules are in force; more moves are only noted."""
        again = side.row.drift != drift.sentence
        if side.state.hold is None and not again:
            return True
        if side.state.hold is None or self._ruled_anew(side, told):
            self._tell(side, drift, now)
        elif again:
            with self._store.begin() as tx:
                self._note(tx, side.row, drift, now)
        return False

    @staticmethod
    def _ruled_anew(side: PublishedSide, told: _Told) -> bool:
        return bool(told.signal.payload.get("rules", side.rules) != side.rules)

    @staticmethod
    def _told(tx: Transaction, row: Publication) -> _Told | None:
        alike = tx.signals.with_key(row.model, row.drift_key) if row.drift_key else ()
        signal = next((one for one in alike if one.actor.startswith("registry:")), None)
        if signal is None:
            return None
        if signal.kind is SignalKind.HOLD:
            return _Told(signal, "hold")
        settled = settled_by(tx, signal)
        return _Told(signal, None if settled is None else settled.how)

    def _tell(self, side: PublishedSide, drift: Drift, now: datetime) -> None:
        """Put the drift into the inbox: the engine answers it with a decision. Few wait there at a time."""
        row = side.row
        with self._store.begin() as tx:
            waiting = [s for s in tx.signals.pending(row.model) if s.kind is _KIND]
            if len(waiting) >= SETTLED_MOST:
                return
            if row.drift != drift.sentence:
                row = self._note(tx, row, drift, now)
            payload = self._payload(side, drift)
            key = f"registry:{digest([payload, row.drift_at])[:24]}"
            signal = NewSignal(
                key=key,
                model=row.model,
                kind=_KIND,
                occurred_at=now,
                payload=payload,
                actor=f"registry:{self._team.place}",
            )
            tx.signals.append([signal], now)
            tx.publications.put(replace(row, drift_key=key))
        self.told += 1

    def _note(self, tx: Transaction, row: Publication, drift: Drift, now: datetime) -> Publication:
        log.warning(drift.sentence, extra={"action": "registry_drift", "model": row.model})
        tx.counters.add(DRIFTS)
        noted = replace(row, drift=drift.sentence, drift_at=now, settled="")
        tx.publications.put(noted)
        return noted

    def _payload(self, side: PublishedSide, drift: Drift) -> dict[str, Any]:
        """What the decision looks at: what was seen over there, and what the server allows."""
        found = drift.found
        payload: dict[str, Any] = {
            "reason": storable_text(drift.sentence, 2_000),
            "place": self._team.place,
            "alias": CHAMPION_ALIAS,
            "expected": side.row.alias,
            "found": None if found is None else found.number,
            "version": _number_of(side, found),
            "generation": side.state.generation,
            "lost": drift.lost,
            "rules": side.rules,
            "otherwise": self._otherwise,
            "may_adopt": self._may_adopt,
        }
        if found is not None:
            payload |= {
                "source": storable_text(found.source, 8_000),
                "run": storable_text(found.run, 500),
                "entered_by": storable_text(found.author, 500),
                "entered_at": _moment(found.entered_at),
            }
        return payload


def _number_of(side: PublishedSide, found: RemoteVersion | None) -> int | None:
    """Our number of their version, if it is one that we entered and still bears the digest of ours."""
    if found is None:
        return None
    number = next((n for n, sent in side.sent.items() if sent.remote == found.number), None)
    ours = next((v for v in side.versions if v.number == number), None)
    return ours.number if ours is not None and found.tags.get(DIGEST) == ours.digest else None


def _moment(at: datetime | None) -> str | None:
    """A time over there, as text; what lies beyond the calendar's use says nothing."""
    return None if at is None or not is_in_range(at) else format_time(at)
