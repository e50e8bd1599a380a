"""Sections: mappings with known keys. Each key says its type, its default, what it is for and an example.

The default is written as it would stand in the file and is read by the key's own type, so that what the
reference page shows is what the parser uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems, nearest, one_of, quoted
from controller.rulefmt.types import BAD, JsonSchema, Type


@dataclass(slots=True)
class Values:
    """What was read of one section: ``values`` by key (defaults filled in), ``nodes`` of the keys that stand there."""

    node: Node
    values: dict[str, Any]
    nodes: dict[str, Node] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def has(self, key: str) -> bool:
        """Whether the key stands in the text (a default does not count)."""
        return key in self.nodes

    def at(self, key: str) -> Node:
        """The place of the key's value, or of the section where it is missing."""
        return self.nodes.get(key, self.node)

    @property
    def line(self) -> int:
        """Line on which the section's value begins."""
        return self.node.line


SectionCheck = Callable[[Values, str, Problems], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. ``default`` is YAML text of one scalar, or None for a key that may be absent."""

    name: str
    type: Type
    doc: str
    example: str
    required: bool = False
    default: str | None = None
    default_says: str = ""
    """What the reference says about the default where it is no constant."""

    def default_value(self) -> Any:
        """The default as the key's own type reads it."""
        if self.default is None:
            return None
        problems = Problems("default")
        value = self.type.read(
            Node("scalar", 0, 0, text=self.default, plain=True), self.name, problems
        )
        if value is BAD:
            raise AssertionError(f"default of {self.name}: {problems.found[0].message}")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping with known keys.

    ``one_of``: exactly one of these keys stands there. ``only_with``: a key that means something only next to one
    of others. ``checks`` look at several keys together and run when all of them could be read.
    """

    title: str
    doc: str
    keys: tuple[Key, ...]
    one_of: tuple[str, ...] = ()
    only_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: tuple[SectionCheck, ...] = ()
    label: str = "section"
    defaults: dict[str, Any] = field(init=False, default_factory=dict, compare=False, repr=False)

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.refused:
            return BAD
        if node.kind != "mapping":
            shown = f"`{where}` must be a mapping" if where else "a policy must be a mapping"
            example = self.keys[0]
            hint = (
                f"write `{example.name}: {example.example}`"
                if not example.required or not where
                else ""
            )
            problems.add(node, "wrong-type", f"{shown}, found {node.describe()}", hint)
            return BAD
        nodes: dict[str, Node] = {}
        values = self._default_values()
        known = {key.name: key for key in self.keys}
        prefix = f"{where}." if where else ""
        for key_node, value_node in node.pairs:
            key = known.get(key_node.text)
            if key is None:
                meant = self._report_unknown(key_node, where, problems)
                values[meant] = BAD
                continue
            nodes[key.name] = value_node
            values[key.name] = key.type.read(value_node, prefix + key.name, problems)
        result = Values(node, values, nodes)
        before = len(problems.found) + problems.unlisted
        self._check_presence(result, where, problems)
        if self._missing(result) or any(value is BAD for value in values.values()):
            return BAD
        if len(problems.found) + problems.unlisted != before:
            return BAD
        for check in self.checks:  # what they find does not keep others from being checked
            check(result, where, problems)
        return result

    def _default_values(self) -> dict[str, Any]:
        if not self.defaults:
            self.defaults.update({key.name: key.default_value() for key in self.keys})
        return dict(self.defaults)

    def _report_unknown(self, key: Node, where: str, problems: Problems) -> str:
        """Report the key; returns the name that was probably meant, which then is not missed as well."""
        if problems.full:
            problems.unlisted += 1
            return ""
        names = [k.name for k in self.keys]
        place = f"in `{where}`" if where else "at the top of a policy"
        meant = nearest(key.text, names)
        hint = f'did you mean "{meant}"?' if meant else f"known here: {', '.join(names)}"
        if key.plain and key.text.lower() in ("on", "off", "yes", "no", "y", "n"):
            hint = f"{quoted(key.text)} is a boolean to some readers of YAML; {hint}"
        problems.add(key, "unknown-key", f"unknown key {quoted(key.text)} {place}", hint)
        return meant or ""

    def _check_presence(self, values: Values, where: str, problems: Problems) -> None:
        named = f"`{where}`" if where else "the policy"
        for key in () if values.node.unfinished else self._missing(values):
            message = f"{named} needs the key `{key.name}`"
            problems.add(
                values.node, "missing-key", message, f"for example `{key.name}: {key.example}`"
            )
        present = [name for name in self.one_of if values.has(name)]
        guessed = any(values[name] is BAD for name in self.one_of if not values.has(name))
        if self.one_of and len(present) != 1 and not guessed:
            found = (
                f"found {one_of(present).replace(' or ', ' and ')}"
                if present
                else "found none of them"
            )
            message = f"{named} needs exactly one of {one_of(self.one_of)}, {found}"
            at = values.at(present[1]) if present else values.node
            problems.add(at, "one-of", message)
        for name, others in self.only_with.items():
            decided = present or not self.one_of
            if decided and values.has(name) and not any(values.has(other) for other in others):
                message = f"`{name}` in {named} means something only next to {one_of(others)}"
                problems.add(values.at(name), "without-effect", message)

    def _missing(self, values: Values) -> list[Key]:
        return [
            key
            for key in self.keys
            if key.required and not values.has(key.name) and values[key.name] is not BAD
        ]

    def json(self) -> JsonSchema:
        properties = {}
        for key in self.keys:
            shape = {"description": key.doc, **key.type.json()}
            if key.default is not None:
                shape["default"] = _json_default(key)
            properties[key.name] = shape
        result: JsonSchema = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
        required = [key.name for key in self.keys if key.required]
        if required:
            result["required"] = required
        if self.one_of:
            result["oneOf"] = [{"required": [name]} for name in self.one_of]
        return result


def _json_default(key: Key) -> Any:
    value = key.default_value()
    return (
        value
        if isinstance(value, bool | int | float) and key.default and "%" not in key.default
        else key.default
    )
