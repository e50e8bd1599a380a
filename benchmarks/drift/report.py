"""Sections of benchmarks/drift/RESULTS.md, each written by the script that measured it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks import sections
from benchmarks.sections import table

__all__ = ["publish", "table"]

publish = partial(sections.publish, Path(__file__).parent)
