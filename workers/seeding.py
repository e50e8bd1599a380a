"""The same chance for the same seed: whatever a training draws, it draws again when it is repeated."""

from __future__ import annotations

import random
import sys


def seed_chance(seed: int) -> None:
    """Seed ``random``, and numpy's global generator if numpy is loaded."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
