"""A scrape while a real PostgreSQL is gone, and when it is back."""

from __future__ import annotations

import signal

import pytest

from controller.adapters.clock import SystemClock
from controller.adapters.prometheus import Exposition
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.entrypoints.observe import Probes
from controller.service.loops.readiness import Watched, conditions
from controller.service.observe.observer import Observer, Watching
from tests.support.makers import decide
from tests.support.postgres import PostgresServer


@pytest.mark.long
def test_a_scrape_during_an_outage_of_postgresql():
    server = PostgresServer(durable=True)
    try:
        server.start()
        url = server.url(server.create())
        migrate(url)
        store = SqlStore(url)
        with store.begin() as tx:
            decide(tx, "m", "train")
        watching = Watching(conditions=lambda: conditions(Watched(store=store)))
        observer = Observer(store, SystemClock(), watching, fresh=0.0, patience=10.0)
        exposition, probes = Exposition(observer), Probes(observer)
        told = exposition.text().decode()
        assert "incumbent_database_up 1.0" in told
        assert 'incumbent_decisions_total{model="m",verdict="train"} 1.0' in told
        server.stop(signal.SIGQUIT)
        told = exposition.text().decode()
        assert "incumbent_database_up 0.0" in told
        assert 'incumbent_decisions_total{model="m",verdict="train"} 1.0' in told
        assert (probes.health().status, probes.readiness().status) == (200, 503)
        server.start()
        assert "incumbent_database_up 1.0" in exposition.text().decode()
        assert probes.readiness().status == 200
        store.close()
    finally:
        server.remove()
