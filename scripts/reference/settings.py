"""`docs/reference/settings.md`, from the fields of :class:`controller.settings.Settings`."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from controller.settings import ENV_PREFIX, Settings
from scripts.reference.tables import MADE, code, table

_INTRODUCTION = f"""\
# Settings

{MADE}

A policy says what a team reviewed; the settings say what the operator of a server decides. A flag goes over the
environment, the environment over the file, the file over the default; `incumbent config --origin` says where each
value comes from.

The file is `incumbent.toml` in the working folder, or the one that `INCUMBENT_CONFIG` names. An unknown key is an
error, and the nearest known one is named. In the environment a setting is its name in capitals after `INCUMBENT_`;
lists and mappings are JSON there. A **secret** is never logged and never printed; it may come from a file:
put the file's path into the variable with `_FILE` after its name.
"""


def settings_page() -> str:
    """Every setting: name, variable, type, default, meaning."""
    lines = [_INTRODUCTION]
    rows = (_row(name, field) for name, field in Settings.model_fields.items())
    lines += table(("setting", "variable", "type", "default", "what for"), rows)
    return "\n".join(lines)


def _row(name: str, field: FieldInfo) -> tuple[str, ...]:
    return (
        code(name),
        code(ENV_PREFIX + name.upper()),
        _type(field.annotation) + _bounds(field),
        _default(field),
        field.description or "",
    )


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    return "–" if value is None or value == "" else code(str(value))


def _type(kind: Any) -> str:
    """The type as people say it; values of a `Literal` as they are written."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return ", ".join(code(str(value)) for value in typing.get_args(kind))
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(one) for one in typing.get_args(kind) if one is not types.NoneType)
    if origin is dict:
        return "mapping"
    if origin in (list, tuple, set, frozenset):
        return "list"
    known = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}
    return known.get(
        kind, {Path: "path", SecretStr: "secret"}.get(kind, getattr(kind, "__name__", ""))
    )


def _bounds(field: FieldInfo) -> str:
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    said = [
        f"{word} {value:g}"
        for limit in field.metadata
        for name, word in words.items()
        if (value := getattr(limit, name, None)) is not None
    ]
    return f", {' and '.join(said)}" if said else ""
