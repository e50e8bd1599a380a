"""A source of a plugin: in a process of its own it writes Parquet files into a folder of ours, the batches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.adapters.plugins import Plugin, ask_plugin
from controller.adapters.sources.spool import spooled_batch
from controller.domain.errors import Unavailable
from controller.ports import Poll


class PluginSource:
    """A :class:`~controller.ports.DataSource` that a package brings. ``address`` is what follows its scheme."""

    def __init__(self, plugin: Plugin, address: str, spool: Path, *, time: str | None) -> None:
        self._plugin = plugin.usable()
        self._address = address
        self._spool = spool
        self._time = time

    def poll(self, cursor: str | None) -> Poll:
        """The files that came since the cursor; Unavailable if the plugin fails, or names what it did not write."""
        request = {
            "address": self._address,
            "cursor": cursor,
            "folder": str(self._spool.resolve()),
        }
        answer: Mapping[str, Any] = ask_plugin(self._plugin, request)
        paths = [self._file(name) for name in answer["files"]]
        batches = tuple(spooled_batch(path, self._time) for path in paths)
        return Poll(batches=batches, cursor=str(answer["cursor"]))

    def _file(self, name: str) -> Path:
        path = self._spool.resolve() / name
        if Path(name).name != name or path.is_symlink() or not path.is_file():
            raise Unavailable(
                f"The source {self._plugin.name} of {self._plugin.package} names {name}, which it did not write."
            )
        return path
