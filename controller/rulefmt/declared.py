"""Declared sections -> their readers: the annotations of a dataclass say how each of its keys is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from inspect import cleandoc
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from controller.domain import keys
from controller.domain.keys import Declared, Key
from controller.domain.rules import Hold, Margin
from controller.rulefmt.collection_readers import (
    AnythingReader,
    CheckedReader,
    EitherReader,
    ListReader,
    MapReader,
    MaybeReader,
)
from controller.rulefmt.scalar_readers import (
    AmountReader,
    BooleanReader,
    ChoiceReader,
    NumberReader,
    Reader,
    ShareReader,
    SizeReader,
    TextReader,
)
from controller.rulefmt.sections import KeyReader, SectionReader
from controller.rulefmt.time_readers import (
    CronReader,
    HoldReader,
    MomentReader,
    ReferenceWindowReader,
    SpanReader,
    StepsReader,
    TimeZoneReader,
)

S = TypeVar("S")


def _note(notes: Iterable[object], default: S) -> S:
    return next((note for note in notes if isinstance(note, type(default))), default)


class Declarations:
    """The readers of declared classes, each made once. ``known`` are those that no class alone declares."""

    def __init__(self, known: Mapping[type, SectionReader]) -> None:
        self._sections = dict(known)

    def section(self, declared: type[Declared]) -> SectionReader:
        """The reader of a section."""
        if declared not in self._sections:
            said = declared.section
            self._sections[declared] = SectionReader(
                title=said.title,
                doc=doc_of(declared),
                keys=self.keys_of(declared),
                make=declared,
                one_of=said.one_of,
                only_with=said.only_with,
                has_line="line" in {each.name for each in fields(declared)},
            )
        return self._sections[declared]

    def keys_of(self, declared: type[Declared]) -> tuple[KeyReader, ...]:
        """The keys of a class in the order in which they are documented."""
        hints = get_type_hints(declared, include_extras=True)
        found: list[KeyReader] = []
        last: list[KeyReader] = []
        for each in fields(declared):
            notes = getattr(hints[each.name], "__metadata__", ())
            said = next((note for note in notes if isinstance(note, Key)), None)
            if said is None:
                continue
            key = self.key(said, each.name, self.reader(hints[each.name]), _default(each))
            places = [n for n, other in enumerate(found) if other.name == said.before]
            if said.last:
                last.append(key)
            else:
                found.insert(places[0] if places else len(found), key)
        return (*found, *last)

    def key(self, said: Key, field: str, reader: Reader, default: object = MISSING) -> KeyReader:
        """One key."""
        inner = section_in(reader)
        return KeyReader(
            name=said.name or field,
            field=field,
            reader=reader,
            doc=said.doc or (inner.doc if inner is not None else ""),
            example=said.example,
            required=default is MISSING if said.required is None else said.required,
            default=default,
            default_says=said.default_says,
        )

    def reader(self, hint: object, notes: tuple[object, ...] = ()) -> Reader:
        """The reader of an annotated type."""
        if get_origin(hint) is Annotated:
            inner, *more = get_args(hint)
            return self.reader(inner, (*more, *notes))
        if get_origin(hint) in (Union, UnionType):
            options = [option for option in get_args(hint) if option is not NoneType]
            if len(options) < len(get_args(hint)):
                return self.reader(reduce(or_, options), notes)
        read = self._unchecked(hint, notes)
        for note in notes:
            if isinstance(note, keys.Checked):
                read = CheckedReader(read, note.check)
            if isinstance(note, keys.Nullable):
                read = MaybeReader(read)
            if isinstance(note, keys.Short) and isinstance(read, SectionReader):
                read = EitherReader(read, note.key)
        return read

    def _unchecked(self, hint: object, notes: tuple[object, ...]) -> Reader:
        written = [note for note in notes if isinstance(note, type)]
        declared = written[0] if written else hint
        if isinstance(declared, type) and issubclass(declared, Declared):
            return self.section(declared)
        if any(isinstance(note, keys.Steps) for note in notes):
            return StepsReader()
        if get_origin(hint) is tuple:
            said = _note(notes, keys.Listed())
            item = self.reader(get_args(hint)[0])
            return ListReader(said.least, said.most, said.unique, said.single, item=item)
        if get_origin(hint) is Mapping:
            keyed = _note(notes, keys.Keyed(keys.Text(longest=100), "key"))
            value = self.reader(get_args(hint)[1])
            return MapReader(self.reader(str, (keyed.key,)), value, keyed.noun)
        return _scalar(hint, notes)


def _scalar(hint: object, notes: tuple[object, ...]) -> Reader:  # noqa: C901, PLR0912 (a table)
    made = hint if isinstance(hint, type) and issubclass(hint, StrEnum) else str
    for note in notes:
        match note:
            case keys.Text():
                return TextReader(note.says, note.pattern, note.longest, note.label)
            case keys.Choice(words=words):
                return ChoiceReader(words, made)
            case keys.Number(least=least, most=most):
                return NumberReader(least, most, whole=hint is int, real=hint is float)
            case keys.Share(most=most, positive=positive):
                return ShareReader(most, positive)
            case keys.Span(positive=positive):
                return SpanReader(positive)
            case keys.Size():
                return SizeReader()
            case keys.ReferenceWindow():
                return ReferenceWindowReader()
            case keys.Cron():
                return CronReader()
            case keys.TimeZone():
                return TimeZoneReader()
            case _:
                continue
    if get_origin(hint) is Literal:
        return ChoiceReader(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return ChoiceReader(tuple(word.value for word in hint), hint)
    if hint not in _PLAIN:
        raise TypeError(f"nothing reads a key of type {hint}")
    return _PLAIN[hint]


_PLAIN: Mapping[object, Reader] = {
    Any: AnythingReader(),
    bool: BooleanReader(),
    datetime: MomentReader(),
    float: NumberReader(real=True),
    Hold: HoldReader(),
    int: NumberReader(whole=True),
    int | float: NumberReader(),
    Margin: AmountReader(),
    str: TextReader(),
    timedelta: SpanReader(),
}


def _default(each: Field[Any]) -> object:
    if each.default_factory is not MISSING:
        made: object = each.default_factory()
        return made
    return each.default


def doc_of(declared: type[Declared]) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join(cleandoc(declared.__doc__ or "").partition("\n\n")[0].split())


def section_in(reader: Reader) -> SectionReader | None:
    """The section that a value, or each entry of it, is."""
    match reader:
        case SectionReader():
            return reader
        case ListReader(item=inner) | MapReader(value=inner) | MaybeReader(inner=inner):
            return section_in(inner)
        case CheckedReader(inner=inner):
            return section_in(inner)
        case EitherReader(section=section):
            return section
        case _:
            return None
