"""Pages at 100,000 decisions, as many signals and 5,000 models: milliseconds and kilobytes (target: 500 ms, 300 kB).

``python benchmarks/pages.py [DECISIONS [MODELS]]``. The rows are copies of real decisions of the test house, put
into SQLite with hashes of their own; the chain is not followed here. Every other signal is one model's. The time of the
processor is told beside that of the clock: on a machine that others use, only the first can be compared.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import create_engine, insert, text

from controller.adapters.memory.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.adapters.sql.tables import (
    active_rules_table,
    decisions_table,
    models_table,
    rule_texts_table,
    signals_table,
)
from controller.entrypoints.api.app import create_app, open_app_context
from controller.entrypoints.api.context import LoginLinks
from controller.entrypoints.api.serve import Server
from controller.settings import load_settings
from tests.support.page import Office
from tests.support.story import tell

ROUNDS = 7
CHUNK = 5_000
PATHS = ("/", "/decisions", "/decisions/{last}", "/decisions?model=m-00017", "/models", "/models?q=m-0420",
         "/models?owner=arrivals-team", "/models?state=problem", "/models/m-00017",
         "/signals", "/signals?status=open", "/drift", "/runs", "/policies", "/messages", "/audit", "/system",
         "/v1/decisions?limit=100")  # fmt: skip


def fill(url: str, count: int, names: list[str], home: Path) -> None:
    """Copy the decisions of the story round and round."""
    office = Office(home)
    tell(office)
    records = office.house.records()
    with office.house.store.read() as tx:
        texts = {r.rules.blob: tx.rules.text(r.rules.blob) for r in records}
    engine = create_engine(url)
    with engine.begin() as session:
        session.execute(
            insert(rule_texts_table), [{"blob": b, "text": t} for b, t in texts.items()]
        )
        session.execute(
            insert(models_table), [{"model": n, "rejections": [], "last_fired": {}} for n in names]
        )
        rules = {"path": "rules/a.yaml", "blob": records[-1].rules.blob, "reviewers": []}
        at = office.house.clock.now()
        session.execute(
            insert(active_rules_table), [{"model": n, "activated_at": at, **rules} for n in names]
        )
        for start in range(0, count, CHUNK):
            rows = []
            for number in range(start + 1, min(start + CHUNK, count) + 1):
                record = records[number % len(records)]
                rows.append(
                    {
                        "id": number, "model": names[number % len(names)], "decided_at": record.decided_at,
                        "verdict": "hold" if '"verdict":"hold"' in record.decision else "none",
                        "path": record.rules.path, "blob": record.rules.blob, "reviewers": [],
                        "snapshot": record.snapshot, "decision": record.decision, "actor": "system",
                        "prev_hash": f"{number - 1:064x}", "hash": f"{number:064x}",
                    }
                )  # fmt: skip
            session.execute(insert(decisions_table), rows)
            session.execute(insert(signals_table), [_signal(row, names, at) for row in rows])
        # Signals are entered open and answered by a decision: the database sees to it.
        answered = "status = 'handled', reason = 'nothing is due', decision = id"
        session.execute(text(f"UPDATE signals SET {answered}"))
    engine.dispose()


def _signal(row: dict[str, Any], names: list[str], at: datetime) -> dict[str, Any]:
    """A signal of new data; every other one is of the model m-00017, or of the last where there are fewer."""
    number = row["id"]
    return {
        "id": number, "key": f"k{number}", "kind": "new_data", "actor": "source", "payload": {"rows": 100},
        "model": names[min(17, len(names) - 1)] if number % 2 else row["model"], "occurred_at": at, "received_at": at,
    }  # fmt: skip


def paint(home: Path, store: SqlStore) -> None:
    """First paint of the list of models in Debian's Chromium, by its own paint timing (target: 1 s)."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium here: first paint was not measured")
        return
    settings = load_settings(home=home, api_rate=1e6, port=0)
    with Server(settings, store, key="k") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context().new_page()
        page.goto(f"{server.url}go?key={LoginLinks.new('k', 'person:ana')}")
        page.get_by_role("button", name="Log in").click()
        for path in ("models", "models?owner=arrivals-team", f"decisions/{16}"):
            took = []
            for _ in range(ROUNDS):
                page.goto(server.url + path)
                asked = (
                    "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
                )
                while not (painted := page.evaluate(asked)):
                    page.wait_for_timeout(20)
                took.append(float(painted[0]))
            print(
                f"first paint of /{path:<28} {statistics.median(took):6.0f} ms {max(took):6.0f} ms at most"
            )
        browser.close()


def main(count: int = 100_000, many: int = 5_000) -> None:
    """Fill, ask, print."""
    names = [f"m-{n:05}" for n in range(many)]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'incumbent.db'}"
        migrate(url)
        fill(url, count, names, home)
        store = SqlStore(url)
        settings = load_settings(home=home, api_rate=1e6)
        app = create_app(open_app_context(settings, store, clock=SystemClock(), key="k"))
        client = TestClient(app, base_url="http://127.0.0.1")
        client.post("/go", data={"key": LoginLinks.new("k", "person:ana")})
        print(f"{count:,} decisions, {many:,} models, SQLite; median of {ROUNDS}")
        for path in PATHS:
            asked = path.format(last=count - 1)
            seconds, worked = [], []
            for _ in range(ROUNDS):
                began, working = time.perf_counter(), time.process_time()
                answer = client.get(asked)
                seconds.append(time.perf_counter() - began)
                worked.append(time.process_time() - working)
            print(
                f"{asked:<28} {answer.status_code} {statistics.median(seconds) * 1000:7.0f} ms"
                f" {max(seconds) * 1000:7.0f} ms at most {statistics.median(worked) * 1000:7.0f} ms of processor"
                f" {len(answer.content) / 1000:7.1f} kB"
            )
        paint(home, store)
        store.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
