"""How a rules file is declared, once: a section is a frozen dataclass, and its annotated fields are the keys.

::

    retries: Annotated[int, Number(0, 100), Key("How often a training begins again.", "2")] = 1

The annotation is the value's type, the default is the default, and :class:`Key` says the rest. Out of it
:mod:`controller.rulefmt` makes the reader (with line and column of what is wrong), the JSON Schema, the reference and
the comments of ``incumbent init``. The first paragraph of the docstring is what the reference says about the section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Key:
    """What a key is for, and an example of its value as YAML. An empty ``doc`` is that of the section it leads to."""

    doc: str
    example: str
    name: str = ""
    """The key, where it is not called as the field."""
    default_says: str = ""
    """What the reference says about the default where it is no constant."""
    required: bool | None = None
    """None: where the field has no default."""
    before: str = ""
    """The key before which the reference names it, where the class inherits that one."""
    last: bool = False
    """The reference names it behind the keys of the classes that inherit it."""


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping with known keys. ``one_of``: exactly one of them stands there. ``only_with``: a key that means
    something only next to one of others.
    """

    title: str
    one_of: tuple[str, ...] = ()
    only_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Said(Protocol):
    """What stands in the text of a section."""

    @property
    def where(self) -> str:
        """The path of the section, as ``data.holdout``."""

    @property
    def line(self) -> int:
        """The line on which it begins."""

    @property
    def keys(self) -> Iterable[str]:
        """Its keys in their order."""

    def has(self, *path: str | int) -> bool:
        """Whether a key, or one below it, stands there; a default does not count."""

    def line_of(self, key: str) -> int:
        """The line of a key's value, or of the section where it is missing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Keys that do not go together: the place, a stable code, what is wrong and what to write instead."""

    path: tuple[str | int, ...]
    code: str
    message: str
    hint: str = ""


class Declared:
    """A section of a rules file."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    section: ClassVar[Section]

    def faults(self, said: Said) -> Iterable[Fault]:
        """What is wrong with several keys together, where each is right."""
        del said
        return ()

    def meant(self, said: Said) -> object:
        """The value that the rest of the product uses, where it is not the section as it was written."""
        del said
        return self


D = TypeVar("D", bound=Declared)


def narrowed(said: Declared, to: type[D], **changes: object) -> D:
    """What was said, as ``to``: without the keys that are only a way of writing."""
    make: Callable[..., D] = to
    kept = {f.name: getattr(said, f.name) for f in fields(to) if f.name not in changes}
    return make(**kept | changes)


def told_apart(
    noun: str,
    named: Iterable[tuple[str, int, tuple[str | int, ...]]],
    hint: str = "give one of them a `name` of its own",
) -> Iterable[Fault]:
    """A fault for each name that stands for two things. ``named``: the name, its line and its path."""
    seen: dict[str, int] = {}
    for name, line, path in named:
        if name in seen:
            message = f"two {noun} are called `{name}`, the first on line {seen[name]}"
            yield Fault((*path, "name"), "same-name", message, hint)
        seen.setdefault(name, line)


# --- what a type alone does not say --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Text. With ``pattern`` it must match whole; ``says`` names what the pattern asks for."""

    says: str = "text"
    pattern: str = ""
    longest: int = 500
    label: str = "text"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words. Without it a ``Literal`` or an enum allows all of its own."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number between bounds (inclusive)."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A percentage (``3%``) or a fraction below one (``0.03``), as a fraction. A bare 1 or more is not guessed."""

    most: float = 1.0
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: ``45s``, ``1h30m``, ``2d``, ``1w``."""

    positive: bool = True


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes with a unit: ``512MiB``, ``2GiB``, ``1.5GB``."""


@dataclass(frozen=True, slots=True)
class ReferenceWindow:
    """Whom new rows are compared with: a word, or a window of time as ``2013-01-01/2013-02-01``."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line of five fields; weekdays count from Sunday = 0, as in every crontab."""


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A name of the time zone database."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Values, one a step: ``0.1 _ 0.3x4``; ``_`` is a gap and ``x4`` repeats."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list; ``unique`` refuses the same scalar twice, ``single`` lets one value stand for a list of one."""

    least: int = 0
    most: int = 1000
    unique: bool = False
    single: bool = False


@dataclass(frozen=True, slots=True)
class Keyed:
    """A mapping with free keys, which are ``noun``."""

    key: Text | Choice
    noun: str


@dataclass(frozen=True, slots=True)
class Short:
    """One scalar may stand for a whole section; it becomes ``{key: scalar}``."""

    key: str


@dataclass(frozen=True, slots=True)
class Nullable:
    """``null`` is a value too."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of the value that returns a sentence where it does not hold."""

    check: Callable[[object], str | None]
