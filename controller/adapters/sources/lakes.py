"""Delta Lake and Iceberg tables: the data files of the newest version, as if they lay in a folder.

Data files of such tables never change, so a version is exactly its list of files: what a training run read can be
read again until the table is vacuumed. A file that a newer version no longer has is taken out of later snapshots, and a
rewriting (compaction, a deletion) brings no new rows. Rows that are deleted without rewriting their file
(deletion vectors, delete files) cannot be told from the file alone and are refused until the table is compacted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller.adapters.clouds import foreign_sentence
from controller.adapters.sources.listing import Entry, fetched
from controller.adapters.sources.reach import Reach
from controller.domain.errors import ConfigurationError, Unavailable


class _TablePlace:
    """What both kinds share: files by absolute path or URL, none of which ever changes."""

    exact = True
    roots: tuple[Path, ...] = ()
    reach = Reach()

    def stamp(self, entry: Entry) -> str:
        return entry.stamp

    def local(self, entry: Entry) -> AbstractContextManager[Path]:
        if "://" not in entry.uri:
            return nullcontext(Path(entry.uri))
        import fsspec

        system, _ = fsspec.core.url_to_fs(entry.uri, **self.reach.options(entry.uri))
        return fetched(system, entry, self.reach)


def _entry(uri: str, size: int) -> Entry:
    path = urlsplit(uri).path if uri.startswith("file://") else uri
    return Entry(path, size, f"{size}", None, atomic=True)


class DeltaPlace(_TablePlace):
    """The files of a Delta table by path or URL; ``options`` go to the object store."""

    def __init__(self, table: str, base: Path, options: Mapping[str, str] | None = None) -> None:
        self._options = dict(options or {})
        self._table = table if "://" in table else str(Path(base, Path(table).expanduser()))
        if "://" not in self._table:
            self.roots = (Path(self._table, "_delta_log"),)
        try:
            import deltalake
        except ImportError as error:
            raise ConfigurationError(
                "Delta tables need the library deltalake.", hint="Install incumbent[delta]."
            ) from error
        self._open = deltalake.DeltaTable

    def entries(self) -> Iterator[Entry]:
        try:
            table = self._open(self._table, storage_options=self._options or None)
            uris = table.file_uris()
            actions = table.get_add_actions(flatten=True)
            sizes = dict(zip(_column(actions, "path"), _column(actions, "size_bytes"), strict=True))
            columns, vectors = table.metadata().partition_columns, table.deletion_vectors()
        except Exception as error:
            raise Unavailable(
                f"the Delta table {self._table} cannot be read: {foreign_sentence(error)}."
            ) from error
        if any(True for _ in vectors):
            raise Unavailable(
                f"the Delta table {self._table} has rows that are deleted by vectors only.",
                hint="Purge them (REORG TABLE … APPLY (PURGE)), so that its files say what is there.",
            )
        if columns:
            raise Unavailable(
                f"the Delta table {self._table} is partitioned by {', '.join(columns)}, "
                "which its files do not hold.",
                hint="Read it through a view by the source sql, or write it unpartitioned.",
            )
        for uri in uris:
            yield _entry(uri, int(sizes[uri.rpartition("/")[2]]))


def _column(table: Any, name: str) -> list[Any]:
    values = [value.as_py() for value in table.column(name)]
    return [v.rpartition("/")[2] if name == "path" else v for v in values]


class IcebergPlace(_TablePlace):
    """The files of an Iceberg table, ``CATALOG.NAMESPACE.TABLE``; catalogs are configured as PyIceberg documents."""

    def __init__(self, name: str, catalog: Mapping[str, str] | None = None) -> None:
        self._catalog, _, self._table = name.partition(".")
        self._properties = dict(catalog or {})
        if "." not in self._table:
            raise ConfigurationError(
                f"iceberg:{name} names no table.", hint="Write iceberg:CATALOG.NAMESPACE.TABLE."
            )
        try:
            from pyiceberg.catalog import load_catalog
        except ImportError as error:
            raise ConfigurationError(
                "Iceberg tables need the library pyiceberg.", hint="Install incumbent[iceberg]."
            ) from error
        self._load = load_catalog

    def entries(self) -> Iterator[Entry]:
        try:
            with self._load(self._catalog, **self._properties) as catalog:
                tasks = list(catalog.load_table(self._table).scan().plan_files())
        except Exception as error:
            raise Unavailable(
                f"the Iceberg table {self._table} cannot be read: {foreign_sentence(error)}."
            ) from error
        if any(task.delete_files for task in tasks):
            raise Unavailable(
                f"the Iceberg table {self._table} has delete files.",
                hint="Compact it (rewrite_data_files), so that its data files say what is there.",
            )
        for task in tasks:
            yield _entry(task.file.file_path, int(task.file.file_size_in_bytes))
