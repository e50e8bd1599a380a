"""Each recipe of CONTRIBUTING.md is followed word for word: what it says is enough, and it touches no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.recipes import ROOT, Copy, copied, recipe

POLICY = """\
version: 1
model: m
data: {source: "data/*.parquet", time: t, target: y}
train: {entrypoint: "a:b"}
triggers: [TRIGGER]
promote: [{metric: mae, better_than: champion}, GATE]
"""
_REFERENCE = """\
from pathlib import Path
from controller.rulefmt.reference import reference_markdown
Path("docs/reference/policy.md").write_text(reference_markdown())
"""
"""The one page of `make reference` that a kind changes; all of them take five times as long."""
_COMMAND = "from controller.entrypoints.cli.main import main; main()"
TRIGGER, GATE = "{new_data: {rows: 10}}", "{metric: mae, at_most: 30}"
PLAYED: Mapping[str, Mapping[str, str]] = {
    "A gate": {
        "walk": "tests/unit/policy/test_gate_kinds.py",
        "policy": POLICY.replace("GATE", "{name: low, metric: mae, below: 20}").replace(
            "TRIGGER", TRIGGER
        ),
        "tests": """\
  - name: less than the number is good enough
    signals: [{at: 0s, new_data: {rows: 10}}]
    candidates: [{metrics: {mae: {value: 19.9, champion: 25, interval: [-6, -4]}}}]
    expect: [{at: 0s, gates: {low: pass}, decision: [train, promote]}]
  - name: the number itself is not
    signals: [{at: 0s, new_data: {rows: 10}}]
    candidates: [{metrics: {mae: {value: 20, champion: 25, interval: [-6, -4]}}}]
    expect: [{at: 0s, gates: {low: fail}, decision: [train, reject], reason: "below 20"}]
""",
    },
    "A trigger": {
        "walk": "tests/unit/policy/test_trigger_kinds.py",
        "policy": POLICY.replace("GATE", GATE).replace(
            "TRIGGER", "{repeated: {type: com.example.labels.ready, times: 2}}"
        ),
        "tests": """\
  - name: two events train, one waits
    signals:
      - {at: 0s, webhook: {type: com.example.labels.ready}}
      - {at: 1h, webhook: {type: com.example.labels.ready}}
    expect:
      - {at: 0s, triggers: {repeated: pending}, decision: none}
      - {at: 1h, triggers: {repeated: firing}, decision: train}
""",
    },
}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Copy:
    """The code after the recipe was followed."""
    copy = copied(tmp_path_factory.mktemp("recipe"))
    for block in recipe(request.param):
        block.apply(copy.root)
    copy.run("-c", _REFERENCE)
    return copy


@pytest.mark.parametrize(
    ("followed", "title"), [(title, title) for title in PLAYED], indirect=["followed"]
)
def test_the_example_works_and_touches_two_files_and_a_test(followed: Copy, title: str) -> None:
    touched = list(followed.changed())
    assert sum(name.startswith("tests/") for name in touched) == 1, touched
    assert sum(not name.startswith("tests/") for name in touched) == 2, touched
    followed.run("-m", "ruff", "check", "-q", *touched)
    followed.run("-m", "ruff", "format", "-q", "--check", *touched)
    followed.run("-m", "scripts.closed_sets")
    played = PLAYED[title]
    tests = {played["walk"], *(name for name in touched if name.startswith("tests/"))}
    followed.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *sorted(tests))
    rules = followed.root / "rules"
    rules.mkdir()
    (rules / "p.yaml").write_text(played["policy"])
    (rules / "p.test.yaml").write_text(f"version: 1\npolicy: p.yaml\ntests:\n{played['tests']}")
    followed.run("-c", _COMMAND, "check", "rules")
    followed.run("-c", _COMMAND, "test", "rules")


@pytest.mark.long
@pytest.mark.parametrize(
    ("followed", "title"), [(title, title) for title in PLAYED], indirect=["followed"]
)
def test_the_example_is_typed(followed: Copy, title: str) -> None:
    files = [name for name in followed.changed() if not name.startswith("tests/")]
    followed.run("-m", "mypy", *files)


def test_a_recipe_with_a_step_left_out_fails(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    for block in recipe("A gate"):
        if not block.is_diff:
            block.apply(copy.root)
    with pytest.raises(AssertionError, match="BELOW"):
        copy.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/policy/test_below.py")


_KNOWN_EVERYWHERE = """\
from datetime import timedelta
from pathlib import Path
from click.testing import CliRunner
from controller.domain.rules import Limits
from controller.entrypoints.cli.main import main
from controller.rulefmt import load_policy, parse
from controller.rulefmt.reference import json_schema, reference_markdown

doc = "How long a new model waits before its first training."
shape = json_schema()["properties"]["limits"]["properties"]["warm_up"]
assert (shape["description"], shape["type"], shape["default"]) == (doc, "string", "0s"), shape
assert f"| `warm_up` | duration | `0s` | `2d` | {doc} |" in reference_markdown()

said = Path("p.yaml").read_text()
assert load_policy(said, "p.yaml").limits == Limits(line=8)
assert load_policy(said + "  warm_up: 36h\\n", "p.yaml").limits.warm_up == timedelta(hours=36)
problems = parse(said + "  warm_up: soon\\n", "p.yaml").problems
wrong = "must be a duration such as 45s, 1h30m, 2d or 1w, found `soon`"
assert str(problems[0]).startswith(f"p.yaml:9:12: `limits.warm_up` {wrong}"), problems
guess = parse(said + "  warm_pu: 2d\\n", "p.yaml").problems[0]
assert (guess.line, guess.col, guess.hint) == (9, 3, 'did you mean "warm_up"?'), guess

done = CliRunner().invoke(main, ["init", "new"])
assert done.exit_code == 0, done.output
written = Path("new/rules/my-model.yaml").read_text()
assert f"  {'# warm_up: 2d':<34}# {doc}\\n" in written, written
"""


def test_a_key_that_is_said_once_is_known_everywhere(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    for block in recipe("A key of a policy"):
        block.apply(copy.root)
    assert list(copy.changed()) == ["controller/domain/rules/triggers.py"]
    (copy.root / "p.yaml").write_text(
        POLICY.replace("TRIGGER", TRIGGER).replace(", GATE]", "]\nlimits:\n  cooldown: 0s")
    )
    (copy.root / "p.py").write_text(_KNOWN_EVERYWHERE)
    copy.run("p.py")


KINDS = ("gate", "trigger", "reason", "source", "channel", "command", "page", "metric", "key")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_recipe_whose_files_are_there(kind: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sections = [part for part in text.split("\n### ")[1:] if kind in part.partition("\n")[0]]
    assert len(sections) == 1
    named = re.findall(r"`((?:controller|tests|docs)/[\w/.-]+)`", sections[0].partition("\n## ")[0])
    assert len(named) >= 2
    assert [name for name in named if not (ROOT / name).exists()] == []
