"""How one scalar of a rules file is read, and what it is in JSON Schema.

A reader is a declared shape (:mod:`controller.domain.keys`) that reads one node and returns a value, or :data:`BAD`
after it has reported why not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from controller.domain import keys
from controller.domain.rules import Margin
from controller.rulefmt import scalars
from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems, did_you_mean, one_of, quoted

BAD: Final = object()
"""Stands for a value that could not be read; its problem has been reported."""

JsonSchema = dict[str, object]

_PERCENTAGE: JsonSchema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"}


class Reader(Protocol):
    """How one value is read and described."""

    @property
    def label(self) -> str: ...
    def read(self, node: Node, where: str, problems: Problems) -> object: ...
    def json(self) -> JsonSchema: ...


def wrong_type(node: Node, where: str, wanted: str, problems: Problems, hint: str = "") -> object:
    """Report what stands there instead of what is wanted."""
    if not node.refused:
        found = node.describe()
        problems.add(node, "wrong-type", f"`{where}` must be {wanted}, found {found}", hint)
    return BAD


def trapped(node: Node, where: str, problems: Problems, *, hint: str = "") -> bool:
    """Report a plain scalar that readers of YAML disagree on."""
    found = scalars.trap(node.text) if node.plain else None
    if found is None:
        return False
    code, wrong, write = found
    problems.add(node, code, f"`{where}`: {quoted(node.text)} {wrong}", hint or write)
    return True


@dataclass(frozen=True, slots=True)
class TextReader(keys.Text):
    """Reads text."""

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind != "scalar" or node.empty:
            return wrong_type(node, where, self.says, problems)
        if node.plain:
            if trapped(node, where, problems, hint=f'quote it: "{node.text}"'):
                return BAD
            other = scalars.truth(node.text) is not None or scalars.is_null(node.text)
            if other or scalars.read_number(node.text) is not None:
                return wrong_type(
                    node, where, self.says, problems, f'quote it if you mean text: "{node.text}"'
                )
        if len(node.text) > self.longest:
            message = (
                f"`{where}` has {len(node.text):,} characters, at most {self.longest} are allowed"
            )
            problems.add(node, "too-long", message)
            return BAD
        if not node.text.strip():
            return wrong_type(node, where, self.says, problems)
        if self.pattern and not re.fullmatch(self.pattern, node.text):
            return wrong_type(node, where, self.says, problems)
        return node.text

    def json(self) -> JsonSchema:
        shape: JsonSchema = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return {**shape, "pattern": f"^(?:{self.pattern})$"} if self.pattern else shape


@dataclass(frozen=True, slots=True)
class ChoiceReader(keys.Choice):
    """Reads one of a few words as ``made`` of it."""

    made: Callable[[str], object] = str

    @property
    def label(self) -> str:
        return one_of([f"`{w}`" for w in self.words])

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind == "scalar" and node.text in self.words:
            return self.made(node.text)
        hint = did_you_mean(node.text, self.words) if node.kind == "scalar" else ""
        return wrong_type(node, where, one_of(self.words), problems, hint)

    def json(self) -> JsonSchema:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class BooleanReader:
    """``true`` or ``false``, nothing else."""

    label: str = "`true` or `false`"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        value = scalars.truth(node.text) if node.kind == "scalar" and node.plain else None
        if value is not None:
            return value
        if node.kind == "scalar" and node.plain and trapped(node, where, problems):
            return BAD
        hint = (
            "remove the quotes" if node.kind == "scalar" and node.text in ("true", "false") else ""
        )
        return wrong_type(node, where, "true or false", problems, hint)

    def json(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class NumberReader(keys.Number):
    """Reads a number; ``whole`` asks for an integer, ``real`` makes a float of it."""

    whole: bool = False
    real: bool = False

    @property
    def label(self) -> str:
        noun = "whole number" if self.whole else "number"
        if self.least is not None and self.most is not None:
            return f"{noun} from {self.least:g} to {self.most:g}"
        if self.least is not None:
            return f"{noun}, at least {self.least:g}"
        return noun

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = f"a {self.label}"
        value = scalars.read_number(node.text) if node.kind == "scalar" else None
        if node.kind != "scalar" or not node.plain:
            hint = "remove the quotes" if value is not None else ""
            return wrong_type(node, where, wanted, problems, hint)
        if value is None:
            if trapped(node, where, problems):
                return BAD
            return wrong_type(node, where, wanted, problems, _number_hint(node.text))
        if self.whole and not isinstance(value, int):
            return wrong_type(node, where, wanted, problems)
        low = self.least is not None and value < self.least
        if low or (self.most is not None and value > self.most):
            problems.add(
                node, "out-of-range", f"`{where}` must be {wanted}, found {quoted(node.text)}"
            )
            return BAD
        return float(value) if self.real else value

    def json(self) -> JsonSchema:
        shape: JsonSchema = {"type": "integer" if self.whole else "number"}
        if self.least is not None:
            shape["minimum"] = self.least
        if self.most is not None:
            shape["maximum"] = self.most
        return shape


def _number_hint(text: str) -> str:
    share = scalars.percentage(text)
    if share is not None:
        return f"write {share:g} for {text}"
    plain = text.replace(",", "").replace("_", "")
    return f"write {plain}" if scalars.read_number(plain) is not None else ""


@dataclass(frozen=True, slots=True)
class ShareReader(keys.Share):
    """Reads a percentage or a fraction."""

    label: str = "percentage, or fraction below 1"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind != "scalar":
            return wrong_type(node, where, "a percentage such as 3%", problems)
        value = scalars.percentage(node.text)
        if value is None:
            bare = scalars.read_number(node.text) if node.plain else None
            if bare is None:
                if trapped(node, where, problems):
                    return BAD
                return wrong_type(node, where, "a percentage such as 3%", problems)
            if not 0 <= bare < 1:
                return wrong_type(
                    node, where, "a percentage such as 3%", problems, f"did you mean {bare:g}%?"
                )
            value = float(bare)
        if value < 0 or value > self.most or (self.positive and value == 0):
            low = "above 0%" if self.positive else "0%"
            message = f"`{where}` must be from {low} to {self.most:.0%}, found {quoted(node.text)}"
            problems.add(node, "out-of-range", message)
            return BAD
        return value

    def json(self) -> JsonSchema:
        return {"anyOf": [_PERCENTAGE, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]}


@dataclass(frozen=True, slots=True)
class AmountReader:
    """A margin: ``3%`` of the reference, or a number in the metric's unit."""

    label: str = "percentage of the reference, or number in the metric's unit"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = "a percentage such as 3%, or a number in the metric's unit"
        if node.kind != "scalar":
            return wrong_type(node, where, wanted, problems)
        share = scalars.percentage(node.text)
        value = (
            share if share is not None else scalars.read_number(node.text) if node.plain else None
        )
        if value is None:
            if trapped(node, where, problems):
                return BAD
            return wrong_type(node, where, wanted, problems)
        if value < 0 or (share is not None and share > 10):
            hint = "a margin is a size; the metric's direction is known" if value < 0 else ""
            problems.add(node, "out-of-range", f"`{where}` cannot be {quoted(node.text)}", hint)
            return BAD
        return Margin(value=float(value), relative=share is not None)

    def json(self) -> JsonSchema:
        return {"anyOf": [_PERCENTAGE, {"type": "number", "minimum": 0}]}


@dataclass(frozen=True, slots=True)
class SizeReader(keys.Size):
    """Reads a size in bytes."""

    label: str = "size"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        value = scalars.size(node.text) if node.kind == "scalar" else None
        if value:
            return value
        hint = ""
        if node.kind == "scalar" and scalars.read_number(node.text) is not None:
            hint = f"add a unit: {node.text}MiB or {node.text}GiB"
        return wrong_type(node, where, "a size such as 512MiB or 2GiB", problems, hint)

    def json(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$"}
