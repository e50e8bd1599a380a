"""A HyperLogLog: how many different values a column has, in a form that adds up over batches.

DuckDB's own ``approx_count_distinct`` gives a number, and numbers of distinct values do not
add. The registers do (their maximum), so profiles carry registers. They are filled in SQL by
the workers (``workers.profiles``) from the MD5 of the value, because a digest that every
engine knows is the same on DuckDB, PostgreSQL and in a later release of either.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from typing import Self

from controller.domain.errors import IntegrityError

PRECISION = 12
"""Bits of the hash that choose a register: 4,096 registers, standard error 1.04/sqrt(4096) = 1.6 %."""

REGISTERS = 1 << PRECISION


@dataclass(frozen=True, slots=True)
class DistinctSketch:
    """4,096 registers, each the largest rank (trailing zeros + 1) of the hashes that fell into it."""

    registers: bytes = bytes(REGISTERS)

    def merge(self, other: Self) -> DistinctSketch:
        """The sketch of both sets together."""
        return DistinctSketch(bytes(map(max, self.registers, other.registers)))

    def estimate(self) -> int:
        """The number of distinct values.

        Flajolet et al. 2007 ("HyperLogLog"), with linear counting while registers are empty;
        a 64-bit hash needs no correction at the upper end.
        """
        raw_sum = math.fsum(2.0**-rank for rank in self.registers)
        alpha = 0.7213 / (1 + 1.079 / REGISTERS)
        estimate = alpha * REGISTERS * REGISTERS / raw_sum
        empty = self.registers.count(0)
        if estimate <= 2.5 * REGISTERS and empty:
            estimate = REGISTERS * math.log(REGISTERS / empty)
        return round(estimate)

    def to_text(self) -> str:
        """Compressed and base64-encoded: an empty sketch needs some 30 characters, a full one 2,500."""
        return base64.b64encode(zlib.compress(self.registers, 9)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The sketch that ``to_text`` wrote.

        Raises:
            IntegrityError: the text is no such sketch.
        """
        try:
            packed = base64.b64decode(text, validate=True)
            registers = zlib.decompressobj().decompress(packed, REGISTERS + 1)
        except (binascii.Error, ValueError, zlib.error):
            registers = b""
        if len(registers) != REGISTERS:
            raise IntegrityError("the profile holds a distinct-count sketch that cannot be read")
        return cls(registers)
