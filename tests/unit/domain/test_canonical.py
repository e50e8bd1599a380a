"""The canonical form of any value: bytes that never change, whatever writes them."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.canonical import canonical_json, format_time, parse_time, to_plain


class Plain(Enum):
    WORD = "word"
    NUMBER = 3


class Text(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class Words(str):
    """What a library may hand over instead of a string."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    value: Any = None


@dataclass(frozen=True)
class Tree(Leaf):
    children: tuple[Any, ...] = ()
    names: Any = field(default_factory=dict)


ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9.5))])
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)  # noqa: DTZ001
SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SIMPLE
    | TIMES
    | st.timedeltas()
    | st.sampled_from([*Plain, *Text, *Number])
    | st.text(max_size=3).map(Words)
    | st.frozensets(st.text(max_size=2), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.dictionaries(st.integers(0, 200), inner, max_size=4).map(MappingProxyType)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4).map(OrderedDict)
        | st.builds(Leaf, inner)
        | st.builds(Tree, inner, st.lists(inner, max_size=3).map(tuple), SIMPLE)
    ),
)


def spelled(value: Any) -> Any:
    """The rule of the canonical form, said once more and slowly."""
    match value:
        case Enum():
            return value.value
        case datetime():
            return (
                value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
            )
        case timedelta():
            return value.total_seconds()
        case Tree():
            parts = {"value": value.value, "children": value.children, "names": value.names}
            return {name: spelled(part) for name, part in parts.items()}
        case Leaf():
            return {"value": spelled(value.value)}
        case list() | tuple():
            return [spelled(item) for item in value]
        case frozenset():
            return sorted(value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return {str(key): spelled(item) for key, item in value.items()}


@given(VALUES)
def test_any_value_has_the_form_that_the_rule_says(value: Any):
    wanted = json.dumps(spelled(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert canonical_json(value) == wanted
    assert canonical_json(json.loads(wanted)) == wanted


@given(TIMES)
def test_any_time_is_read_back(moment: datetime):
    text = format_time(moment)

    assert parse_time(text) == moment
    assert text.endswith("Z")
    assert len(text) == len("2013-02-01T00:00:00.000000Z")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"a": -float("inf")}]])
def test_a_number_that_is_none_is_refused(value: Any):
    with pytest.raises(ValueError, match="no number that a record may hold"):
        to_plain(value)


@pytest.mark.parametrize("value", [object(), b"bytes", [1, {2: range(3)}], Leaf, {"a": Plain}])
def test_what_has_no_canonical_form_is_refused(value: Any):
    for _ in range(2):  # what was looked up once is refused again
        with pytest.raises(TypeError, match="has no canonical form"):
            to_plain(value)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        to_plain({"at": datetime(2026, 1, 1)})  # noqa: DTZ001
