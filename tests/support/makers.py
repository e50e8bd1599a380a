"""Short ways to make what the tests of the stores need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.domain.canonical import canonical_json
from controller.domain.decisions import (
    MoveVersion,
    RegisterVersion,
    RulesRef,
    SetChampion,
    StartRun,
)
from controller.domain.rules import DataSection
from controller.domain.runs import Cause, Run, RunKind, RunSpec, run_id
from controller.domain.signals import NewSignal, SignalKind
from controller.domain.versions import VersionState
from controller.ports import Batch, NewDecision, Transaction
from tests.support.nonsense import VALID

AT = datetime(2013, 1, 1, 12, tzinfo=UTC)
MODEL = "flight-delay"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def new_signal(key: str = "k1", model: str = MODEL, **changes: Any) -> NewSignal:
    """A signal that is not in the inbox yet."""
    kind = changes.get("kind", SignalKind.MANUAL)
    values: dict[str, Any] = {"kind": kind, "occurred_at": AT, "payload": VALID[kind]}
    return NewSignal(key=key, model=model, **(values | changes))


def new_decision(model: str = MODEL, verdict: str = "none", **changes: Any) -> NewDecision:
    """A decision that is not in the log yet."""
    values: dict[str, Any] = {
        "decided_at": AT,
        "rules": RulesRef(
            path="rules/a.yaml", blob="b1", revision="r1", review="e1", reviewers=("ana", "ben")
        ),
        "snapshot": canonical_json({"model": model, "ü": 0.1}),
        "decision": canonical_json({"verdict": verdict}),
    }
    return NewDecision(model=model, **(values | changes))


def decide(tx: Transaction, model: str = MODEL, verdict: str = "none") -> int:
    """Record a decision; its number."""
    return tx.decisions.record(new_decision(model, verdict)).id


def enter(tx: Transaction, number: int, model: str = MODEL, decision: int | None = None) -> int:
    """Enter a version as candidate; the number of the decision that did it."""
    decision = decision or decide(tx, model)
    action = RegisterVersion(
        version=number, run=f"{model}.t{number}", digest=f"d{number}", recipe="gbm", size=10
    )
    tx.registry.register(model, action, decision=decision, at=AT)
    return decision


def move(
    tx: Transaction,
    number: int,
    before: VersionState,
    after: VersionState,
    *,
    model: str = MODEL,
    decision: int = 1,
    at: datetime = AT,
) -> None:
    """Move a version."""
    action = MoveVersion(version=number, before=before, after=after, reason="It was so decided.")
    tx.registry.move(model, action, decision=decision, at=at, actor="system")


def seat(
    tx: Transaction,
    number: int,
    *,
    generation: int = 0,
    previous: int | None = None,
    model: str = MODEL,
    decision: int = 1,
    at: datetime = AT,
    **changes: Any,
) -> int:
    """Seat a version, moving the previous one out."""
    leaves = changes.pop("leaves", VersionState.SUPERSEDED)
    if previous is not None:
        move(tx, previous, VersionState.CHAMPION, leaves, model=model, decision=decision, at=at)
    action = SetChampion(
        version=number, generation=generation, previous=previous, reason="It won.", **changes
    )
    return tx.registry.seat(model, action, decision=decision, at=at)


def spec(model: str = MODEL, **changes: Any) -> RunSpec:
    """An order for a training."""
    values: dict[str, Any] = {
        "kind": RunKind.TRAIN,
        "data": DataSection(source="data/*.parquet", target="arr_delay"),
        "data_through": 1,
        "seed": 7,
        "recipe": "gbm",
        "entrypoint": "flights:train",
        "params": {"depth": 6, "rate": 0.1},
        "window": timedelta(days=180),
        "retries": 1,
        "causes": (Cause(trigger="new_data", signals=(1, 2), sentence="20,000 rows came."),),
    }
    return RunSpec(model=model, **(values | changes))


def order(
    tx: Transaction,
    number: int = 1,
    model: str = MODEL,
    decision: int | None = None,
    **changes: Any,
) -> Run:
    """Order a run."""
    decision = decision or decide(tx, model)
    action = StartRun(run=run_id(model, number), number=number, spec=spec(model, **changes))
    return tx.runs.order(model, action, decision=decision, at=AT)


def batch(uri: str, digest: str, rows: int | None = 10, **changes: Any) -> Batch:
    """A piece of data."""
    schema: Mapping[str, str] = {"arr_delay": "DOUBLE"}
    return Batch(uri=uri, digest=digest, size=100, rows=rows, schema=schema, **changes)
