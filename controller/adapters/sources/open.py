"""From the address in a policy (``data.source``) to the source that reads it.

============================================ =========================================================================
``data/*.parquet``, ``s3://bucket/**.csv``   files and globs, here or at any URL of fsspec
``delta:PATH`` or ``delta:s3://bucket/t``    a Delta Lake table (extra ``delta``)
``iceberg:CATALOG.NAMESPACE.TABLE``          an Iceberg table (extra ``iceberg``), catalogs as PyIceberg documents
``sql:NAME/TABLE?watermark=COLUMN``          a table of the connection NAME; also ``key=``, ``late=``
``sql:NAME?watermark=COLUMN&query=SELECT …`` a query, percent-encoded where it holds ``&``, ``#`` or ``%``
``NAME:…``                                   whatever the package means that brings the source NAME as a plugin
============================================ =========================================================================
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote

from controller.adapters.plugins import PluginGroup, find_plugin
from controller.adapters.sources.files import FileOptions, FileSource
from controller.adapters.sources.plugin import PluginSource
from controller.adapters.sources.reach import Reach
from controller.domain.errors import ConfigurationError
from controller.domain.rules import SourceKey
from controller.ports import DataSource

_NAME = re.compile(r"[a-z][a-z0-9_-]+")
_KNOWN = frozenset({"watermark", "key", "late", "query"})


def open_source(
    key: SourceKey, *, base: Path, spool: Path, places: tuple[str, ...] = ()
) -> DataSource:
    """The source that ``key`` means; ConfigurationError if the address means nothing or may not be read.

    A relative path starts at ``base``; rows of a database are kept below ``spool``. ``places`` are those that sources
    may lead to, as :class:`Reach` takes them.
    """
    reach = Reach(places, base)
    kind, colon, rest = key.address.partition(":")
    plugin = None if rest.startswith("//") or not colon else find_plugin(PluginGroup.SOURCES, kind)
    if plugin is not None:
        reach.require_name(key.address)
        return PluginSource(plugin, rest, spool, time=key.time)
    reach.require(key.address)
    options = FileOptions(time=key.time)
    if kind == "delta":
        from controller.adapters.sources.lakes import DeltaPlace

        table = DeltaPlace(rest.removeprefix("file://"), base)
        table.reach = reach
        return FileSource(key.address, options=options, place=table, reach=reach)
    if kind == "iceberg":
        from controller.adapters.sources.lakes import IcebergPlace

        catalog = IcebergPlace(rest)
        catalog.reach = reach
        return FileSource(key.address, options=options, place=catalog, reach=reach)
    if kind == "sql":
        return _open_sql(rest, key, spool)
    if (
        colon
        and not rest.startswith("//")
        and not Path(base, key.address).exists()
        and _NAME.fullmatch(kind)
    ):
        raise ConfigurationError(
            f"No package that is installed here brings the source {kind}, which {key.address} names.",
            hint="Install it where the controller runs; of a file called so, write ./ before the name.",
        )
    return FileSource(key.address, base=base, options=options, reach=reach)


def _open_sql(address: str, key: SourceKey, spool: Path) -> DataSource:
    from controller.adapters.sources.sql_table import SqlOptions, SqlSource, connection_url

    place, _, text = address.partition("?")
    name, _, relation = place.partition("/")
    asked = {key: values[-1] for key, values in parse_qs(text, keep_blank_values=True).items()}
    if unknown := asked.keys() - _KNOWN:
        raise ConfigurationError(
            f"sql:{place} has {min(unknown)}=, which is unknown.",
            hint=f"There are {', '.join(sorted(_KNOWN))}.",
        )
    if not name or "watermark" not in asked or bool(relation) == bool(asked.get("query")):
        raise ConfigurationError(
            f"sql:{address} cannot be read.",
            hint="Write sql:NAME/TABLE?watermark=COLUMN, or query=… for a table.",
        )
    options = SqlOptions(
        watermark=asked["watermark"],
        relation=unquote(relation),
        query=asked.get("query", ""),
        key=asked.get("key"),
        late=_span(asked.get("late", "0"), place),
        time=key.time,
    )
    return SqlSource(connection_url(name), options, spool, name=f"sql:{place}")


def _span(text: str, place: str) -> float:
    """``90`` (ids or seconds), ``30m``, ``2h``, ``1d``."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise ConfigurationError(
            f"sql:{place} has late={text}, expected like 90, 30m, 2h or 1d."
        ) from None
