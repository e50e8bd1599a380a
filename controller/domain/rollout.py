"""A rollout: the stages through which a challenger that proved itself goes before it has the seat.

Whoever routes requests asks for the champion and learns the share that the challenger answers. The split is
computed from a key of the request, so that every gateway, asked at any time, sends the same key the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutView:
    """Where a rollout stands. ``stage`` counts the policy's steps from 0; ``traffic`` is a fraction, 0 in shadow.

    ``generation`` is that of the seat when it began: another champion ends it.
    """

    version: int
    stage: int
    traffic: float
    since: datetime
    generation: int


def goes_to_challenger(key: str, traffic: float) -> bool:
    """Whether the request with this key is the challenger's.

    The first 64 bits of the key's SHA-256, as a fraction of 2**64, lie below ``traffic``. A share that rises keeps
    every key that it had.
    """
    place = int.from_bytes(sha256(key.encode()).digest()[:8], "big")
    return place < traffic * 2**64
