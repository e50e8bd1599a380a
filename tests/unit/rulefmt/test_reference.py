from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
import yaml

from controller.domain.rules import Policy
from controller.rulefmt.nodes import Node, read_nodes
from controller.rulefmt.problems import Problems
from controller.rulefmt.reference import (
    all_sections,
    json_schema,
    reference_markdown,
    rule_test_markdown,
)
from controller.rulefmt.scalar_readers import BAD
from controller.rulefmt.schema.ruletest import RULE_TEST

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "policy.md"
SECTIONS = [*all_sections(), *all_sections(RULE_TEST)]
POLICIES = Path(__file__).parent / "policies"


@pytest.mark.parametrize(
    ("page", "made"),
    [("policy.md", reference_markdown), ("rule-tests.md", rule_test_markdown)],
    ids=["policy", "rule-tests"],
)
def test_the_committed_page_is_the_generated_one(page: str, made: Callable[[], str]):
    assert PAGE.with_name(page).read_text(encoding="utf-8") == made(), "run `make reference`"


def test_the_committed_schema_is_the_generated_one():
    assert json.loads(PAGE.with_name("policy.schema.json").read_text()) == json_schema(), (
        "run `make reference`"
    )


@pytest.mark.parametrize(("title", "key"), [(s.title, k.name) for s in SECTIONS for k in s.keys])
def test_every_example_of_the_table_is_valid(title: str, key: str):
    section = next(s for s in SECTIONS if s.title == title)
    entry = next(k for k in section.keys if k.name == key)
    problems = Problems("example")
    root, whole = read_nodes(f"{key}: {entry.example}", problems)
    assert whole
    assert root is not None
    node: Node = root.pairs[0][1]

    value = entry.reader.read(node, key, problems)

    assert value is not BAD, [str(p) for p in problems.found]


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.good.yaml")), ids=lambda p: p.name)
def test_good_policies_satisfy_the_json_schema(path: Path):
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize("name", ["five-mistakes", "wrong-values", "a-list"])
def test_json_schema_refuses_wrong_policies(name: str):
    wrong = yaml.safe_load((POLICIES / f"{name}.bad.yaml").read_text())

    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(wrong)


def test_json_schema_is_json():
    assert json.loads(json.dumps(json_schema())) == json_schema()


def test_every_field_of_the_policy_has_a_key():
    spelt_otherwise = {"silenced": "allow"}
    keys = {key.name for key in next(iter(all_sections())).keys}

    names = {spelt_otherwise.get(each.name, each.name) for each in fields(Policy)}

    assert names == keys
