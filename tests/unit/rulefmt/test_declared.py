"""What is declared of a key is what every use of it is made of: its value, its default, its example and its comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from controller.domain.keys import Declared, Key, Section
from controller.rulefmt import parse
from controller.rulefmt.comments import commented
from controller.rulefmt.declared import Declarations
from controller.rulefmt.nodes import read_nodes
from controller.rulefmt.problems import Problems
from controller.rulefmt.reference import all_sections
from controller.rulefmt.schema.ruletest import RULE_TEST
from controller.rulefmt.sections import KeyReader, SectionReader

KEYS = [
    pytest.param(section, key, id=f"{section.title}.{key.name}")
    for section in (*all_sections(), *all_sections(RULE_TEST))
    for key in section.keys
]
TEMPLATE = Path("controller/entrypoints/cli/init_files/policy.yaml.txt")
SMALL = """\
version: 1
model: m
data:
  source: "data/*.parquet"
  time: t
  target: y
  key: id
  #: data
train:
  entrypoint: "a:b"
  #: train
triggers:
  - new_data: {rows: 10}
  #: triggers[]
limits:
  cooldown: 1h
  #: limits
promote:
  - {metric: mae, better_than: champion}
  #: promote[]
#: policy
"""


def read(key: KeyReader, text: str) -> object:
    root, _ = read_nodes(f"{key.name}: {text}", Problems("p"))
    assert root is not None
    problems = Problems("p")
    value = key.reader.read(root.pairs[0][1], key.name, problems)
    assert problems.found == []
    return value


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_default_reads_as_itself_and_an_example_is_of_the_declared_type(
    section: SectionReader, key: KeyReader
) -> None:
    if key.constant is not None:
        assert read(key, key.constant) == key.default
    assert key.doc.endswith("."), key.doc
    if isinstance(section.make, type):
        hint = get_type_hints(section.make)[key.field]
        for value in (read(key, key.example), *({key.default} - {MISSING} if key.constant else ())):
            taken = TypeAdapter(hint).validate_python(value, strict=True)
            assert repr(taken) == repr(value)  # 20 is no float here


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_the_schema_takes_the_default_and_the_example_of_a_key(
    section: SectionReader, key: KeyReader
) -> None:
    del section
    shape = key.json()
    values = [yaml.safe_load(key.example), *([shape["default"]] if "default" in shape else [])]
    for value in values:
        jsonschema.validate(value, shape)


def written_otherwise(declared: type) -> Iterator[tuple[type, object]]:
    """Each ``Annotated[VALUE, WRITTEN]`` below a class."""
    for hint in get_type_hints(declared, include_extras=True).values():
        stack = [hint]
        while stack:
            inner = stack.pop()
            notes = getattr(inner, "__metadata__", ())
            yield from ((note, inner.__origin__) for note in notes if isinstance(note, type))
            stack += [
                part for part in (*get_args(inner), getattr(inner, "__origin__", None)) if part
            ]


def test_what_is_written_otherwise_means_what_is_declared() -> None:
    made = [s.make for s in (*all_sections(), *all_sections(RULE_TEST)) if isinstance(s.make, type)]
    found = {pair for each in made for pair in written_otherwise(each)}
    named = {written.__name__: value for written, value in found}
    assert {"WrittenData", "WrittenTrain", "WrittenCondition", "WrittenMetric"} <= named.keys()
    for written, value in found:
        meant = get_type_hints(written.meant)["return"]  # type: ignore[attr-defined]
        assert meant == value or issubclass(written, value), written  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class Strange(Declared):
    """A section with a value that nothing reads."""

    section: ClassVar[Section] = Section("strange")
    value: Annotated[complex, Key("A number.", "1")]


def test_a_type_that_nothing_reads_is_an_error_at_import() -> None:
    with pytest.raises(TypeError, match="complex"):
        Declarations({}).section(Strange)


OFFERED = re.compile(r"^( *)# ((?:- \{)?[a-z_]+: .*?)(?: +# .*)?$", re.MULTILINE)


def test_each_comment_is_a_key_that_can_be_used() -> None:
    text = commented(SMALL)
    offered = list(OFFERED.finditer(text))
    assert len(offered) > 25
    for line in offered:
        tried = text[: line.start()] + line[1] + line[2] + text[line.end() :]
        parsed = parse(tried, "p.yaml")
        assert parsed.policy is not None, parsed.problems
        assert parsed.policy != parse(text, "p.yaml").policy, line[2]


def test_comments_offer_every_key_that_is_not_used_and_none_that_is() -> None:
    names = {line[2].lstrip("- {").split(":")[0] for line in OFFERED.finditer(commented(SMALL))}
    (policy, *_rest) = all_sections()
    assert {key.name for key in policy.keys} - yaml.safe_load(SMALL).keys() <= names
    assert {"label_delay", "window", "concurrency", "schedule", "webhook"} <= names
    assert not {"source", "entrypoint", "command", "recipes", "cooldown", "new_data"} & names


def test_no_mark_is_left_in_what_init_writes() -> None:
    assert commented(TEMPLATE.read_text()).count("#: ") == 0


def test_a_problem_stands_where_its_key_does() -> None:
    text = SMALL.replace("cooldown: 1h", "runs_per_day: 0").replace("time: t", "time: y")
    found: list[Any] = [(p.line, p.col, p.code) for p in parse(text, "p.yaml").problems]
    assert found == [(5, 9, "same-column"), (16, 17, "out-of-range")]
