#!/usr/bin/env python3
"""Writes deploy/observability/grafana.json: the dashboard for Grafana, a row a question."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "deploy" / "observability" / "grafana.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Query = tuple[str, str]
"""What is asked, and what its line is called."""

_LENGTHS = "sum by (le, kind) (rate(incumbent_run_duration_seconds_bucket[1h]))"
PANELS: list[tuple[str, str, str, int, list[Query]]] = [
    ("Database", "stat", "bool_on_off", 4, [("min(incumbent_database_up)", "up")]),
    ("Controllers that lead", "stat", "short", 4, [("sum(incumbent_leads)", "lead")]),
    ("Workers", "stat", "short", 4, [("max(incumbent_workers)", "alive")]),
    ("Signals that wait", "stat", "short", 4, [("max(incumbent_signals_waiting)", "wait")]),
    ("Oldest run in the queue", "stat", "s", 4, [("max(incumbent_queue_oldest_seconds)", "age")]),
    ("Age of these figures", "stat", "s", 4, [("max(incumbent_figures_age_seconds)", "age")]),
    ("Decisions by verdict", "timeseries", "short", 12,
     [('sum by (verdict) (increase(incumbent_decisions_total{model=~"$model"}[$__rate_interval]))', "{{verdict}}")]),
    ("Champion", "timeseries", "short", 12,
     [('max by (model) (incumbent_champion_version{model=~"$model"})', "{{model}}")]),
    ("Champion's age", "timeseries", "s", 12,
     [('max by (model) (incumbent_champion_age_seconds{model=~"$model"})', "{{model}}")]),
    ("Challengers that wait", "timeseries", "s", 12,
     [('max by (model) (incumbent_challenger_wait_seconds{model=~"$model"})', "{{model}}")]),
    ("Drift (PSI)", "timeseries", "short", 12,
     [('max by (model, column) (incumbent_drift{model=~"$model", distance="psi"})', "{{model}} {{column}}")]),
    ("Data sources", "timeseries", "s", 12,
     [('max by (model) (incumbent_source_good_age_seconds{model=~"$model"})', "{{model}}"),
      ('min by (model) (incumbent_source_up{model=~"$model"}) == 0', "{{model}} is away")]),
    ("Runs under way", "timeseries", "short", 12,
     [("max by (kind, state) (incumbent_runs)", "{{kind}} {{state}}")]),
    ("Length of runs (p50, p95)", "timeseries", "s", 12,
     [(f"histogram_quantile(0.5, {_LENGTHS})", "{{kind}} p50"),
      (f"histogram_quantile(0.95, {_LENGTHS})", "{{kind}} p95")]),
    ("Waiting for a worker (p95)", "timeseries", "s", 12,
     [("histogram_quantile(0.95, sum by (le, kind) (rate(incumbent_run_wait_seconds_bucket[1h])))", "{{kind}}")]),
    ("Lag of each loop", "timeseries", "s", 12, [("max by (loop) (incumbent_loop_lag_seconds)", "{{loop}}")]),
    ("Failed rounds", "timeseries", "short", 12,
     [("sum by (loop) (rate(incumbent_loop_failures_total[$__rate_interval]))", "{{loop}}")]),
    ("Time in loops", "timeseries", "percentunit", 12,
     [("sum by (loop) (rate(incumbent_loop_busy_seconds_total[$__rate_interval]))", "{{loop}}")]),
    ("Outbox", "timeseries", "short", 12, [("max by (topic) (incumbent_outbox_letters)", "{{topic}}")]),
    ("Messages that do not arrive", "timeseries", "short", 12,
     [("max by (channel) (incumbent_messages_failing)", "{{channel}}")]),
    ("Held models, models in error", "timeseries", "short", 12,
     [('incumbent_model_held{model=~"$model"} == 1', "{{model}} held"),
      ('incumbent_model_error{model=~"$model"} == 1', "{{model}} error")]),
    ("Conditions that do not hold", "timeseries", "short", 12,
     [("incumbent_ready == 0", "{{instance}} {{condition}}")]),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The whole of it."""
    panels: list[dict[str, Any]] = []
    x = y = 0
    for number, (title, kind, unit, width, queries) in enumerate(PANELS, 1):
        height = 4 if kind == "stat" else 8
        if x + width > 24:
            x, y = 0, y + panels[-1]["gridPos"]["h"]
        panels.append(
            {
                "id": number,
                "title": title,
                "type": kind,
                "datasource": SOURCE,
                "gridPos": {"x": x, "y": y, "w": width, "h": height},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "targets": [
                    {
                        "refId": chr(65 + at),
                        "datasource": SOURCE,
                        "expr": query,
                        "legendFormat": legend,
                    }
                    for at, (query, legend) in enumerate(queries)
                ],
            }
        )
        x += width
    models = {
        "name": "model",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(incumbent_champion_version, model)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": "incumbent",
        "title": "Incumbent",
        "tags": ["incumbent"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}, models]
        },
        "panels": panels,
    }


def text() -> str:
    """As it stands in the file."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    sys.stderr.write(f"wrote {TARGET}\n")
