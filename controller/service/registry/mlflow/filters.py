"""The filter language of MLflow's searches, as clauses of ours.

``name LIKE 'flight%' AND tags.team = 'arrivals'``: comparisons joined by AND. What cannot be understood is refused
with a sentence; nothing is guessed, since a filter that is read wrongly answers with the wrong models.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.domain.canonical import format_time, parse_time
from controller.domain.catalog import CatalogSearch, Clause, Field, Op, Ordering
from controller.domain.errors import UserError

MODEL_FIELDS: Mapping[str, Field] = {"name": "name"}
VERSION_FIELDS: Mapping[str, Field] = {
    "name": "name",
    "version_number": "number",
    "run_id": "run",
    "source_path": "source",
}
MODEL_ORDERS: Mapping[str, Field] = {
    "name": "name",
    "creation_timestamp": "created",
    "timestamp": "updated",
    "last_updated_timestamp": "updated",
}
VERSION_ORDERS: Mapping[str, Field] = {**MODEL_ORDERS, "version_number": "number"}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<op>!=|>=|<=|=|>|<)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
      | (?P<mark>[(),])
      | (?P<word>[A-Za-z_][\w-]*(?:\.(?:`[^`]*`|"[^"]*"|[\w./-]+))?|`[^`]*`)
    )""",
    re.VERBOSE,
)
_WORD_OPS = {"LIKE", "ILIKE", "IN"}
_TEXT_OPS = {"=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"}
_NUMBER_OPS = {"=", "!=", ">", ">=", "<", "<="}
_MOST_CLAUSES = 50
_NUMBERS = frozenset({"number", "created", "updated"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse_filter(text: str, fields: Mapping[str, Field]) -> tuple[Clause, ...]:
    """The clauses of a filter; UserError says what cannot be read."""
    tokens = _tokens(text)
    clauses: list[Clause] = []
    while tokens:
        if clauses:
            joint = tokens.pop(0)
            if joint.text.upper() != "AND" or not tokens:
                raise _refused(text, f"{joint.text!r} where AND and another comparison should be")
        clauses.append(_clause(text, tokens, fields))
        if len(clauses) > _MOST_CLAUSES:
            raise UserError(f"A filter may hold {_MOST_CLAUSES} comparisons.")
    return tuple(clauses)


def _tokens(text: str) -> list[_Token]:
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise _refused(text, f"{text[place : place + 20]!r} means nothing here")
        found.append(_Token(str(match.lastgroup), match.group(str(match.lastgroup))))
        place = match.end()
    return found


def _clause(text: str, tokens: list[_Token], fields: Mapping[str, Field]) -> Clause:
    if tokens[0].kind != "word":
        raise _refused(text, f"{tokens[0].text!r} where a name should be")
    name, key = _identifier(tokens.pop(0).text, fields)
    op = _operator(text, tokens)
    number = name in _NUMBERS
    if op not in (_NUMBER_OPS if number else _TEXT_OPS):
        raise UserError(f"Invalid comparison: {name} cannot be compared with {op}.")
    value = _value(text, tokens, many=op in {"IN", "NOT IN"})
    if number != isinstance(value, int):
        wanted = "a whole number" if number else "a text in quotes"
        raise UserError(f"Invalid comparison: {name} is compared with {wanted}, not with {value}.")
    return Clause(field=name, op=op, value=value, key=key)


def _identifier(word: str, fields: Mapping[str, Field]) -> tuple[Field, str]:
    entity, dot, key = word.partition(".")
    if dot and entity.lower() in {"tag", "tags"}:
        return "tag", key.strip("`\"'")
    if dot and entity.lower() not in {"attribute", "attributes"}:
        raise UserError(
            f"Invalid entity type '{entity}'. Valid entity types are attribute and tag."
        )
    plain = (key if dot else entity).strip("`\"'")
    if plain not in fields:
        words = ", ".join(fields)
        raise UserError(f"Invalid attribute key '{plain}' specified. Valid keys are {words}.")
    return fields[plain], ""


def _operator(text: str, tokens: list[_Token]) -> Op:
    if not tokens:
        raise _refused(text, "it ends where a comparison should be")
    token = tokens.pop(0)
    word = token.text.upper()
    if word == "NOT" and tokens and tokens[0].text.upper() == "IN":
        tokens.pop(0)
        return "NOT IN"
    if token.kind != "op" and word not in _WORD_OPS:
        raise _refused(text, f"{token.text!r} where a comparison should be")
    found: Any = word
    return found  # type: ignore[no-any-return]


def _value(text: str, tokens: list[_Token], *, many: bool) -> str | int | tuple[str, ...]:
    if not tokens:
        raise _refused(text, "it ends where a value should be")
    token = tokens.pop(0)
    if not many:
        if token.kind == "text":
            return _unquoted(token.text)
        if token.kind == "number" and "." not in token.text:
            return int(token.text)
        raise _refused(text, f"{token.text!r} where a text in quotes or a whole number should be")
    values: list[str] = []
    if token.text != "(":
        raise _refused(text, "IN takes a list in parentheses")
    while tokens:
        token = tokens.pop(0)
        if token.text == ")" and values:
            return tuple(values)
        if token.kind == "text":
            values.append(_unquoted(token.text))
        elif token.text != ",":
            raise _refused(text, f"{token.text!r} in a list of texts in quotes")
    raise _refused(text, "its list has no end")


def _unquoted(text: str) -> str:
    mark = text[0]
    return text[1:-1].replace(mark * 2, mark)


def _refused(text: str, why: str) -> UserError:
    return UserError(f"Invalid filter string {text[:200]!r}: {why}.")


def parse_order(given: Sequence[str], fields: Mapping[str, Field]) -> tuple[Ordering, ...]:
    """The orderings of ``["name DESC", ...]``; UserError says what cannot be read."""
    found: list[Ordering] = []
    for text in given:
        word, _, direction = text.strip().partition(" ")
        key = word.removeprefix("attribute.").removeprefix("attributes.").strip("`\"'")
        way = direction.strip().upper() or "ASC"
        if key not in fields:
            words = ", ".join(fields)
            raise UserError(f"Invalid order by key '{key}' specified. Valid keys are {words}.")
        if way not in {"ASC", "DESC"}:
            raise UserError(f"Invalid order_by clause '{text}': a key is followed by ASC or DESC.")
        if any(one.field == fields[key] for one in found):
            raise UserError(f"`order_by` contains duplicate fields: {list(given)}")
        found.append(Ordering(field=fields[key], descending=way == "DESC"))
    return tuple(found)


def page_token(search: CatalogSearch, last: Sequence[Any]) -> str:
    """Where the next page begins: the values of the last row, bound to the search that they belong to."""
    values = [format_time(v) if isinstance(v, datetime) else v for v in last]
    text = json.dumps({"of": _fingerprint(search), "after": values})
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_token(token: str, search: CatalogSearch, order: Sequence[Ordering]) -> tuple[Any, ...]:
    """The values in a token; UserError if it is none of ours or belongs to another search."""
    try:
        said = json.loads(base64.urlsafe_b64decode(token.encode()))
        values, of = list(said["after"]), said["of"]
        after = tuple(_read(v, one.field) for v, one in zip(values, order, strict=True))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise UserError("Invalid page token.", hint="Begin the search again without one.") from None
    if of != _fingerprint(search):
        raise UserError(
            "The page token belongs to another search.",
            hint="Filter and order stay the same from page to page.",
        )
    return after


def _read(value: Any, of: Field) -> str | int | datetime:
    if of in {"created", "updated"}:
        return parse_time(value).astimezone(UTC)
    return int(value) if of == "number" else str(value)


def _fingerprint(search: CatalogSearch) -> str:
    return hashlib.sha256(repr((search.clauses, search.order)).encode()).hexdigest()[:16]
