"""The reference of metrics, written from the table (`make reference`)."""

from __future__ import annotations

from controller.service.observe.catalogue import (
    EXPORTED_METRICS,
    MOST_CHANNELS,
    MOST_COLUMNS,
    MOST_DRIFTING,
    MOST_LABELS,
    RUN_BUCKETS,
)

_HEAD = f"""\
# Metrics

This page is written from the code (`make reference`); a test holds it up to date.

`/metrics` is served by the controller where `INCUMBENT_OBSERVE_PORT` is set, and at the page's address for whoever may
read. It needs the extra `telemetry`. A scrape is answered from memory and never waits for the database: while that is
away, `incumbent_database_up` is 0 and `incumbent_figures_age_seconds` says how old the other figures are.

Labels are bounded: {MOST_LABELS} models have a label of their own and the others share `other` (figures that cannot be
added up are left out for them), {MOST_COLUMNS} columns of a model and {MOST_DRIFTING:,} in all, {MOST_CHANNELS}
channels. Histograms have the bounds {", ".join(f"{bound:g}" for bound in RUN_BUCKETS)} seconds.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def markdown() -> str:
    """The page."""
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.meaning}. |"
        for one in EXPORTED_METRICS
    ]
    return _HEAD + "\n".join(rows) + "\n"
