"""A profile on the worker's side: what the new batches look like, counted in a child process.

The reference (layout and profile) is made once for each reference and kept as an artifact; later runs find it by the
result of an earlier run, so no old file is read again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controller.domain.runs import RunKind, RunState
from controller.ports import Query, RunEnd
from workers.failure import Failure
from workers.steps import Steps


def profile_run(steps: Steps) -> RunEnd:
    """Done with what broke its expectations, and each column's distances from the reference."""
    details = steps.run.spec.details
    after, through = int(details.get("after", 0)), int(details.get("reference_through", 0))
    fresh = tuple(b for b in steps.batches if b.sequence > after)
    if not fresh:
        raise Failure("the batches to look at are not in the snapshot any more")
    # Before the first champion, everything that came earlier is the reference.
    reference = tuple(b for b in steps.batches if b.sequence <= (through or after))
    known = _known(steps, through) if through else None
    looked = steps.do(
        "profile",
        steps.job(
            task="profile",
            batches=fresh,
            details={
                "reference": [b.sequence for b in reference],
                "known": known,
                "all": _plain(reference),
            },
        ),
        quiet=True,
    )
    store = steps.place.artifacts
    kept: dict[str, Any] = {"reference_through": through}
    if looked.get("reference") is not None:
        kept["reference"] = store.put_bytes(json.dumps(looked["reference"]).encode())
    return RunEnd(
        state=RunState.DONE,
        result={
            "columns": looked["columns"],
            "verdict": looked["verdict"],
            "reasons": looked["reasons"],
            "n": looked["rows"],
            "problem": looked["problem"],
            "quarantine": looked["quarantine"],
            "schema_changes": looked["schema_changes"],
            "report": store.put_bytes(json.dumps(looked["report"]).encode()),
            "profile": store.put_bytes(json.dumps(looked["profile"]).encode()),
            "data_through": steps.run.spec.data_through,
            **kept,
            **steps.used(),
        },
    )


def _known(steps: Steps, through: int) -> Mapping[str, Any] | None:
    """The reference that an earlier run made for the same training data."""
    query = Query(
        model=steps.run.model,
        kinds=(RunKind.PROFILE.value,),
        states=(RunState.DONE.value,),
        limit=20,
    )
    with steps.place.store.read() as tx:
        earlier = tx.runs.find(query)
    for run in earlier:
        digest = run.result.get("reference")
        if run.result.get("reference_through") == through and isinstance(digest, str):
            found: Mapping[str, Any] = json.loads(steps.place.artifacts.read_bytes(digest))
            return found
    return None


def _plain(batches: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [
        {"uri": b.uri, "digest": b.digest, "size": b.size, "rows": b.rows, "sequence": b.sequence}
        for b in batches
    ]
