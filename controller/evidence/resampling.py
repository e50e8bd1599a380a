"""Sums over resampled rows: fast, in constant memory, and the same bits on every machine.

A bootstrap replicate is a vector of counts (how often each row was drawn) and the sums of
the moments under those counts. Two things are unusual here.

*Exact sums.* Floating-point sums depend on their order, and the order of a BLAS product
depends on its threads and on the CPU. So moments are first rounded to integers on a
power-of-two grid (about 2**-32 of the largest value at 1e5 rows: far below the Monte-Carlo
error), counts are integers, and no sum exceeds 2**53. Integer arithmetic in float64 is
exact in any order, so BLAS may do as it likes and the result is bit for bit the same.

*Counts.* Up to `EXACT_ROWS` units the counts are multinomial: n draws with replacement.
Beyond it every count is drawn on its own, one byte a draw, from a distribution on 0..5 with
the mean and variance of Poisson(1) (third central moment 1.008 against 1): the Poisson
bootstrap (Chamandy et al. 2012, "Estimating uncertainty for massive data streams"),
whose ratios differ from the multinomial by O(1/n). Random bits are taken raw from PCG64, so
they do not change with numpy's distribution algorithms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from controller.evidence.losses import Array

EXACT_ROWS: Final = 4096
"""Most units for which counts are multinomial; above it they are (nearly) Poisson."""

_CELLS: Final = 1 << 17
"""Counts held at once (1 MiB as float64): the memory of a bootstrap, whatever its size."""

_COUNTS: Final = (94, 94, 49, 13, 5, 1)
"""How many of the 256 byte values mean 0, 1, 2, … draws: mean 1, variance 1."""

_TABLE: Final = np.repeat(np.arange(len(_COUNTS), dtype=np.float64), _COUNTS)


def derive_seed(*parts: str | int) -> str:
    """A seed of 128 bits, as hexadecimal text, from names and numbers (never from the clock)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def bit_generator(seed: str | int, *purpose: str | int) -> np.random.PCG64:
    """The stream of random bits for ``seed``, separate for each ``purpose``."""
    words = hashlib.sha256(derive_seed(seed, *purpose).encode()).digest()
    return np.random.PCG64(np.random.SeedSequence(int.from_bytes(words, "big")))


def _raw_bytes(bits: np.random.PCG64, size: int) -> npt.NDArray[np.uint8]:
    words = bits.random_raw(-(-size // 8))
    return words.astype("<u8", copy=False).view(np.uint8)[:size]


def poisson_counts(bits: np.random.PCG64, shape: tuple[int, int], out: Array) -> Array:
    """Independent counts, mean 1 and variance 1, written into the head of ``out``."""
    size = shape[0] * shape[1]
    drawn = out.reshape(-1)[:size]
    np.take(_TABLE, _raw_bytes(bits, size), out=drawn, mode="wrap")
    return drawn.reshape(shape)


def multinomial_counts(bits: np.random.PCG64, shape: tuple[int, int]) -> Array:
    """Counts of ``n`` draws with replacement out of ``n`` units, one row a replicate."""
    rows, n = shape
    words = bits.random_raw(-(-rows * n // 2)).astype("<u8", copy=False).view("<u4")[: rows * n]
    # 32 random bits times n, shifted: uniform on 0..n-1 up to n / 2**32, below 1e-6 here.
    drawn = (words.astype(np.uint64) * np.uint64(n)) >> np.uint64(32)
    cell = drawn.reshape(rows, n) + (np.arange(rows, dtype=np.uint64) * np.uint64(n))[:, None]
    counts = np.bincount(cell.reshape(-1).astype(np.int64), minlength=rows * n)
    return counts.reshape(rows, n).astype(np.float64)


def count_chunks(seed: str | int, units: int, resamples: int) -> Iterator[Array]:
    """Counts of all replicates, (b, units) at a time, b as large as the memory allows."""
    bits = bit_generator(seed, "counts", units)
    step = max(1, _CELLS // max(units, 1))
    buffer = np.empty(max(_CELLS, units), dtype=np.float64)
    for start in range(0, resamples, step):
        shape = (min(step, resamples - start), units)
        if units <= EXACT_ROWS:
            yield multinomial_counts(bits, shape)
        else:
            yield poisson_counts(bits, shape, buffer)


def _grid(columns: Array, units: int) -> tuple[Array, Array]:
    """``columns`` (k, n) as integers in float64, and the scale (k,) that they were divided by."""
    largest = np.max(np.abs(columns), axis=1)
    room = 52 - int(np.ceil(np.log2(max(units, 1) * (len(_COUNTS) - 1) + 1)))
    exponent = np.where(largest > 0, np.ceil(np.log2(np.where(largest > 0, largest, 1.0))), 0.0)
    scale = np.exp2(exponent - room)
    return np.rint(columns / scale[:, None]), scale


def resampled_sums(columns: Array, *, seed: str | int, resamples: int) -> Array:
    """Sums of ``columns`` (k, n) over bootstrap draws of the n units: (k, resamples), float64.

    Memory: the columns once more, plus about 2 MiB, whatever ``resamples`` is.
    """
    k, units = columns.shape
    whole, scale = _grid(np.ascontiguousarray(columns, dtype=np.float64), units)
    sums = np.zeros((k, resamples))
    if units <= EXACT_ROWS:
        at = 0
        for counts in count_chunks(seed, units, resamples):
            for j in range(k):
                sums[j, at : at + len(counts)] = counts @ whole[j]
            at += len(counts)
    else:
        _accumulate_poisson(whole, sums, bit_generator(seed, "counts", units))
    return sums * scale[:, None]


def _accumulate_poisson(whole: Array, sums: Array, bits: np.random.PCG64) -> None:
    """Walk over tiles of replicates and units small enough to stay in the processor's cache."""
    k, units = whole.shape
    width = min(units, _CELLS // 16)
    height = _CELLS // width
    buffer = np.empty(_CELLS, dtype=np.float64)
    for top in range(0, sums.shape[1], height):
        rows = min(height, sums.shape[1] - top)
        for left in range(0, units, width):
            counts = poisson_counts(bits, (rows, min(width, units - left)), buffer)
            for j in range(k):
                sums[j, top : top + rows] += counts @ whole[j, left : left + width]


def sum_by_block(columns: Array, block: npt.NDArray[np.int64], blocks: int) -> Array:
    """``columns`` (k, n) summed within blocks 0..blocks-1: (k, blocks). Order of rows, no BLAS."""
    return np.stack([np.bincount(block, weights=column, minlength=blocks) for column in columns])


def replicate_weights(
    value: Callable[[Array], Array],
    *,
    units: int,
    block: npt.NDArray[np.int64] | None,
    seed: str | int,
    resamples: int,
) -> Array:
    """``value`` of the row weights of every replicate: (q, resamples).

    ``units`` are rows, or blocks when ``block`` gives each row's block. Chunks are small
    enough that weights of all rows fit; ``value`` maps (b, n) to (q, b).
    """
    parts = []
    rows = units if block is None else len(block)
    step = max(1, 2 * _CELLS // max(rows, 1))
    for counts in count_chunks(seed, units, resamples):
        for start in range(0, len(counts), step):
            part = counts[start : start + step]
            parts.append(value(part if block is None else part[:, block]))
    return np.concatenate(parts, axis=1)
