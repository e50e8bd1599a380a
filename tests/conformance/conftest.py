"""Places of data for the suite of data sources."""

from __future__ import annotations

from tests.support.data_places import place, s3_server

__all__ = ["place", "s3_server"]
