"""Publishes governed versions to a team's own registry, and sees what others do there.

Our database decides: a promotion is a compare-and-set there and nowhere else. Over there the last writer wins, so
what can be had is less: one publisher a model (a lease), write, read back, tag the generation, and look again and
again whether somebody moved the alias. A foreign move is never overlooked and never silently undone: it is a drift,
with a sentence, and settled as a decision by the policy says (:mod:`controller.service.registry.mlflow.drift`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.domain.canonical import digest
from controller.domain.catalog import CHAMPION_ALIAS
from controller.domain.errors import Conflict, IncumbentError
from controller.domain.publication import Publication, Sent, Settlement
from controller.domain.versions import Reign, Version
from controller.ports import Clock, Lease, ModelState, Query, Store, Transaction
from controller.ports.publication import NewRemote, RemoteVersion, TeamRegistry
from controller.service.registry.mlflow.drift import Drift, Drifts, PublishedSide
from controller.service.registry.mlflow.records import (
    GENERATION,
    NUMBER,
    RECORD,
    STATE,
    reign_tags,
    tags_of,
    version_from_tags,
)

log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=120)
_LONGEST_PAUSE = timedelta(minutes=5)
_REIGNS = 50

Package = Callable[[Version], NewRemote]
"""From a version to what is entered for it over there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishConfig:
    """``owner`` signs leases; ``watch`` is how often one looks.

    ``settle`` says what follows a foreign move where the policy is silent; ``may_adopt`` False: no policy can adopt.
    """

    owner: str
    settle: Settlement = "hold"
    may_adopt: bool = True
    watch: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishReport:
    """What one round did; ``told`` counts foreign moves that were put into the inbox."""

    published: int = 0
    moved: int = 0
    told: int = 0
    drifting: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _View(PublishedSide):
    """... with what is published of it besides."""

    decision: int
    reigns: tuple[Reign, ...]


class Publisher:
    """One team's registry, all governed models."""

    def __init__(
        self,
        store: Store,
        team: TeamRegistry,
        clock: Clock,
        config: PublishConfig,
        package: Package | None = None,
    ) -> None:
        self._store = store
        self._team = team
        self._clock = clock
        self._config = config
        self._package = package or linked
        self._drifts = Drifts(store, team, config.settle, may_adopt=config.may_adopt)

    def run_once(self) -> PublishReport:
        """Look at every model whose time it is."""
        now = self._clock.now()
        published = moved = failed = 0
        told = self._drifts.told
        with self._store.read() as tx:
            due = [s.model for s in tx.models.all() if s.next_version > 1 and self._due(tx, s, now)]
        for model in due:
            with self._store.begin() as tx:
                lease = tx.leases.acquire(f"registry:{model}", self._config.owner, _LEASE)
            if lease is None:
                continue
            try:
                did = self._bring(model, lease, now)
                published, moved = published + did[0], moved + did[1]
            except IncumbentError as error:
                failed += 1
                self._failed(model, error, now)
            finally:
                with self._store.begin() as tx:
                    tx.leases.release(lease)
        with self._store.read() as tx:
            drifting = sum(1 for one in tx.publications.all() if one.drift)
        return PublishReport(
            published=published,
            moved=moved,
            told=self._drifts.told - told,
            drifting=drifting,
            failed=failed,
        )

    def _due(self, tx: Transaction, state: ModelState, now: datetime) -> bool:
        row = tx.publications.get(state.model)
        if row is None:
            return True
        if row.look_at is not None:
            return now >= row.look_at
        published = row.generation == state.generation or row.drift
        if not published or row.decision != _newest(tx, state.model):
            return True
        return row.checked_at is None or now - row.checked_at >= self._config.watch

    # --- one model ------------------------------------------------------------------------------------------

    def _bring(self, model: str, lease: Lease, now: datetime) -> tuple[int, int]:
        """Bring one model over; how many versions were written, and whether the alias was."""
        with self._store.begin() as tx:
            known = tx.publications.get(model)
            if known is not None and known.place != self._team.place:
                tx.publications.forget(model)  # what was sent to another server is not at this one
                tx.publications.put(self._row(tx, model))
        view = self._view(model)
        before = self._team.pointed(model, CHAMPION_ALIAS)
        lost = self._drifts.lost(view, before)
        if lost is not None:
            if not self._drifts.settled(view, lost, now):
                self._wait(view, now)
                return 0, 0
            with self._store.begin() as tx:
                tx.publications.forget(model)
                tx.publications.put(replace(self._row(tx, model), alias=None, generation=0))
            view = self._view(model)
            before = self._team.pointed(model, CHAMPION_ALIAS)
        published = self._write_versions(view)
        view = self._view(model)
        drift = self._drifts.moved(view, before) if lost is None else None
        if drift is not None and not self._drifts.settled(view, drift, now):
            self._wait(view, now)
            return published, 0
        moved = self._write_champion(view, before, lease)
        self._well(view, now, drift or lost)
        return published, moved

    def _view(self, model: str) -> _View:
        with self._store.read() as tx:
            rules = tx.rules.active(model)
            return _View(
                state=tx.models.state(model),
                row=self._row(tx, model),
                rules="" if rules is None else rules.ref.blob,
                decision=_newest(tx, model),
                sent=tx.publications.sent(model),
                versions=tuple(reversed(tx.registry.versions(model))),
                reigns=tuple(tx.registry.history(model, _REIGNS)),
            )

    def _row(self, tx: Transaction, model: str) -> Publication:
        row = tx.publications.get(model)
        if row is None or row.place != self._team.place:
            return Publication(model=model, place=self._team.place)
        return row

    # --- writing --------------------------------------------------------------------------------------------

    def _write_versions(self, view: _View) -> int:
        """Enter what is missing, and write again what has changed."""
        changed = [v for v in view.versions if self._differs(view, v)]
        if changed and not view.sent:
            model = view.row.model
            self._team.ensure_model(model, f"Governed by Incumbent: {model}.")
        for version in changed:
            sent = view.sent.get(version.number)
            remote = self._enter(version) if sent is None else sent.remote
            if sent is not None:
                said = tags_of(version)
                for key in (RECORD, STATE):
                    self._team.tag(version.model, remote, key, said[key])
            back = self._team.get(version.model, remote)
            if back is None or version_from_tags(back) != version:
                raise Conflict(
                    f"{self._team.place} does not show {version.model} v{version.number} as it was written.",
                    hint="Somebody else writes its tags; it is written again.",
                )
            with self._store.begin() as tx:
                tx.publications.note(
                    version.model,
                    version.number,
                    Sent(remote=remote, digest=digest(tags_of(version))),
                )
        return len(changed)

    @staticmethod
    def _differs(view: _View, version: Version) -> bool:
        sent = view.sent.get(version.number)
        return sent is None or sent.digest != digest(tags_of(version))

    def _enter(self, version: Version) -> int:
        """The version's number over there; one that was entered before we were cut off is found again."""
        known = self._team.find(version.model, NUMBER, str(version.number))
        tags = tags_of(version)
        for remote in known:
            if remote.tags.get("incumbent.digest") == version.digest:
                for key in (RECORD, STATE):
                    self._team.tag(version.model, remote.number, key, tags[key])
                return remote.number
        return self._team.create(version.model, self._package(version))

    def _write_champion(self, view: _View, found: RemoteVersion | None, lease: Lease) -> int:
        """Point the alias at our champion and read it back; whether it had to be written."""
        seat = view.state.champion
        if seat is None:
            return 0
        target = view.sent[seat].remote
        model, moved = view.row.model, 0
        if found is None or found.number != target:
            with self._store.read() as tx:
                tx.leases.check(lease)
            self._team.point(model, CHAMPION_ALIAS, target)
            back = self._team.pointed(model, CHAMPION_ALIAS)
            if back is None or back.number != target:
                raise Conflict(
                    f"Somebody else wrote the alias champion of {model} at {self._team.place} at the same time.",
                    hint="It is checked again.",
                )
            moved = 1
        if view.row.generation != view.state.generation or moved:
            self._team.tag(model, target, GENERATION, str(view.state.generation))
            for (number, key), said in reign_tags(view.reigns).items():
                generation = int(key.rpartition(".")[2])
                if generation > view.row.generation and number in view.sent:
                    self._team.tag(model, view.sent[number].remote, key, said)
        return moved

    def _wait(self, view: _View, now: datetime) -> None:
        """The drift stands; the next look is due with the next decision, else when it is time again."""
        with self._store.begin() as tx:
            row = self._row(tx, view.row.model)
            known = replace(row, decision=view.decision, checked_at=now, look_at=None)
            tx.publications.put(replace(known, error="", failures=0))

    def _well(self, view: _View, now: datetime, drift: Drift | None) -> None:
        seat, hold = view.state.champion, view.state.hold
        rests = hold is not None and hold.actor == f"registry:{self._team.place}"
        same = view.row.generation == view.state.generation
        with self._store.begin() as tx:
            row = self._row(tx, view.row.model)
            ended = row.drift or (drift.sentence if drift else "")
            tx.publications.put(
                replace(
                    row,
                    generation=view.state.generation,
                    alias=view.sent[seat].remote if seat is not None else row.alias,
                    decision=view.decision,
                    checked_at=now,
                    drift="",
                    drift_at=None,
                    # Whoever moved it back may move it away again: that is the drift which is held already.
                    drift_key=row.drift_key if rests and same else "",
                    settled=self._ending(view, ended) if ended else row.settled,
                    error="",
                    failures=0,
                    look_at=None,
                )
            )

    def _ending(self, view: _View, drift: str) -> str:
        taken = view.state.generation != view.row.generation and view.row.generation > 0
        how = (
            "a later decision about the champion ended it"
            if taken
            else "our champion was written again"
        )
        return f"{drift} {how[0].upper()}{how[1:]}."

    def _failed(self, model: str, error: IncumbentError, now: datetime) -> None:
        """Remember why, and look again later: at once at first, then ever more seldom."""
        log.warning(
            "not published", extra={"action": "publish", "model": model, "why": error.message}
        )
        with self._store.begin() as tx:
            row = self._row(tx, model)
            pause = min(timedelta(seconds=2**row.failures), _LONGEST_PAUSE)
            tx.publications.put(
                replace(
                    row,
                    error=error.sentence(),
                    failures=min(row.failures + 1, 16),
                    look_at=now + pause,
                    checked_at=now,
                )
            )


def _newest(tx: Transaction, model: str) -> int:
    found = tx.decisions.find(Query(model=model, limit=1))
    return found[0].id if found else 0


def linked(version: Version, page: str = "http://127.0.0.1:8321/") -> NewRemote:
    """A version without its files: the link leads to the page that shows it."""
    return NewRemote(
        link=f"{page}models/{version.model}/versions/{version.number}",
        description=f"Version {version.number}, from run {version.run}. Incumbent decides about it.",
        tags=tags_of(version),
        metrics=version.metrics,
    )
