"""Detectors on streams whose drifts are known: found, how late, and what was no drift.

A learner of river (Hoeffding tree; naive Bayes for STAGGER) is tested on each row before it learns it; the
detector sees 0 for right and 1 for wrong, and the learner starts anew when it alarms. river is an extra.

`python -m benchmarks.drift.streams`
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from river import drift, naive_bayes, tree
from river.datasets import synth

from benchmarks.drift.report import publish, table

LONG = 2_000
"""Rows between two drifts."""
SOON = 1_000
"""An alarm this long after a drift found it; any other alarm is false."""


def sea(seed: int) -> list[Any]:
    return [synth.SEA(variant=v, seed=seed + v) for v in (0, 3, 1, 2)]


def agrawal(seed: int) -> list[Any]:
    return [synth.Agrawal(classification_function=f, seed=seed + f) for f in (0, 2, 4, 8)]


def stagger(seed: int) -> list[Any]:
    return [synth.STAGGER(classification_function=f, seed=seed + f) for f in (0, 1, 2, 0)]


def hyperplane(seed: int) -> list[Any]:
    return [synth.Hyperplane(n_features=6, seed=seed + part) for part in range(4)]


STREAMS: dict[str, Callable[[int], list[Any]]] = {
    "SEA": sea,
    "Agrawal": agrawal,
    "STAGGER": stagger,
    "Hyperplane": hyperplane,
}
DETECTORS: dict[str, Callable[[], Any]] = {
    "ADWIN (offered)": drift.ADWIN,
    "Page-Hinkley (offered)": lambda: drift.PageHinkley(mode="up"),
    "KSWIN": lambda: drift.KSWIN(seed=13),
    "HDDM_A": drift.binary.HDDMA,
    "DDM": drift.binary.DDM,
    "EDDM": drift.binary.EDDM,
}


def rows_of(parts: list[Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    for part in parts:
        yield from part.take(LONG)


def learner(name: str) -> Any:
    return naive_bayes.GaussianNB() if name == "STAGGER" else tree.HoeffdingTreeClassifier()  # type: ignore[no-untyped-call]


def alarms_of(name: str, detector: Callable[[], Any], seed: int) -> list[int]:
    """The rows at which the detector alarmed."""
    model, watcher, found = learner(name), detector(), []
    for at, (features, label) in enumerate(rows_of(STREAMS[name](seed))):
        watcher.update(float(model.predict_one(features) != label))
        if watcher.drift_detected:
            found.append(at)
            model, watcher = learner(name), detector()
        model.learn_one(features, label)
    return found


def judged(alarms: list[int], drifts: list[int]) -> tuple[list[int], int]:
    """Delays of the drifts that were found, and the number of false alarms."""
    delays, used = [], set()
    for point in drifts:
        hit = next((a for a in alarms if point <= a < point + SOON), None)
        if hit is not None:
            delays.append(hit - point)
            used.add(hit)
    return delays, len(alarms) - len(used)


def main() -> None:
    """Measures and writes the section."""
    seeds = (1, 2, 3, 4, 5)
    drifts = [LONG * part for part in (1, 2, 3)]
    rows = []
    for title, detector in DETECTORS.items():
        delays: list[int] = []
        false = 0
        by_stream = []
        for name in STREAMS:
            found = [judged(alarms_of(name, detector, seed), drifts) for seed in seeds]
            late = list(itertools.chain.from_iterable(d for d, _ in found))
            wrong = sum(f for _, f in found)
            by_stream.append(f"{len(late)} / {wrong}")
            delays, false = delays + late, false + wrong
        middle = f"{sorted(delays)[len(delays) // 2]}" if delays else "–"
        rows.append([title, *by_stream, f"{len(delays)} / {false}", middle])
    total = len(seeds) * len(drifts)
    publish(
        "streams",
        "Detectors on known drifts",
        f"{len(seeds)} seeds of each generator of river, {LONG:,} rows a concept, {total} drifts a generator. Found / "
        f"false: an alarm within {SOON:,} rows of a drift finds it, every other is false.\n\n"
        + table(["detector", *STREAMS, "all", "median delay (rows)"], rows),
    )


if __name__ == "__main__":
    main()
