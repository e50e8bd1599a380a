"""The relay: rings for a worker as long as the order stands and nobody has taken it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from controller.crashpoints import reach
from controller.domain.errors import Unavailable
from controller.domain.runs import Run, RunState
from controller.ports import DOORBELL, Dispatcher, Letter, Store

log = logging.getLogger(__name__)

Announce = Callable[[Run], Mapping[str, str]]
"""Told of each ring; the headers that the message carries."""

_LONGEST_BACK_OFF = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayConfig:
    """When a doorbell that nobody answered rings again, and for how long a message is worth hearing."""

    resend: timedelta = timedelta(seconds=30)
    batch: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayReport:
    """What one look at the outbox did."""

    rung: int = 0
    settled: int = 0
    failed: int = 0


class Relay:
    """Rings after the commit, and marks only after it rang: a crash in between rings twice, never zero times."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        config: RelayConfig | None = None,
        announce: Announce | None = None,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._config = config or RelayConfig()
        self._announce = announce

    def run_once(self) -> RelayReport:
        """Ring for every queued run whose letter is due; settle letters whose run was taken or has ended.

        Where the broker has forgotten, all of them are due.
        """
        if self._dispatcher.forgot():
            with self._store.begin() as tx:
                tx.outbox.hasten(DOORBELL)
        with self._store.read() as tx:
            letters = tx.outbox.due(DOORBELL, self._config.batch)
            runs = [tx.runs.get(str(letter.payload["run"])) for letter in letters]
        rung = settled = failed = 0
        for letter, run in zip(letters, runs, strict=True):
            if run is None or run.state is not RunState.QUEUED:
                self._settle(letter)
                settled += 1
                continue
            if self._ring(letter, run):
                rung += 1
            else:
                failed += 1
        return RelayReport(rung=rung, settled=settled, failed=failed)

    def _settle(self, letter: Letter) -> None:
        """The run is not there to be had: whoever took it was of a version that leaves the letter to us.

        A lost worker's run gets a letter of its own from the rescuer.
        """
        with self._store.begin() as tx:
            tx.outbox.acknowledge(letter.id)

    def _ring(self, letter: Letter, run: Run) -> bool:
        reach("relay-ringing")
        try:
            headers = self._announce(run) if self._announce else {}
            self._dispatcher.ring(
                run.id,
                run.fence,
                queue=run.spec.queue,
                expires=self._config.resend * 2,
                headers=headers,
            )
        except Unavailable as error:
            delay = min(timedelta(seconds=2 ** min(letter.attempts, 6)), _LONGEST_BACK_OFF)
            with self._store.begin() as tx:
                tx.outbox.postpone(letter.id, delay, str(error))
            log.warning(
                "message not sent", extra={"action": "ring", "run": run.id, "why": str(error)}
            )
            return False
        reach("relay-rang")
        with self._store.begin() as tx:
            tx.outbox.postpone(letter.id, self._config.resend)
        reach("relay-marked")
        return True
