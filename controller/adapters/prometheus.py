"""The figures in the exposition format of Prometheus, with every label bounded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from controller import __version__
from controller.domain.errors import ConfigurationError
from controller.service.observe.catalogue import (
    EXPORTED_METRICS,
    MOST_CHANNELS,
    MOST_DRIFTING,
    MOST_LABELS,
    OTHER,
    RUN_BUCKETS,
)
from controller.service.observe.figures import ProcessFigures
from controller.service.observe.observer import Observer

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Values = dict[str, dict[tuple[str, ...], float]]
_LONGEST = 200
"""Characters of a label's value."""


class Bounded:
    """The first so many values of a label keep their names; every later one is ``other``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """The label's value."""
        name = value[:_LONGEST]
        if name in self._known:
            return name
        if len(self._known) < self._most:
            self._known.add(name)
            return name
        return OTHER


class _Histogram:
    """Adds up durations by label."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * len(RUN_BUCKETS))
        self.sums: dict[tuple[str, ...], float] = defaultdict(float)
        self.totals: dict[tuple[str, ...], int] = defaultdict(int)

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        for index, bound in enumerate(RUN_BUCKETS):
            if seconds <= bound:
                self.counts[labels][index] += 1
        self.sums[labels] += seconds
        self.totals[labels] += 1

    def rows(self) -> Iterator[tuple[tuple[str, ...], list[tuple[str, float]], float]]:
        for labels, total in self.totals.items():
            counts: list[tuple[str, float]] = [
                (f"{bound:g}", float(count))
                for bound, count in zip(RUN_BUCKETS, self.counts[labels], strict=True)
            ]
            yield labels, [*counts, ("+Inf", float(total))], self.sums[labels]


class Exposition:
    """``text()`` is what a scrape gets: from memory, whatever the database does.

    Without ``names`` every model, column and channel is ``other``: for a scrape that anybody may make while owners are
    isolated.
    """

    def __init__(self, observer: Observer, *, names: bool = True) -> None:
        if find_spec("prometheus_client") is None:
            raise ConfigurationError(
                "Metrics need the extra `telemetry`.", hint="pip install 'incumbent[telemetry]'"
            )
        self._observer = observer
        self._model = Bounded(MOST_LABELS if names else 0)
        self._channel = Bounded(MOST_CHANNELS if names else 0)
        self._column = Bounded(MOST_DRIFTING if names else 0)
        self._waits, self._durations = _Histogram(), _Histogram()
        observer.on_figures(self._add_up)

    def text(self) -> bytes:
        """All metrics."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return bytes(generate_latest(registry))

    def collect(self) -> Iterable[Family]:
        """The families, as the library asks for them."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        values = self._values()
        histograms = {
            "incumbent_run_wait_seconds": self._waits,
            "incumbent_run_duration_seconds": self._durations,
        }
        for metric in EXPORTED_METRICS:
            said, labels = f"{metric.meaning}.", list(metric.labels)
            if metric.kind == "histogram":
                histogram = HistogramMetricFamily(metric.name, said, labels=labels)
                for key, buckets, total in histograms[metric.name].rows():
                    histogram.add_metric(key, buckets, total)
                yield histogram
                continue
            make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = make(metric.name, said, labels=labels)
            for key, value in sorted(values.get(metric.name, {}).items()):
                family.add_metric(list(key), value)
            yield family

    def _add_up(self, found: ProcessFigures) -> None:
        for run in found.ended:
            if run.waited is not None:
                self._waits.add((run.kind,), max(run.waited, 0.0))
            if run.seconds is not None:
                self._durations.add((run.kind, run.state), max(run.seconds, 0.0))

    def _values(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        seen = self._observer.figures()
        held: _Values = defaultdict(lambda: defaultdict(float))
        held["incumbent_build_info"][__version__,] = 1
        held["incumbent_database_up"][()] = 0 if seen.problem else 1
        if seen.value.now is not None:
            held["incumbent_figures_age_seconds"][()] = seen.age
        leads = self._observer.leads()
        held["incumbent_leads"][()] = 1 if leads in {None, True} else 0
        for condition in self._observer.conditions():
            held["incumbent_ready"][condition.name,] = float(condition.ok)
        for loop in self._observer.loops():
            held["incumbent_loop_lag_seconds"][loop.name,] = loop.silent_for
            held["incumbent_loop_rounds_total"][loop.name,] = loop.rounds
            held["incumbent_loop_failures_total"][loop.name,] = loop.failures
            held["incumbent_loop_busy_seconds_total"][loop.name,] = loop.seconds
        if seen.value.now is not None:
            self._from_books(seen.value, held)
        return held

    def _from_books(self, found: ProcessFigures, held: _Values) -> None:
        now = found.now
        assert now is not None  # noqa: S101 - the caller looked
        for (model, verdict), number in found.verdicts.items():
            held["incumbent_decisions_total"][self._model(model), verdict] += number
        held["incumbent_signals_waiting"][()] = found.signals
        for topic, number in found.outbox.items():
            held["incumbent_outbox_letters"][topic,] = number
        for run in found.unended:
            held["incumbent_runs"][run.kind, run.state] += 1
        queued = [run.age for run in found.unended if run.state == "queued"]
        held["incumbent_queue_oldest_seconds"][()] = max([0.0, *queued])
        held["incumbent_workers"][()] = found.workers
        for channel, number in found.failing.items():
            held["incumbent_messages_failing"][self._channel(channel),] += number
        self._models(found, held, now)
        self._data(found, held, now)

    def _models(self, found: ProcessFigures, held: _Values, now: datetime) -> None:
        for state in found.models:
            model = self._model(state.model)
            errors = held["incumbent_model_error"]
            errors[model,] = max(errors[model,], float(state.error is not None))
            if model == OTHER:
                continue  # a sum of versions or of ages means nothing
            held["incumbent_champion_version"][model,] = state.champion or 0
            held["incumbent_model_held"][model,] = float(state.hold is not None)
            if state.model in found.seated:
                age = (now - found.seated[state.model]).total_seconds()
                held["incumbent_champion_age_seconds"][model,] = age
            number, since = found.waiting.get(state.model, (0, now))
            held["incumbent_challengers_waiting"][model,] = number
            held["incumbent_challenger_wait_seconds"][model,] = (now - since).total_seconds()

    def _data(self, found: ProcessFigures, held: _Values, now: datetime) -> None:
        for (name, column, distance), value in found.drift.items():
            if self._column(f"{name}\n{column}") != OTHER:
                key = (self._model(name), column[:_LONGEST], distance)
                held["incumbent_drift"][key] = value
        for source in found.sources:
            model = self._model(source.model)
            up = held["incumbent_source_up"]
            up[model,] = min(up.get((model,), 1.0), float(not source.error))
            if source.good_at is not None and model != OTHER:
                age = (now - source.good_at).total_seconds()
                held["incumbent_source_good_age_seconds"][model,] = age
