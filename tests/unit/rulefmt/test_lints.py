"""Each lint has a policy where it finds the marked lines (``# <- name``) and one where it finds nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from controller.policy.planning import difference_seen, paired_rows_needed
from controller.rulefmt import load_policy
from controller.rulefmt.lints import Linted, known_lints, lint, lint_together
from controller.rulefmt.lints.reference import lints_markdown
from controller.rulefmt.problems import Note

FOLDER = Path(__file__).parent / "lints"
ALONE = sorted(set(known_lints()) - {"same-model-twice"})


def test_the_committed_page_is_the_generated_one():
    page = Path(__file__).parents[3] / "docs" / "reference" / "lints.md"

    assert page.read_text(encoding="utf-8") == lints_markdown(), "run `make reference`"


def test_the_example_policy_has_no_finding():
    path = Path(__file__).parents[3] / "rules" / "flight-delay.yaml"

    assert [str(finding) for finding in linted(path)] == []


def linted(path: Path) -> tuple[Note, ...]:
    text = path.read_text(encoding="utf-8")
    return lint(load_policy(text, path.name), text, path.name)


@pytest.mark.parametrize("name", ALONE)
def test_lint_finds_exactly_the_marked_lines(name: str):
    path = FOLDER / f"{name}.bad.yaml"
    marked = [
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith(f"# <- {name}")
    ]

    found = [finding.line for finding in linted(path) if finding.code == name]

    assert found == marked
    assert marked


@pytest.mark.parametrize("name", ALONE)
def test_lint_leaves_a_good_policy_alone(name: str):
    found = [f for f in linted(FOLDER / f"{name}.good.yaml") if f.code == name]

    assert found == []


@pytest.mark.parametrize("name", sorted(known_lints()))
def test_lint_says_which_failure_it_stops(name: str):
    stops = known_lints()[name].stops

    assert stops.endswith(".")
    assert len(stops.split()) > 5


def test_a_silenced_lint_keeps_its_reason():
    finding = linted(FOLDER / "unused-silence.good.yaml")[0]

    assert (finding.code, finding.silenced) == ("no-owner", "a model of the tests")


def test_a_policy_without_promote_has_no_gate():
    text = (
        'version: 1\nmodel: a\nowner: b\ndata: {source: x, target: y}\ntrain: {entrypoint: "a:b"}\n'
    )

    assert [f.code for f in lint(load_policy(text, "p.yaml"), text)] == ["no-gate"]


def test_every_recipe_that_reads_the_source_itself_is_found():
    text = (
        "version: 1\nmodel: a\nowner: b\ndata: {source: data.csv, target: y}\n"
        'train: {entrypoint: "a:b", params: {path: data.csv}}\n'
        "promote: [{metric: mae, better_than: champion}]\n"
    )

    assert [f.code for f in lint(load_policy(text, "p.yaml"), text)] == ["holdout-in-training"]


def test_the_same_model_in_two_files_is_found_in_the_second():
    text = (FOLDER / "no-gate.good.yaml").read_text()
    other = text.replace("model: a", "model: b")
    files = [
        Linted(n, load_policy(t, n), t)
        for n, t in [("1.yaml", text), ("2.yaml", other), ("3.yaml", text)]
    ]

    found = lint_together(files)

    assert [(f.path, f.line, f.code) for f in found] == [("3.yaml", 2, "same-model-twice")]
    assert "1.yaml" in found[0].message


def test_rows_needed_is_the_published_number():
    assert paired_rows_needed(0.3, 0.05, confidence=0.95, power=0.8) == 223


def test_difference_seen_is_the_inverse():
    assert math.isclose(difference_seen(0.3, 223, confidence=0.95), 0.05, rel_tol=0.002)
