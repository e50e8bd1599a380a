"""A house with a past worth looking at: four champions, a challenger that is held, drift, a failed training.

Written through the real services; only the numbers that an evaluation reports are made up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.evidence import Evaluation, GateEvidence, HoldoutView
from controller.domain.runs import Run, RunKind
from controller.domain.signals import SignalKind
from controller.ports import JournalEntry
from tests.support.house import MODEL, servable
from tests.support.page import Office

BEFORE = """\
version: 1
model: flight-delay
owner: arrivals-team
data: {source: "data/flights/*.parquet", time: time_hour, target: arr_delay}
train: {entrypoint: "flights.train:gbm"}
triggers:
  - new_data: {rows: 20000}
promote:
  - {name: better, metric: mae, better_than: champion}
"""
RULES = """\
version: 1
model: flight-delay
owner: arrivals-team
description: Minutes of arrival delay, at scheduled departure.
data: {source: "data/flights/*.parquet", time: time_hour, target: arr_delay}
train:
  entrypoint: "flights.train:gbm"
  params: {depth: 6, rate: 0.1}
triggers:
  - new_data: {rows: 20000}
limits: {cooldown: 6h}
promote:                        # all must pass
  - {name: better, metric: mae, better_than: champion, by: 0.1}
  - {name: no worse anywhere, metric: mae, not_worse_than: champion, margin: 0.5, slices: {by: origin, min_rows: 300}}
  - {name: absolute, metric: mae, at_most: 20}
approval: {when: inconclusive, from: [leads], count: 1, expires: 3d}
"""


def tell(office: Office) -> None:
    """Live through it. The newest decision holds v5."""
    house, desk = office.house, office.desk
    desk.enforce(BEFORE)
    for month, mae in enumerate((15.9, 15.2, 14.9, 14.6), 1):
        house.clock.advance(timedelta(days=24))
        house.data(27_000 + month, f"2013-{month:02}.parquet")
        _work(office, mae, certain=True)
    desk.enforce(RULES)
    house.clock.advance(timedelta(days=10))
    house.data(3_000, "2013-05-a.parquet")
    house.tick()
    house.clock.advance(timedelta(days=10))
    house.data(25_400, "2013-05.parquet")
    _work(office, 14.2, certain=False)


def _work(office: Office, mae: float, *, certain: bool) -> None:
    house = office.house
    house.tick()
    while (run := house.claim()) is not None:
        if run.spec.kind is RunKind.TRAIN:
            _log(office, run, mae)
            digest = f"{run.number:064x}"
            house.finish(
                run, digest=digest, size=1_480_223, metrics={"mae": mae - 0.3}, recipe=run.spec.recipe,
                data_through=run.spec.data_through,
            )  # fmt: skip
        elif run.spec.kind is RunKind.VERIFY:
            house.finish(run, version=run.spec.version)
        else:
            house.finish(run, evaluation=_evaluation(run, mae, certain=certain))
        house.tick()


def _log(office: Office, run: Run, mae: float) -> None:
    at = office.house.clock.now()
    entries = [JournalEntry(at=at, kind="phase", text="loading 27,004 rows")]
    for step in range(1, 41):
        value = mae + 6.0 / step
        entries.append(JournalEntry(at=at, kind="metric", name="mae", step=step, value=value))
        entries.append(JournalEntry(at=at, kind="log", text=f"tree {step:>3}  mae {value:.3f}"))
    with office.house.store.begin() as tx:
        tx.journal.append(run.id, run.fence, entries)


def _evaluation(run: Run, mae: float, *, certain: bool) -> Any:
    gates = []
    for gate in run.spec.gates:
        gain, half = (-0.5, 0.2) if certain else (-0.28, 0.24)
        if gate.reference is None:
            gates.append(
                GateEvidence(
                    gate=gate.name, metric=gate.metric, method="value", challenger=mae, n=18_422
                )
            )
            continue
        need = (
            -gate.margin.value if gate.comparison.value == "not_worse_than" else gate.margin.value
        )
        parts = _slices(gate.name, need) if gate.slices else ()
        gates.append(_evidence(gate.name, gain, half, need, mae, slices=parts))
    report = Evaluation(
        run=run.id,
        version=run.spec.version or 0,
        champion=run.spec.champion,
        anchor=run.spec.anchor,
        evidence=(servable(), *gates),
        holdout=HoldoutView(rows=18_422, labelled=18_422),
        metrics={"mae": mae},
    )
    return to_plain(report)


def _evidence(
    name: str, difference: float, half: float, need: float, mae: float, **more: Any
) -> GateEvidence:
    theta = difference + need
    p_pass = 0.001 if theta + half < 0 else 0.11
    return GateEvidence(
        gate=name, metric="mae", method="paired BCa bootstrap", challenger=mae, reference=mae - difference,
        reference_name="champion v4", difference=difference, interval_low=difference - half,
        interval_high=difference + half, theta=theta, p_pass=p_pass, p_fail=1 - p_pass,
        **({"n": 18_422, "needed_n": None if p_pass < 0.05 else 41_000} | more),
    )  # fmt: skip


def _slices(name: str, need: float) -> tuple[GateEvidence, ...]:
    found = (("JFK", 0.12, 0.33, 5_930), ("LGA", -0.31, 0.29, 6_104), ("EWR", -0.44, 0.26, 6_388))
    return tuple(
        _evidence(name, gain, half, need, 14.2 + gain, n=rows, slice={"origin": origin})
        for origin, gain, half, rows in found
    )


def drifted(office: Office) -> None:
    """Drift is signalled, which no trigger of the policy asks for."""
    office.house.signal(
        SignalKind.DRIFT,
        "drift:1",
        columns={"distance": 0.31},
        metric="psi",
        value=0.31,
        model=MODEL,
    )
    office.house.tick()
