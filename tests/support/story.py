"""A house with a past worth looking at: four champions, a challenger that is held, drift, a failed training.

Written through the real services; only the numbers that an evaluation reports are made up.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from controller.domain.canonical import canonical_json, to_plain
from controller.domain.canonical import digest as digest_of
from controller.domain.evidence import Evaluation, GateEvidence, HoldoutView
from controller.domain.runs import Run, RunKind
from controller.domain.signals import SignalKind
from controller.ports import Delivery, DeliveryState, JournalEntry, Notice, ReviewRecord, Silence
from tests.support.command import PATH
from tests.support.house import MODEL, servable
from tests.support.page import Office

_GROUPS = [(2.0 + 4.0 * i, 1843) for i in range(10)]
PANEL: dict[str, Any] = {
    "distribution": {
        "edges": [-30.0 + 6.0 * i for i in range(21)],
        "shares": {
            "label": [round(0.14 * 2.0 ** -abs((i - 6) / 3.1), 4) for i in range(20)],
            "champion": [round(0.21 * 2.0 ** -abs((i - 7) / 1.6), 4) for i in range(20)],
            "challenger": [round(0.18 * 2.0 ** -abs((i - 6.6) / 2.0), 4) for i in range(20)],
        },
    },
    "calibration": {
        "unit": "mean label",
        "sides": {
            "champion": [[x, 0.8 * x + 4.1, n] for x, n in _GROUPS],
            "challenger": [[x, 0.94 * x + 1.2, n] for x, n in _GROUPS],
        },
    },
}
"""What the worker computes of the answers of both versions."""

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
    house, app_context = office.house, office.app_context
    app_context.enforce(BEFORE)
    for month, mae in enumerate((15.9, 15.2, 14.9, 14.6), 1):
        house.clock.advance(timedelta(days=24))
        house.data(27_000 + month, f"2013-{month:02}.parquet")
        _work(office, mae, certain=True)
    app_context.enforce(RULES, **reviewed(office))
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
                data_through=run.spec.data_through, lineage=_lineage(office, run),
            )  # fmt: skip
        elif run.spec.kind is RunKind.VERIFY:
            house.finish(run, version=run.spec.version)
        else:
            house.finish(run, evaluation=_evaluation(run, mae, certain=certain))
        house.tick()


def _operation(p50: float, size: float) -> dict[str, float]:
    return {"latency_ms_p50": p50, "latency_ms_p95": p50 * 1.7, "model_size_mb": size}


def _lineage(office: Office, run: Run) -> str:
    """What a training recorded of itself: the features, packages and commit change over time."""
    late = run.number > 8
    features = ["carrier", "origin", "dest", "distance", *(["sched_dep_time"] if late else [])]
    kept = {
        "features": features,
        "schema": dict.fromkeys(features, "double") | {"carrier": "string", "origin": "string"},
        "code": {"commit": f"{'b4' if late else 'a3'}{'0' * 38}", "dirty": False},
        "packages": {"scikit-learn": "1.8.1" if late else "1.8.0", "numpy": "2.3.4"},
        "platform": {"python": "3.11.7", "machine": "x86_64", "cpus": 2},
        "rows": {"training": 24_000 + 1000 * run.number},
        "seconds": 41.5,
    }
    return office.artifacts.put_bytes(json.dumps(kept).encode())


def reviewed(office: Office) -> dict[str, Any]:
    """The evidence that the newer rules were read by somebody else, in the form that the git adapter writes."""
    commit, head = "c5" * 20, "d6" * 20
    pull = "https://forge.example/arrivals/rules/pull/12"
    content = {
        "facts": {
            "revision": commit,
            "changed": [{"path": PATH, "blob": "", "last_commit": commit}],
            "commits": [{"sha": commit, "author": {"name": "Cleo Marsh", "email": "cleo@x"}}],
            "pulls": [
                {"name": "#12", "url": pull, "author": "cleo", "landed": [commit], "commits": []}
            ],
        },
        "counted": [
            {"person": "ben", "account": "ben-r", "pull": "#12", "commit": head,
             "at": "2013-05-06T09:30:00.000000Z"},
        ],
    }  # fmt: skip
    text = canonical_json(content)
    record = ReviewRecord(
        digest=digest_of(text.encode()), source="forge", revision=commit, proven=True,
        recorded_at=office.house.clock.now(), reason="#12 was approved by ben.", evidence=text,
    )  # fmt: skip
    with office.house.store.begin() as tx:
        tx.reviews.put(record)
    return {"revision": commit, "review": record.digest, "reviewers": ("ben",)}


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
        metrics={"mae": mae, "rmse": mae + 7.3, **_operation(2.4, 1.48)},
        details={
            "champion": {"mae": mae + 0.28, "rmse": mae + 7.9, **_operation(2.1, 1.41)},
            "panel": PANEL,
        },
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
        columns={"distance": {"psi": 0.31}},
    )
    office.house.tick()


def told(office: Office, decision: int) -> None:
    """Messages about it in every state: 1 sent, 2 failed, 3 tried again, 4 silenced, 5 without an address."""
    now = office.house.clock.now()
    held = Notice(
        event="held",
        model=MODEL,
        sentence="v5 waits for <b>approval</b>",
        at=now,
        decision=decision,
    )
    drift = Notice(event="drifted", model=MODEL, sentence="distance drifted", at=now, times=3)
    with office.house.store.begin() as tx:
        quiet = tx.silences.add(
            Silence(
                model=MODEL, event="held", channel="oncall", reason="moving the warehouse",
                created_by="person:ben", created_at=now, ends_at=now + timedelta(hours=2),
            )
        )  # fmt: skip
        for channel, state, more in (
            ("leads", DeliveryState.SENT, {"sent_at": now, "attempts": 1}),
            ("feed", DeliveryState.FAILED, {"attempts": 9, "last_error": "feed.example said 500"}),
            ("chat", DeliveryState.SENDING, {"attempts": 2, "last_error": "no route to host"}),
            ("oncall", DeliveryState.SILENCED,
             {"silence": quiet.id, "last_error": "silenced: moving the warehouse"}),
            ("lost", DeliveryState.NOWHERE, {"last_error": "no channel called lost is configured"}),
        ):  # fmt: skip
            tx.deliveries.put(
                Delivery(
                    channel=channel, address="mail 1", lane="", state=state, created_at=now,
                    due_at=now + timedelta(minutes=5), notices=(held, drift), count=29, **more,
                )
            )  # fmt: skip
