"""The file of an evaluation's predictions: written by a worker, read again by whoever wants to recompute the evidence.

One Parquet file, a row an example: ``key`` and ``time`` where the data have them, the label ``y``, what versions
answered (``challenger``, ``champion``, ``anchor``; probabilities as ``challenger_p0`` …), and the columns that gates
slice by (``slice_NAME``). What belongs to no row (names, classes, constant guesses, latencies) is in its metadata.

Workers compute evidence from this file, not from what they had in memory: recomputing it gives the same bits.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from controller.domain.canonical import canonical_json, to_plain
from controller.domain.errors import IntegrityError
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.metrics import find_metric
from controller.domain.rules import SERVABLE, Gate, Reference
from controller.evidence.scored import (
    PLUGIN,
    Scored,
    ScoredSide,
    all_evidence,
    gate_evidence,
    reference_of,
)

STORED_FORMAT = 1
_FACTS = b"incumbent"
_SLICE = "slice_"
MOST_CELLS = 200_000_000
"""Rows times columns; a file of a kilobyte may say that it has billions."""


def write_scored(
    path: Path,
    rows: Mapping[str, pa.ChunkedArray],
    groups: Mapping[str, pa.ChunkedArray],
    facts: tuple[str, Mapping[str, ScoredSide], Mapping[str, Any]],
) -> None:
    """Write the file. ``rows`` has ``y`` and may have ``key`` and ``time``; ``facts`` are run, sides and baseline."""
    run, sides, baseline = facts
    columns: dict[str, Any] = {n: rows[n] for n in ("key", "time", "y") if n in rows}
    for role, side in sides.items():
        if side.values is not None:
            plain = side.values.tolist() if side.values.dtype == object else side.values
            columns[role] = pa.array(plain)
        if side.probabilities is not None:
            for index in range(side.probabilities.shape[1]):
                columns[f"{role}_p{index}"] = pa.array(side.probabilities[:, index])
    columns |= {_SLICE + name: column for name, column in groups.items()}
    kept = {
        "format": STORED_FORMAT,
        "run": run,
        "baseline": baseline,
        "sides": {
            role: {
                "name": side.name,
                "problem": side.problem,
                "classes": side.classes,
                "measured": side.measured,
            }
            for role, side in sides.items()
        },
    }
    text = json.dumps(to_plain(kept))
    pq.write_table(pa.table(columns).replace_schema_metadata({"incumbent": text}), path)


def read_scored(content: bytes) -> Scored:
    """The rows and facts of a stored file; IntegrityError if it is none, or holds more than a holdout does.

    Whoever could write the artifact wrote every byte of it, so it may have any shape.
    """
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            _check_cells(file.metadata)
            table = file.read()
        return _scored(table)
    except (pa.ArrowException, MemoryError, RecursionError, OSError) as error:
        raise IntegrityError(f"the stored predictions cannot be read: {error}.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"the stored predictions are not what a worker stores: {error}."
        ) from error


def _check_cells(said: pq.FileMetaData) -> None:
    if not 0 <= said.num_rows * said.num_columns <= MOST_CELLS:
        raise IntegrityError(
            f"the stored predictions name {said.num_rows:,} rows of {said.num_columns:,} columns, which no holdout has."
        )


def _scored(table: pa.Table) -> Scored:
    facts = json.loads((table.schema.metadata or {})[_FACTS])
    if facts.get("format") != STORED_FORMAT:
        raise IntegrityError(
            f"the stored predictions have the format {facts.get('format')}; this version reads {STORED_FORMAT}."
        )
    sides = {role: _side(table, role, held) for role, held in facts["sides"].items()}
    return Scored(
        run=str(facts["run"]),
        y=_values(table["y"]),
        sides=sides,
        baseline=facts["baseline"],
        time=_times(table["time"]) if "time" in table.column_names else None,
        groups={
            name.removeprefix(_SLICE): _values(table[name])
            for name in table.column_names
            if name.startswith(_SLICE)
        },
    )


def _side(table: pa.Table, role: str, held: Mapping[str, Any]) -> ScoredSide:
    names = [name for name in table.column_names if name.startswith(f"{role}_p")]
    ordered = sorted(names, key=lambda name: int(name.removeprefix(f"{role}_p")))
    classes = held.get("classes")
    return ScoredSide(
        name=str(held["name"]),
        problem=str(held.get("problem") or ""),
        values=_values(table[role]) if role in table.column_names else None,
        probabilities=np.column_stack([_values(table[n]) for n in ordered]) if ordered else None,
        classes=None if classes is None else tuple(classes),
        measured=dict(held.get("measured") or {}),
    )


def _values(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = column.combine_chunks().to_numpy(zero_copy_only=False)
    return found


def _times(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Times as numpy reads them: without a zone, in UTC."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz))
    elif pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    return _values(column)


def servable_evidence(challenger: ScoredSide) -> GateEvidence:
    """The gate that is always on: loaded in a fresh process, answered for every row of the holdout."""
    return GateEvidence(
        gate=SERVABLE,
        metric=SERVABLE,
        method="load",
        challenger=0.0 if challenger.problem else 1.0,
        p_pass=1.0 if challenger.problem else 0.0,
        problem=challenger.problem or None,
    )


def evidence_from(scored: Scored, gates: Sequence[Gate]) -> tuple[GateEvidence, ...]:
    """Everything that an evaluation with these gates says, ``servable`` first."""
    return (servable_evidence(scored.sides["challenger"]), *all_evidence(scored, gates))


def known_evidence(
    evaluation: Evaluation, gates: Sequence[Gate], content: bytes
) -> dict[str, GateEvidence]:
    """By name, the evidence of those gates that the stored predictions of ``evaluation`` answer.

    It is what the worker would have reported had it been asked for these gates then. A gate is left out where it asks
    for what was not stored: a column of slices, probabilities, a side, a measurement, a metric of a plugin.
    """
    scored = read_scored(content)
    asked = (gate for gate in gates if _is_stored(evaluation, scored, gate))
    return {gate.name: gate_evidence(scored, gate) for gate in asked}


def _is_stored(evaluation: Evaluation, scored: Scored, gate: Gate) -> bool:
    metric, reference = find_metric(gate.metric), reference_of(scored, gate)
    if metric is None or (gate.slices and not set(gate.slices.by) <= scored.groups.keys()):
        return False
    if gate.reference is Reference.ANCHOR and evaluation.anchor is None:
        return False
    sides = [side for side in (scored.sides["challenger"], reference) if side is not None]
    if any(side.problem for side in sides):
        return True  # the problem is what the worker would have reported
    if metric.name == "prediction_change_rate":
        return all(side.values is not None for side in scored.sides.values())
    if metric.operational:
        return all(metric.name in side.measured for side in sides)
    if metric.prediction.graded:
        return all(side.probabilities is not None for side in sides)
    return all(side.values is not None for side in sides)


def recompute(evaluation: Evaluation, gates: Sequence[Gate], content: bytes) -> list[str]:
    """A sentence for each gate whose stored evidence is not what the stored predictions give; empty: all is."""
    again = {item.gate: item for item in evidence_from(read_scored(content), gates)}
    found = []
    for item in evaluation.evidence:
        other = again.pop(item.gate, None)
        if PLUGIN in item.details:
            continue  # only a worker asks a plugin: see `of_plugins`
        if other is None:
            found.append(f"gate {item.gate} is not among those that were asked for.")
        elif canonical_json(other) != canonical_json(item):
            found.append(f"gate {item.gate}: {_difference(item, other)}.")
    return found + [f"gate {name} has no stored evidence." for name in again]


def of_plugins(evaluation: Evaluation) -> list[str]:
    """A sentence for each gate whose evidence rests on a plugin, and is not recomputed here."""
    return [
        f"Gate {item.gate} was not computed again: its metric is brought by {item.details[PLUGIN]}."
        for item in evaluation.evidence
        if PLUGIN in item.details
    ]


def _difference(stored: GateEvidence, again: GateEvidence) -> str:
    before, after = to_plain(stored), to_plain(again)
    name = next(name for name in before if before[name] != after[name])
    return f"{name} is stored as {before[name]!r} and comes out as {after[name]!r}"
