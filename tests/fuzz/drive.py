"""Drives a fuzz target: by atheris, which is guided by coverage, where it is installed; else by blind mutation.

atheris is no dependency of ours (`pip install atheris`; it has wheels for few platforms), so it is imported by name.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

GUIDED = importlib.util.find_spec("atheris") is not None
_SIGNS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b",",
    b"\x00",
    b"\\ud800",
    b"1e400",
    b"-",
    b"&a ",
    b"*a",
)


def instrumented(*packages: str) -> AbstractContextManager[Any]:
    """What is imported inside is watched, where there is somebody to watch."""
    if not GUIDED:
        return nullcontext()
    watched: AbstractContextManager[Any] = importlib.import_module("atheris").instrument_imports(
        include=list(packages)
    )
    return watched


def drive(target: Callable[[bytes], None], seeds: Path, seconds: str, *more: str) -> None:
    """Feed ``target`` for so many seconds, beginning with the files of ``seeds``; its exception ends the run."""
    if GUIDED:
        atheris = importlib.import_module("atheris")
        limits = ("-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1")
        atheris.Setup(
            [sys.argv[0], str(seeds), f"-max_total_time={seconds}", *limits, *more], target
        )
        atheris.Fuzz()
        return
    known = [path.read_bytes() for path in sorted(seeds.iterdir())]
    rng, runs, ends = random.Random(seconds), 0, time.monotonic() + float(seconds)
    for text in known:
        target(text)
    while time.monotonic() < ends:
        text = mutated(rng, known)
        try:
            target(text)
        except BaseException:
            print(f"after {runs:,} inputs, this one: {text!r}", file=sys.stderr)
            raise
        runs += 1
    print(f"{runs:,} inputs without guidance (atheris is not installed), none was a surprise")


def mutated(rng: random.Random, known: list[bytes]) -> bytes:
    """One of ``known`` after a few accidents: bytes cut, doubled, changed, signs put in, another's tail."""
    text = bytearray(rng.choice(known))
    for _ in range(rng.randrange(1, 6)):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        roll = rng.randrange(5)
        if roll == 0:
            del text[at : min(end, at + 20)]
        elif roll == 1:
            text[at:at] = text[at : min(end, at + 200)]
        elif roll == 2 and at < len(text):
            text[at] = rng.randrange(256)
        elif roll == 3:
            text[at:at] = rng.choice(_SIGNS) * rng.choice((1, 1, 1, 50))
        else:
            text[at:] = rng.choice(known)[-rng.randrange(1, 200) :]
    return bytes(text)
