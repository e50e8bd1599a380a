"""How lists, mappings and what may be written in two ways are read, and what they are in JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.domain import keys
from controller.rulefmt import scalars
from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems
from controller.rulefmt.scalar_readers import (
    BAD,
    JsonSchema,
    Reader,
    TextReader,
    trapped,
    wrong_type,
)
from controller.rulefmt.sections import SectionReader


@dataclass(frozen=True, slots=True)
class ListReader(keys.Listed):
    """Reads a list of what ``item`` reads."""

    item: Reader = field(kw_only=True)

    @property
    def label(self) -> str:
        return f"list of {self.item.label}" + (", or one" if self.single else "")

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if self.single and node.kind == "scalar" and not node.empty:
            value = self.item.read(node, where, problems)
            return BAD if value is BAD else (value,)
        if node.kind != "list":
            hint = f"write [{node.text[:40]}]" if node.kind == "scalar" and node.text else ""
            if node.kind == "mapping":
                hint = "begin each entry with `- `"
            return wrong_type(node, where, "a list", problems, hint)
        if self.least == 1 and not node.items:
            problems.add(node, "out-of-range", f"`{where}` must not be empty")
            return BAD
        if not self.least <= len(node.items) <= self.most:
            wanted = (
                f"at least {self.least}" if len(node.items) < self.least else f"at most {self.most}"
            )
            problems.add(
                node, "out-of-range", f"`{where}` needs {wanted} entries, found {len(node.items)}"
            )
            return BAD
        values = tuple(
            self.item.read(item, f"{where}[{n}]", problems) for n, item in enumerate(node.items)
        )
        if self.unique and self._repeats(node, where, values, problems):
            return BAD
        return BAD if any(v is BAD for v in values) else values

    def _repeats(
        self, node: Node, where: str, values: tuple[object, ...], problems: Problems
    ) -> bool:
        seen: set[object] = set()
        found = False
        for item, value in zip(node.items, values, strict=True):
            if value is not BAD and value in seen:
                problems.add(
                    item, "repeated", f"`{where}` names {item.describe()} twice", "keep one of them"
                )
                found = True
            seen.add(value)
        return found

    def json(self) -> JsonSchema:
        shape: JsonSchema = {"type": "array", "items": self.item.json(), "maxItems": self.most}
        if self.least:
            shape["minItems"] = self.least
        if self.unique:
            shape["uniqueItems"] = True
        return {"anyOf": [self.item.json(), shape]} if self.single else shape


@dataclass(frozen=True, slots=True)
class MapReader:
    """A mapping with free keys (of ``key``'s type) to values of one type."""

    key: Reader
    value: Reader
    noun: str = "name"

    @property
    def label(self) -> str:
        return f"mapping from {self.noun} to {self.value.label}"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind != "mapping":
            return wrong_type(node, where, "a mapping", problems)
        read: dict[str, object] = {}
        good = True
        for key, value in node.pairs:
            name = self.key.read(key, f"{where}: the {self.noun}", problems)
            item = self.value.read(value, f"{where}.{key.text[:40]}", problems)
            good = good and name is not BAD and item is not BAD
            if isinstance(name, str):
                read[name] = item
        return read if good else BAD

    def json(self) -> JsonSchema:
        return {
            "type": "object",
            "propertyNames": self.key.json(),
            "additionalProperties": self.value.json(),
        }


@dataclass(frozen=True, slots=True)
class AnythingReader:
    """What JSON can say: handed to the user's code as it is, after YAML's traps have been refused."""

    label: str = "any value"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind == "list":
            values = [self.read(item, where, problems) for item in node.items]
            return BAD if any(v is BAD for v in values) else values
        if node.kind == "mapping":
            return MapReader(TextReader(longest=100), self).read(node, where, problems)
        if not node.plain:
            return node.text
        if trapped(node, where, problems):
            return BAD
        if scalars.is_null(node.text):
            return None
        value = scalars.truth(node.text)
        if value is not None:
            return value
        found = scalars.read_number(node.text)
        return node.text if found is None else found

    def json(self) -> JsonSchema:
        return {}


@dataclass(frozen=True, slots=True)
class CheckedReader:
    """Another type, and a check of its value that returns a sentence when it does not hold."""

    inner: Reader
    check: Callable[[object], str | None]

    @property
    def label(self) -> str:
        return self.inner.label

    def read(self, node: Node, where: str, problems: Problems) -> object:
        value = self.inner.read(node, where, problems)
        if value is BAD:
            return BAD
        wrong = self.check(value)
        if wrong:
            problems.add(node, "wrong-value", f"`{where}` {wrong}, found {node.describe()}")
            return BAD
        return value

    def json(self) -> JsonSchema:
        return self.inner.json()


@dataclass(frozen=True, slots=True)
class EitherReader:
    """A short spelling of one scalar, or the whole section; the scalar becomes ``{key: scalar}``."""

    section: SectionReader
    key: str

    @property
    def label(self) -> str:
        return f"{self.short.label}, or section"

    @property
    def short(self) -> Reader:
        return next(key.reader for key in self.section.keys if key.name == self.key)

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind == "scalar":
            name = Node("scalar", node.line, node.col, text=self.key, plain=True)
            node = Node("mapping", node.line, node.col, pairs=[(name, node)])
        return self.section.read(node, where, problems)

    def json(self) -> JsonSchema:
        return {"anyOf": [self.short.json(), self.section.json()]}


@dataclass(frozen=True, slots=True)
class MaybeReader:
    """Another type, or ``null``."""

    inner: Reader

    @property
    def label(self) -> str:
        return f"{self.inner.label}, or null"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind == "scalar" and node.plain and node.text in ("null", "~"):
            return None
        return self.inner.read(node, where, problems)

    def json(self) -> JsonSchema:
        return {"anyOf": [self.inner.json(), {"type": "null"}]}
