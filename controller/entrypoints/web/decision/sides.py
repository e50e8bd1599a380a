"""Challenger and champion side by side: data, features, parameters, code, environment; what differs comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.versions import Version
from controller.entrypoints.api.context import AppContext
from controller.ports import Transaction
from controller.service.explain.documents import document_if_there, mapping_part

_MOST = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One fact of both versions."""

    what: str
    champion: Any
    challenger: Any

    @property
    def differs(self) -> bool:
        """Whether they are not the same; a side that is unknown differs."""
        return bool(self.champion != self.challenger)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedVersions:
    """What two versions are compared in: the facts that differ, and those that are the same."""

    name: str
    differing: tuple[Fact, ...]
    same: tuple[Fact, ...]
    known: bool = True


SUBJECTS = ("data", "features", "parameters", "code", "environment", "result")


def side_by_side(
    tx: Transaction, app_context: AppContext, champion: Version | None, challenger: Version | None
) -> list[ComparedVersions]:
    """Every subject, also where nothing differs; empty without a challenger."""
    if challenger is None:
        return []
    left = _facts(tx, app_context, champion) if champion else {}
    right = _facts(tx, app_context, challenger)
    return [_subject(name, left.get(name, {}), right.get(name, {})) for name in SUBJECTS]


def _subject(name: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> ComparedVersions:
    facts = [
        Fact(what=key, champion=left.get(key), challenger=right.get(key))
        for key in dict.fromkeys((*right, *left))
    ]
    return ComparedVersions(
        name=name,
        differing=tuple(f for f in facts if f.differs)[:_MOST],
        same=tuple(f for f in facts if not f.differs)[:_MOST],
        known=bool(facts),
    )


def _facts(tx: Transaction, app_context: AppContext, version: Version) -> dict[str, dict[str, Any]]:
    kept = document_if_there(app_context.artifacts, version.lineage)
    run = tx.runs.get(version.run)
    spec = run.spec if run else None
    platform, code = mapping_part(kept, "platform"), mapping_part(kept, "code")
    data, rows = mapping_part(kept, "data"), mapping_part(kept, "rows")
    files = data.get("files") if isinstance(data.get("files"), list) else None
    return {
        "data": _given({
            "batches up to": version.data_through,
            "files": len(files) if files is not None else None,
            "rows for training": rows.get("training"),
            "window": str(spec.window) if spec and spec.window else None,
            "source": spec.data.source if spec else None,
        }),
        "features": _features(kept),
        "parameters": dict(_flat(to_plain(spec.params))) | {"seed": spec.seed} if spec else {},
        "code": _given({
            "recipe": version.recipe,
            "entry point": (spec.entrypoint or " ".join(spec.command or ())) if spec else None,
            "commit": str(code.get("commit") or "")[:12] or None,
            "changes that were not committed": code.get("dirty"),
        }),
        "environment": _given({
            name: platform.get(name) for name in ("python", "system", "machine", "cpus", "incumbent")
        }) | dict(mapping_part(kept, "packages")),
        "result": _given({
            **{f"{name} in training": value for name, value in sorted(version.metrics.items())},
            "size in bytes": version.size,
            "seconds of training": kept.get("seconds"),
            "artifact": version.digest[:12],
            "run": version.run,
        }),
    }  # fmt: skip


def _given(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None and value != ""}


def _features(kept: Mapping[str, Any]) -> dict[str, Any]:
    schema, names = mapping_part(kept, "schema"), kept.get("features")
    if not isinstance(names, Sequence) or isinstance(names, str):
        return {}
    return {str(name): schema.get(name, "used") for name in names}


def _flat(value: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{key}.")
        else:
            yield f"{before}{key}", inner
