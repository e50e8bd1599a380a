"""Sections: mappings with known keys, each with its reader, its default, what it is for and an example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from datetime import timedelta

from controller.domain.durations import format_duration
from controller.domain.keys import Declared
from controller.domain.rules import Hold, Margin
from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems, nearest, one_of, quoted
from controller.rulefmt.scalar_readers import BAD, JsonSchema, Reader, ShareReader


@dataclass(frozen=True, slots=True)
class SaidHere:
    """What stands in the text of a section, as a declaration asks for it."""

    node: Node
    where: str

    @property
    def line(self) -> int:
        """The line on which its value begins."""
        return self.node.line

    @property
    def keys(self) -> Iterator[str]:
        """Its keys in their order."""
        return (key.text for key, _ in self.node.pairs)

    def has(self, *path: str | int) -> bool:
        """Whether a key, or one below it, stands there."""
        node: Node | None = self.node
        for key in path:
            node = None if node is None else node.below(key)
        return node is not None

    def at(self, path: tuple[str | int, ...]) -> Node:
        """The value at a path, or the nearest section above it that is there."""
        node = self.node
        for key in path:
            node = node.below(key) or node
        return node

    def line_of(self, key: str) -> int:
        """The line of a key's value, or of the section where it is missing."""
        return self.at((key,)).line


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReader:
    """One key. ``field`` is what its value is called in Python, ``default`` the value where it is missing."""

    name: str
    field: str
    reader: Reader
    doc: str
    example: str
    required: bool
    default: object = MISSING
    default_says: str = ""

    @property
    def constant(self) -> str | None:
        """The default as it would stand in the file; None where it is no constant, or not one of a few letters."""
        if self.required or self.default_says:
            return None
        return written(self.default, self.reader)

    def json(self) -> JsonSchema:
        """The key as a property."""
        shape = {"description": self.doc, **self.reader.json()}
        default = self.constant
        if default is not None and not isinstance(self.default, tuple):
            shape["default"] = _json_default(self.default, default)
        return shape


def written(value: object, reader: Reader) -> str | None:
    """A default as it would stand in a file; None for a section, or what says only that nothing was said."""
    match value:
        case bool():
            return str(value).lower()
        case float() if isinstance(reader, ShareReader):
            return f"{value * 100:g}%"
        case int() | float():
            return f"{value:g}"
        case timedelta():
            return format_duration(value)
        case Margin(value=size, relative=relative):
            return f"{size * 100:g}%" if relative else f"{size:g}"
        case Hold(span=None, batches=batches, of=of):
            return (
                f"{batches} of {of} batches"
                if of
                else f"{batches} batch{'es'[: 2 * (batches > 1)]}"
            )
        case Hold(span=timedelta() as span):
            return format_duration(span)
        case str():
            return str(value) or None
        case tuple():
            return f"[{', '.join(map(str, value))}]" if value else None
        case _:
            return None


def _json_default(value: object, text: str) -> object:
    number = value.value if isinstance(value, Margin) else value
    if isinstance(number, float) and not text.endswith("%"):
        return int(number) if number.is_integer() else number
    return number if isinstance(number, bool | int) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionReader:
    """Reads a mapping with known keys into ``make``, which gets the fields of the keys that stand there.

    ``one_of``: exactly one of these keys stands there. ``only_with``: a key that means something only next to one
    of others. What it makes is asked for its faults when all of its keys could be read. ``has_line``: ``make`` wants to
    know on which line the section begins.
    """

    title: str
    doc: str
    keys: tuple[KeyReader, ...]
    make: Callable[..., object]
    one_of: tuple[str, ...] = ()
    only_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_line: bool = False
    label: str = "section"
    by_name: dict[str, KeyReader] = field(init=False, compare=False, repr=False)
    required: tuple[KeyReader, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Indexes of the keys: sections are read by the thousand."""
        object.__setattr__(self, "by_name", {key.name: key for key in self.keys})
        object.__setattr__(self, "required", tuple(key for key in self.keys if key.required))

    def read(self, node: Node, where: str, problems: Problems) -> object:
        """What the section means, or BAD."""
        if node.refused:
            return BAD
        if node.kind != "mapping":
            return self._no_mapping(node, where, problems)
        reported = problems.count
        nodes: dict[str, Node] = {}
        values: dict[str, object] = {}
        guessed: set[str] = set()
        prefix = f"{where}." if where else ""
        good = True
        for key_node, value_node in node.pairs:
            key = self.by_name.get(key_node.text)
            if key is None:
                guessed.add(self._report_unknown(key_node, where, problems))
                continue
            nodes[key.name] = value_node
            value = key.reader.read(value_node, prefix + key.name, problems)
            values[key.field] = value
            good = good and value is not BAD
        before = problems.count
        missing = [k for k in self.required if k.name not in nodes and k.name not in guessed]
        named = f"`{where}`" if where else "the policy"
        if not node.unfinished:
            self._report_missing(node, missing, named, problems)
        self._check_presence(node, nodes, guessed, named, problems)
        if not good or guessed or missing or problems.count != before:
            return BAD
        if self.has_line:
            values["line"] = node.line
        made = self.make(**values)
        if not isinstance(made, Declared):
            return made
        said = SaidHere(node, where)
        for fault in made.faults(said):
            problems.add(said.at(fault.path), fault.code, fault.message, fault.hint)
        # What is wrong does not keep the sections around it from being checked, and means nothing.
        return made.meant(said) if problems.count == reported else made

    def _no_mapping(self, node: Node, where: str, problems: Problems) -> object:
        shown = f"`{where}` must be a mapping" if where else "a policy must be a mapping"
        first = self.keys[0]
        hint = f"write `{first.name}: {first.example}`" if not first.required or not where else ""
        problems.add(node, "wrong-type", f"{shown}, found {node.describe()}", hint)
        return BAD

    def _report_unknown(self, key: Node, where: str, problems: Problems) -> str:
        """Report the key; returns the name that was probably meant, which then is not missed as well."""
        if problems.full:
            problems.unlisted += 1
            return ""
        place = f"in `{where}`" if where else "at the top of a policy"
        meant = nearest(key.text, self.by_name)
        hint = f'did you mean "{meant}"?' if meant else f"known here: {', '.join(self.by_name)}"
        if key.plain and key.text.lower() in ("on", "off", "yes", "no", "y", "n"):
            hint = f"{quoted(key.text)} is a boolean to some readers of YAML; {hint}"
        problems.add(key, "unknown-key", f"unknown key {quoted(key.text)} {place}", hint)
        return meant or ""

    def _report_missing(
        self, node: Node, missing: list[KeyReader], named: str, problems: Problems
    ) -> None:
        for key in missing:
            message = f"{named} needs the key `{key.name}`"
            hint = f"for example `{key.name}: {key.example}`"
            problems.add(node, "missing-key", message, hint)

    def _check_presence(
        self,
        node: Node,
        nodes: Mapping[str, Node],
        guessed: set[str],
        named: str,
        problems: Problems,
    ) -> None:
        present = [name for name in self.one_of if name in nodes]
        if self.one_of and len(present) != 1 and not guessed.intersection(self.one_of):
            listed = one_of(present).replace(" or ", " and ") if present else "none of them"
            message = f"{named} needs exactly one of {one_of(self.one_of)}, found {listed}"
            problems.add(nodes[present[1]] if present else node, "one-of", message)
        for name, others in self.only_with.items():
            decided = present or not self.one_of
            if decided and name in nodes and not any(other in nodes for other in others):
                message = f"`{name}` in {named} means something only next to {one_of(others)}"
                problems.add(nodes[name], "without-effect", message)

    def json(self) -> JsonSchema:
        """The section as an object without other properties."""
        result: JsonSchema = {
            "type": "object",
            "properties": {key.name: key.json() for key in self.keys},
            "additionalProperties": False,
        }
        required = [key.name for key in self.keys if key.required]
        if required:
            result["required"] = required
        if self.one_of:
            result["oneOf"] = [{"required": [name]} for name in self.one_of]
        return result
