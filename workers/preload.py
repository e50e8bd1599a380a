"""What the zygote may import ahead of its children."""

from __future__ import annotations

from collections.abc import Iterable

FORK_SAFE = frozenset({"joblib", "numpy", "pandas", "pyarrow", "scipy", "sklearn"})
"""Libraries that may be imported before a fork: they start no threads then, or mend them after it."""

OUR_JOBS = frozenset({"workers.train", "workers.prepare", "workers.predict", "workers.judge"})
"""Our own steps; of what weighs something they import those libraries only."""


def may_be_learned(modules: Iterable[str]) -> list[str]:
    """Those of ``modules`` that the zygote may import, private and deeply nested ones left out."""
    return sorted(
        name
        for name in modules
        if name in OUR_JOBS
        or (name.partition(".")[0] in FORK_SAFE and "._" not in name and name.count(".") < 2)
    )
