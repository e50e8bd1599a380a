"""What the zygote may import ahead of its children."""

from __future__ import annotations

FORK_SAFE = frozenset({"joblib", "numpy", "pandas", "pyarrow", "scipy", "sklearn"})
"""Libraries that may be imported before a fork: they start no threads then, or mend them after it."""
