"""From the address in a policy (``data.source``) to the source that reads it."""

from __future__ import annotations

from pathlib import Path

from controller.adapters.sources.files import FileOptions, FileSource
from controller.domain.rules import DataSection
from controller.ports import DataSource


def open_source(data: DataSection, *, base: Path) -> DataSource:
    """The source of ``data``; a relative path starts at ``base``. ConfigurationError if the address means nothing."""
    return FileSource(data.source, base=base, options=FileOptions(time=data.time))
