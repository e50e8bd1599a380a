"""Which plugins are installed, by the metadata of their packages alone: nothing of their code is imported.

A package names its plugins as entry points (``incumbent.metrics``, ``incumbent.sources``, ``incumbent.channels``,
``incumbent.scorers``) and describes them in one file, ``incumbent-plugin.toml``, which it installs beside its code::

    api = 1
    [metrics.late_minutes]
    title = "minutes that a forecast came too low"
    lower_is_better = true

What decides is no plugin: gates, triggers and reasons are part of this code.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any

from controller.domain.errors import ConfigurationError
from controller.domain.metrics import find_metric

PLUGIN_API = 1
"""The version of what a plugin is asked and answers. A package says for which one it was written."""

DECLARATION = "incumbent-plugin.toml"
_LARGEST = 1 << 16
_NAMES = re.compile(r"[a-z][a-z0-9_.-]{1,49}")


class PluginGroup(StrEnum):
    """What teams may add."""

    METRICS = "metrics"
    SOURCES = "sources"
    CHANNELS = "channels"
    SCORERS = "scorers"

    @property
    def noun(self) -> str:
        """``metric`` of ``metrics``."""
        return self.value[:-1]


RESERVED: Mapping[PluginGroup, frozenset[str]] = {
    PluginGroup.METRICS: frozenset({"servable"}),
    PluginGroup.SOURCES: frozenset({"delta", "iceberg", "sql", "file", "local"}),
    PluginGroup.CHANNELS: frozenset({"file", "env", "http", "https", "mailto", "mailtos"}),
    PluginGroup.SCORERS: frozenset(
        [
            "cloudpickle",
            "onnx",
            "safetensors",
            "skops",
            "joblib",
            "pickle",
            "json",
            "text",
            "binary",
            "folder",
            "file",
        ]
    ),
}
"""Names of our own. Those of metrics are asked of :func:`find_metric`."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One plugin. ``facts`` is its part of the declaration; ``problem`` a sentence why it is not used, or empty."""

    group: PluginGroup
    name: str
    package: str
    """Name and version of the package that brings it."""
    code: str
    """``module:object``, as the entry point says."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def title(self) -> str:
        """What it is, in the words of its package."""
        return str(self.facts.get("title") or self.name)

    def usable(self) -> Plugin:
        """Itself; ConfigurationError with the sentence where there is a problem."""
        if self.problem:
            raise ConfigurationError(self.problem, hint="`incumbent doctor` lists the plugins.")
        return self


def installed() -> tuple[Plugin, ...]:
    """Every plugin, by group and name, good or not. Read once for each search path of a process."""
    return _installed(tuple(sys.path))


@cache
def _installed(_path: tuple[str, ...]) -> tuple[Plugin, ...]:
    found: dict[tuple[PluginGroup, str], list[Plugin]] = {}
    for package in _packages():
        for entry in package.entry_points:
            for plugin in _plugins(package, entry):
                found.setdefault((plugin.group, plugin.name), []).append(plugin)
    return tuple(_only(found[key]) for key in sorted(found))


def find_plugin(group: PluginGroup, name: str) -> Plugin | None:
    """The plugin of this name; None if no package brings it."""
    return next((one for one in installed() if (one.group, one.name) == (group, name)), None)


def _packages() -> list[Distribution]:
    """Each package once: what comes first on the path is what is imported."""
    found: dict[str, Distribution] = {}
    for package in distributions():
        found.setdefault(re.sub(r"[-_.]+", "-", package.name or "").lower(), package)
    return list(found.values())


def _plugins(package: Distribution, entry: EntryPoint) -> list[Plugin]:
    prefix, _, group = entry.group.partition(".")
    if prefix != "incumbent" or group not in set(PluginGroup):
        return []
    who = f"{package.name} {package.version}"
    plugin = Plugin(group=PluginGroup(group), name=entry.name, package=who, code=entry.value)
    try:
        return [_declared(plugin, _declaration(package, who))]
    except ConfigurationError as error:
        return [replace(plugin, problem=error.message)]


def _declaration(package: Distribution, who: str) -> Mapping[str, Any]:
    file = next((path for path in package.files or () if path.name == DECLARATION), None)
    if file is None:
        raise ConfigurationError(
            f"{who} has no {DECLARATION} beside its code, which says what its plugins are."
        )
    try:
        with Path(str(package.locate_file(file))).open("rb") as stream:
            text = stream.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ConfigurationError(f"{DECLARATION} of {who} is larger than {_LARGEST:,} bytes.")
        return tomllib.loads(text.decode())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{DECLARATION} of {who} cannot be read: {error}.") from error


def _declared(plugin: Plugin, said: Mapping[str, Any]) -> Plugin:
    what = f"the {plugin.group.noun} {plugin.name}"
    api = said.get("api")
    if api != PLUGIN_API:
        raise ConfigurationError(
            f"{plugin.package} is written for version {api} of the plugin API, this Incumbent has {PLUGIN_API}: "
            f"{what} is not used."
        )
    if not _NAMES.fullmatch(plugin.name):
        raise ConfigurationError(
            f"{plugin.package} brings {what}, which is no name of small letters, digits, `_`, `-` and `.`."
        )
    ours = plugin.group is PluginGroup.METRICS and find_metric(plugin.name) is not None
    if ours or plugin.name in RESERVED[plugin.group]:
        raise ConfigurationError(
            f"{plugin.package} brings {what}, which is Incumbent's own; it needs another name."
        )
    section = said.get(plugin.group.value)
    facts = section.get(plugin.name) if isinstance(section, dict) else None
    if not isinstance(facts, dict):
        raise ConfigurationError(
            f"{plugin.package} brings {what} and says nothing of it in {DECLARATION}: "
            f"[{plugin.group.value}.{plugin.name}] is missing."
        )
    return replace(plugin, facts=facts)


def _only(found: list[Plugin]) -> Plugin:
    """The one of its name; where there are several, none is used."""
    if len(found) == 1:
        return found[0]
    packages = " and ".join(sorted({one.package for one in found}))
    what = f"the {found[0].group.noun} {found[0].name}"
    return replace(
        found[0],
        package=packages,
        problem=f"{packages} bring {what} twice: neither is used until one is uninstalled.",
    )
