"""What a run recorded of itself, as a page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.service.explain.documents import mapping_part

_MOST_FILES = 20


def provenance_view(kept: Mapping[str, Any]) -> dict[str, Any] | None:
    """Code, machine, packages, rows and files of a run, as its page lists them; None where nothing was recorded."""
    if not kept:
        return None
    code, platform, data = (
        mapping_part(kept, "code"),
        mapping_part(kept, "platform"),
        mapping_part(kept, "data"),
    )
    files = [f for f in data.get("files") or () if isinstance(f, dict)]
    commit = str(code.get("commit") or "")[:12]
    facts = {
        "Commit": f"{commit}{' (with changes that were not committed)' if code.get('dirty') else ''}",
        "Source": mapping_part(kept, "source").get("file"),
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
        "rows": mapping_part(kept, "rows"),
        "files": files[-_MOST_FILES:],
        "more_files": max(0, len(files) - _MOST_FILES),
        "packages": mapping_part(kept, "packages"),
    }


def _seconds(value: Any) -> str | None:
    return f"{value:,.1f} s" if isinstance(value, (int, float)) else None


def _mebibytes(value: Any) -> str | None:
    return f"{value / (1 << 20):,.0f} MiB" if isinstance(value, (int, float)) else None
