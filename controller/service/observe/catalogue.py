"""The metrics by name: what each means, of which labels, and how many values a label may have.

The reference in the documents, the exposition and the tests all read this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MOST_LABELS = 200
"""Models with a label of their own; the others share ``other``. A label that grows without end fills a Prometheus."""
MOST_COLUMNS = 20
"""Columns of one model with a label of their own: those that drifted most."""
MOST_DRIFTING = 1000
"""Columns of all models together, over the life of a process."""
MOST_CHANNELS = 50
OTHER = "other"

RUN_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
"""Seconds: from a toy to a night."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedMetric:
    """One metric: ``meaning`` is one sentence without its full stop, ``labels`` in their order."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()


EXPORTED_METRICS: tuple[ExportedMetric, ...] = (
    ExportedMetric(name="incumbent_build_info", kind="gauge", labels=("version",),
           meaning="Always 1; the version of the code is a label"),
    ExportedMetric(name="incumbent_ready", kind="gauge", labels=("condition",),
           meaning="Whether a condition of readiness holds, as /readyz tells it"),
    ExportedMetric(name="incumbent_database_up", kind="gauge",
           meaning="Whether the database answered when it was asked last"),
    ExportedMetric(name="incumbent_figures_age_seconds", kind="gauge",
           meaning="How old the figures from the database are; a scrape never waits for it"),
    ExportedMetric(name="incumbent_leads", kind="gauge",
           meaning="Whether this controller decides (1), or stands by (0)"),
    ExportedMetric(name="incumbent_loop_lag_seconds", kind="gauge", labels=("loop",),
           meaning="Seconds since the loop's last good round"),
    ExportedMetric(name="incumbent_loop_rounds_total", kind="counter", labels=("loop",),
           meaning="Good rounds of the loop since the process began"),
    ExportedMetric(name="incumbent_loop_failures_total", kind="counter", labels=("loop",),
           meaning="Rounds of the loop that ended in an error"),
    ExportedMetric(name="incumbent_loop_busy_seconds_total", kind="counter", labels=("loop",),
           meaning="Time spent in the loop's rounds"),
    ExportedMetric(name="incumbent_decisions_total", kind="counter", labels=("model", "verdict"),
           meaning="Decisions in the log"),
    ExportedMetric(name="incumbent_signals_waiting", kind="gauge",
           meaning="Signals without a final answer"),
    ExportedMetric(name="incumbent_outbox_letters", kind="gauge", labels=("topic",),
           meaning="Letters of the outbox that have not arrived"),
    ExportedMetric(name="incumbent_runs", kind="gauge", labels=("kind", "state"),
           meaning="Runs that have not ended"),
    ExportedMetric(name="incumbent_queue_oldest_seconds", kind="gauge",
           meaning="Age of the oldest run that nobody has claimed"),
    ExportedMetric(name="incumbent_run_wait_seconds", kind="histogram", labels=("kind",),
           meaning="From a run's order to its first claim"),
    ExportedMetric(name="incumbent_run_duration_seconds", kind="histogram", labels=("kind", "state"),
           meaning="From a run's first claim to its end"),
    ExportedMetric(name="incumbent_champion_version", kind="gauge", labels=("model",),
           meaning="Number of the champion version; 0 if there is none"),
    ExportedMetric(name="incumbent_champion_age_seconds", kind="gauge", labels=("model",),
           meaning="For how long the version has been champion"),
    ExportedMetric(name="incumbent_model_held", kind="gauge", labels=("model",),
           meaning="Whether automatic promotion is on hold until a person releases it"),
    ExportedMetric(name="incumbent_model_error", kind="gauge", labels=("model",),
           meaning="Whether the engine cannot decide for the model"),
    ExportedMetric(name="incumbent_challengers_waiting", kind="gauge", labels=("model",),
           meaning="Challengers that were judged and wait for a person or for labels"),
    ExportedMetric(name="incumbent_challenger_wait_seconds", kind="gauge", labels=("model",),
           meaning="How long the longest of them has waited"),
    ExportedMetric(name="incumbent_drift", kind="gauge", labels=("model", "column", "distance"),
           meaning="Distance of the newest profile's column from its reference"),
    ExportedMetric(name="incumbent_source_up", kind="gauge", labels=("model",),
           meaning="Whether the last look at the model's data source succeeded"),
    ExportedMetric(name="incumbent_source_good_age_seconds", kind="gauge", labels=("model",),
           meaning="Seconds since the last look that succeeded"),
    ExportedMetric(name="incumbent_workers", kind="gauge",
           meaning="Workers that showed a sign of life in the last 30 seconds"),
    ExportedMetric(name="incumbent_messages_failing", kind="gauge", labels=("channel",),
           meaning="Messages that were tried and have not arrived"),
)  # fmt: skip
