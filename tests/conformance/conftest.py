"""Places of data for the suite of data sources."""

from __future__ import annotations

from tests.support.clouds import azure_server, gcs_server
from tests.support.data_places import place, s3_server

__all__ = ["azure_server", "gcs_server", "place", "s3_server"]
