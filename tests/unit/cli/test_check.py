from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.entrypoints.cli.main import main
from controller.rulefmt.reference import json_schema, reference_markdown

LINTS = Path(__file__).parents[1] / "rulefmt" / "lints"
GOOD = (LINTS / "no-gate.good.yaml").read_text()
ADVICE = GOOD.replace("owner: team\n", "")
DANGER = (LINTS / "wrong-direction.bad.yaml").read_text()
SILENCED = (LINTS / "unused-silence.good.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    return tmp_path / "rules"


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["check", *args])


@pytest.mark.parametrize(
    ("text", "options", "code", "last"),
    [
        pytest.param(GOOD, [], 0, "good: 1 file, 0 problems, 0 dangers, 0 advice", id="good"),
        pytest.param(ADVICE, [], 0, "good: 1 file, 0 problems, 0 dangers, 1 advice", id="advice"),
        pytest.param(
            ADVICE, ["--strict"], 1, "refused: 1 file, 0 problems, 0 dangers, 1 advice", id="strict"
        ),
        pytest.param(
            DANGER, [], 1, "refused: 1 file, 0 problems, 4 dangers, 0 advice", id="danger"
        ),
        pytest.param(
            SILENCED,
            ["--strict"],
            0,
            "good: 1 file, 0 problems, 0 dangers, 0 advice, 1 silenced",
            id="silenced",
        ),
        pytest.param("a: [", [], 1, "refused: 1 file, 1 problem, 0 dangers, 0 advice", id="broken"),
    ],
)
def test_exit_code_and_summary(folder: Path, text: str, options: list[str], code: int, last: str):
    (folder / "p.yaml").write_text(text)

    result = run(*options)

    assert result.output.splitlines()[-1] == last
    assert result.exit_code == code


def test_a_finding_says_which_failure_it_stops(folder: Path):
    (folder / "p.yaml").write_text(DANGER)

    lines = run().output.splitlines()

    assert lines[0].startswith("rules/p.yaml:8:5: gate `mae at least 20`")
    assert lines[0].endswith("[wrong-direction] danger")
    assert lines[1].strip().startswith("A bound on the wrong side")


def test_files_of_a_folder_are_checked_together_and_tests_are_not_policies(folder: Path):
    (folder / "a.yaml").write_text(GOOD)
    (folder / "b.yml").write_text(GOOD)
    (folder / "a.test.yaml").write_text("not: a policy")
    (folder / ".hidden.yaml").write_text("not: a policy")

    result = run()

    assert "rules/b.yml:2:1: model `a` has a policy already, rules/a.yaml" in result.output
    assert "2 files" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize("shape", ["json", "sarif"])
def test_formats_for_programs_are_json(folder: Path, shape: str):
    (folder / "p.yaml").write_text(DANGER)
    (folder / "q.yaml").write_text("model: [")
    (folder / "r.yaml").write_text(SILENCED)

    result = run("--format", shape)

    shown = json.loads(result.output)
    if shape == "json":
        assert (shown["schema_version"], shown["good"], shown["files"]) == (1, False, 3)
        assert {note["level"] for note in shown["notes"]} == {"error", "danger", "advice"}
    else:
        results = shown["runs"][0]["results"]
        rules = {rule["id"] for rule in shown["runs"][0]["tool"]["driver"]["rules"]}
        assert {r["ruleId"] for r in results} <= rules
        assert [r["suppressions"][0]["justification"] for r in results if "suppressions" in r] == [
            "a model of the tests"
        ]


def test_format_github_escapes_what_would_end_its_command(folder: Path):
    (folder / "p,1.yaml").write_text(GOOD.replace("team", '"100%"').replace("mae", "ma"))

    result = run("--format", "github")

    line = result.output.splitlines()[0]
    assert line.startswith("::error file=rules/p%2C1.yaml,line=7,col=5,title=unknown-metric::")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        pytest.param(["nowhere"], 3, "no file or folder nowhere", id="missing-path"),
        pytest.param([], 3, "There is no policy here", id="empty-folder"),
        pytest.param(["--format", "xml"], 2, "xml", id="unknown-format"),
    ],
)
def test_wrong_use_is_one_sentence(folder: Path, args: list[str], code: int, words: str):
    result = run(*args)

    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_link_out_of_the_folder_is_refused(folder: Path):
    (folder.parent / "elsewhere.yaml").write_text(GOOD)
    (folder / "p.yaml").symlink_to(folder.parent / "elsewhere.yaml")

    result = run()

    assert result.exit_code == 1
    assert "symbolic link" in result.output


def test_schema_is_the_one_of_the_format():
    assert json.loads(CliRunner().invoke(main, ["schema"]).output) == json_schema()
    assert CliRunner().invoke(main, ["schema", "--markdown"]).output == reference_markdown() + "\n"
