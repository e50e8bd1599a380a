"""Profiles of data: what a batch looks like, counted in one pass over the files.

Two steps. ``make_layout`` fixes the bins from the reference, once; ``make_profile`` counts any
batch into them. Profiles add up (``Profile.merge``), so a window of batches is a sum and no old
file is read again. Where two profiles differ is the business of ``controller.evidence.drift``.
"""

from __future__ import annotations

from workers.profiles.batches import BatchData, Format, ScanEngine
from workers.profiles.counting import make_profile
from workers.profiles.layouts import LayoutOptions, make_layout

__all__ = [
    "BatchData",
    "Format",
    "LayoutOptions",
    "ScanEngine",
    "make_layout",
    "make_profile",
]
