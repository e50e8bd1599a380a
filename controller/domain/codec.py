"""Reads stored records back into frozen values. Writing is :mod:`controller.domain.canonical`'s."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from controller.domain.errors import IntegrityError

T = TypeVar("T")


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def load_value(shape: type[T], text: str | bytes) -> T:
    """``text`` (JSON) as a value of ``shape``; raises :class:`IntegrityError` if it does not have that shape."""
    try:
        value: T = _adapter(shape).validate_json(text)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _misshapen(shape, error) from error
    return value


def load_plain(shape: Any, value: Any) -> Any:
    """The same for a value that has been parsed from JSON before."""
    try:
        return _adapter(shape).validate_python(value)
    except ValidationError as error:
        raise _misshapen(shape, error) from error


def _misshapen(shape: Any, error: ValidationError) -> IntegrityError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the top"
    name = getattr(shape, "__name__", str(shape))
    return IntegrityError(f"a stored {name} cannot be read: at {place}, {first['msg'].lower()}.")
