"""What a run recorded of itself: its document in the artifact store, and the parts that a page shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controller.domain.errors import IncumbentError
from controller.entrypoints.api.desk import Desk

_MOST_FILES = 20


def read_lineage(desk: Desk, digest: str | None) -> dict[str, Any]:
    """The document; empty where it cannot be had."""
    if not digest or desk.artifacts is None:
        return {}
    try:
        kept = json.loads(desk.artifacts.read_bytes(digest))
    except (IncumbentError, ValueError, OSError):
        return {}
    return kept if isinstance(kept, dict) else {}


def part(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of the document that is a mapping; empty where it is none."""
    found = kept.get(name)
    return found if isinstance(found, dict) else {}


def provenance_view(kept: Mapping[str, Any]) -> dict[str, Any] | None:
    """Code, machine, packages, rows and files of a run, as its page lists them; None where nothing was recorded."""
    if not kept:
        return None
    code, platform, data = part(kept, "code"), part(kept, "platform"), part(kept, "data")
    files = [f for f in data.get("files") or () if isinstance(f, dict)]
    commit = str(code.get("commit") or "")[:12]
    facts = {
        "Commit": f"{commit}{' (with changes that were not committed)' if code.get('dirty') else ''}",
        "Source": part(kept, "source").get("file"),
        "Python": platform.get("python"),
        "System": platform.get("system"),
        "Machine": platform.get("host"),
        "Worker": kept.get("worker"),
        "Attempt": kept.get("attempt"),
        "Processor": _seconds(kept.get("cpu_seconds")),
        "Memory at most": _mebibytes(kept.get("peak_memory")),
        "Chosen parameters": kept.get("params") if kept.get("search") else None,
    }
    return {
        "facts": {name: value for name, value in facts.items() if value not in {None, ""}},
        "rows": part(kept, "rows"),
        "files": files[-_MOST_FILES:],
        "more_files": max(0, len(files) - _MOST_FILES),
        "packages": part(kept, "packages"),
    }


def _seconds(value: Any) -> str | None:
    return f"{value:,.1f} s" if isinstance(value, (int, float)) else None


def _mebibytes(value: Any) -> str | None:
    return f"{value / (1 << 20):,.0f} MiB" if isinstance(value, (int, float)) else None
