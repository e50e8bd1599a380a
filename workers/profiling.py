"""A profile on the worker's side: what the new batches look like, counted in a child process.

The reference (layout and profile) is made once for each reference and kept as an artifact; later runs find it by the
result of an earlier run, so no old file is read again. Each batch's own profile is kept as well: any later window is
a sum of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from controller.domain.runs import Run, RunKind, RunState
from controller.ports import Batch, Query, RunEnd
from controller.ports.documents import read_document
from workers.failure import Failure
from workers.steps import RunSteps
from workers.windows import window_of

_EARLIER = 40
"""Runs that are looked through for a reference, for profiles and for a history."""


def profile_run(steps: RunSteps) -> RunEnd:
    """Done with what broke its expectations, and each column's distances from each reference."""
    details = steps.run.spec.details
    after, through = int(details.get("after", 0)), int(details.get("reference_through", 0))
    fresh = tuple(b for b in steps.batches if b.sequence > after)
    if not fresh:
        raise Failure("the batches to look at are not in the snapshot any more")
    # Before the first champion, everything that came earlier is the reference.
    reference = tuple(b for b in steps.batches if b.sequence <= (through or after))
    earlier = _earlier(steps)
    names = [str(name) for name in details.get("references") or ()]
    looked = steps.do(
        "profile",
        steps.job(
            task="profile",
            batches=fresh,
            details={
                "known": known_reference(steps, through) if through else None,
                "all": plain_batches(reference),
                "windows": {name: _window(steps, name, fresh, earlier) for name in names},
                "history": {n: _history(earlier, n, through) for n in ("training", *names)},
            },
        ),
        quiet=True,
    )
    return RunEnd(state=RunState.DONE, result=_result(steps, looked, through))


def _result(steps: RunSteps, looked: Mapping[str, Any], through: int) -> dict[str, Any]:
    store = steps.place.artifacts
    kept: dict[str, Any] = {"reference_through": through}
    if looked.get("reference") is not None:
        kept["reference"] = store.put_bytes(json.dumps(looked["reference"]).encode())
    if looked["profiles"]:
        kept["profiles"] = store.put_bytes(json.dumps(looked["profiles"]).encode())
    against = {
        name: {key: value for key, value in found.items() if key != "report"}
        for name, found in looked["against"].items()
    }
    whole = {
        "training": looked["report"],
        **{n: f["report"] for n, f in looked["against"].items()},
    }
    return {
        "columns": looked["columns"],
        "judged": looked["judged"],
        "verdict": looked["verdict"],
        "reasons": looked["reasons"],
        "n": looked["rows"],
        "problem": looked["problem"],
        **({"against": against} if against else {}),
        "quarantine": looked["quarantine"],
        "schema_changes": looked["schema_changes"],
        "report": store.put_bytes(json.dumps(looked["report"]).encode()),
        **({"reports": store.put_bytes(json.dumps(whole).encode())} if against else {}),
        "profile": store.put_bytes(json.dumps(looked["profile"]).encode()),
        "data_through": steps.run.spec.data_through,
        **kept,
        **steps.used(),
    }


def known_reference(steps: RunSteps, through: int) -> Mapping[str, Any] | None:
    """The reference that an earlier run made for the same training data."""
    kinds = (RunKind.PROFILE.value, RunKind.SKEW.value)
    for run in _earlier(steps, kinds):
        digest = run.result.get("reference")
        if run.result.get("reference_through") == through and isinstance(digest, str):
            return read_document(steps.place.artifacts, digest)
    return None


def _earlier(steps: RunSteps, kinds: tuple[str, ...] = (RunKind.PROFILE.value,)) -> list[Run]:
    query = Query(model=steps.run.model, kinds=kinds, states=(RunState.DONE.value,), limit=_EARLIER)
    with steps.place.store.read() as tx:
        return tx.runs.find(query)


def _history(earlier: Sequence[Run], name: str, through: int) -> dict[str, list[Any]]:
    """Each column's distances in the batches that were accepted: those on which it did not alert, oldest first."""
    found: dict[str, list[Any]] = {}
    for run in reversed(earlier):
        told = run.result if name == "training" else (run.result.get("against") or {}).get(name)
        if not told or run.result.get("reference_through") != through:
            continue
        judged = told.get("judged") or {}
        for column, values in (told.get("columns") or {}).items():
            if (judged.get(column) or {}).get("verdict") != "alert":
                found.setdefault(column, []).append(values)
    return found


def _window(
    steps: RunSteps, name: str, fresh: Sequence[Batch], earlier: Sequence[Run]
) -> dict[str, Any]:
    """The batches of a reference, with the profiles that are kept of them."""
    older = [b for b in steps.batches if b.sequence < fresh[0].sequence]
    batches, problem = window_of(name, older, fresh)
    if problem:
        return {"problem": problem}
    wanted = {batch.sequence for batch in batches}
    kept: dict[int, Any] = {}
    for run in earlier:
        digest = run.result.get("profiles")
        if not isinstance(digest, str) or not wanted - set(kept):
            continue
        for number, profile in read_document(steps.place.artifacts, digest).items():
            if int(number) in wanted:
                kept.setdefault(int(number), profile)
    return {
        "batches": [
            {"batch": item, "profile": kept.get(item["sequence"])}
            for item in plain_batches(batches)
        ]
    }


def plain_batches(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """Batches as a job names them."""
    return [
        {"uri": b.uri, "digest": b.digest, "size": b.size, "rows": b.rows, "sequence": b.sequence}
        for b in batches
    ]
