"""Plugins at work: ``python -m workers.plugins GROUP NAME`` answers one request; children of a run load theirs here.

Request and answer are JSON on standard input and output; what a plugin prints goes to standard error. Only metadata is
read before: see :mod:`controller.adapters.plugins`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, assert_never

from controller.adapters.plugins import Plugin, PluginGroup, find_plugin
from controller.domain.errors import ConfigurationError, IncumbentError
from workers.failure import described


def load_plugin(plugin: Plugin) -> Any:
    """The object that the entry point names; ConfigurationError with one sentence where that cannot be had."""
    module, _, name = plugin.usable().code.partition(":")
    what = f"the {plugin.group.noun} {plugin.name} of {plugin.package}"
    try:
        found: Any = import_module(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part)
    except Exception as error:
        raise ConfigurationError(f"{what} cannot be loaded: {described(error)}.") from error
    duty = _DUTIES[plugin.group]
    if not callable(getattr(found, duty, None)):
        raise ConfigurationError(
            f"{what} has no function {duty}: {plugin.code} is no {plugin.group.noun}."
        )
    return found


_DUTIES: Mapping[PluginGroup, str] = {
    PluginGroup.METRICS: "loss",
    PluginGroup.SOURCES: "poll",
    PluginGroup.CHANNELS: "send",
    PluginGroup.SCORERS: "load",
}
"""The function that each kind of plugin has."""


def named_plugin(group: PluginGroup, name: str) -> Plugin:
    """The plugin of this name; ConfigurationError if no package here brings it."""
    found = find_plugin(group, name)
    if found is None:
        raise ConfigurationError(
            f"No package that is installed here brings the {group.noun} {name}."
        )
    return found.usable()


def answer(group: PluginGroup, name: str, request: Mapping[str, Any]) -> Any:
    """Do what the request asks of the plugin. ``{}`` asks only whether it can be loaded."""
    made = load_plugin(named_plugin(group, name))
    if not request:
        return None
    match group:
        case PluginGroup.SOURCES:
            return _polled(made.poll, request)
        case PluginGroup.CHANNELS:
            made.send(request["url"], request["message"])
            return None
        case PluginGroup.METRICS | PluginGroup.SCORERS:
            raise ConfigurationError(f"a {group.noun} is asked by the child of a run, not here.")
        case _:
            assert_never(group)


def _polled(poll: Callable[..., Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The new files, named by their content so that the same rows are one batch, and where to go on."""
    folder = Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    files, cursor = poll(request["address"], request["cursor"], folder)
    return {"files": [_named(Path(file), folder) for file in files], "cursor": str(cursor)}


def _named(file: Path, folder: Path) -> str:
    if file.resolve().parent != folder.resolve() or file.suffix != ".parquet":
        raise ConfigurationError(
            f"it wrote {file}, which is no Parquet file in the folder that it was given"
        )
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    target = folder / f"{digest[:24]}.parquet"
    file.replace(target)
    return target.name


def main(arguments: list[str]) -> int:
    """Answer the request on standard input; 0 if there is an answer, good or bad."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever is printed, by what the plugin starts too, is no part of the answer
    said = _said(arguments)
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        out.write(json.dumps(said, allow_nan=False))
    return 0


def _said(arguments: list[str]) -> dict[str, Any]:
    group, name = arguments
    try:
        return {"ok": True, "answer": answer(PluginGroup(group), name, json.load(sys.stdin))}
    except IncumbentError as error:
        return {
            "ok": False,
            "reason": error.message,
            "final": isinstance(error, ConfigurationError),
        }
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return {"ok": False, "reason": f"it raised {described(error)}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
