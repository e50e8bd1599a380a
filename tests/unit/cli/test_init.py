from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from controller.entrypoints.cli.main import main
from controller.rulefmt import load_policy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


MODELS = [
    pytest.param([], "my-model", id="default"),
    pytest.param(
        ["--model", "7days.v2", "--owner", "no", "--target", "is it?", "--time", "2013"],
        "7days.v2",
        id="awkward-names",
    ),
    pytest.param(
        ["--model", "churn", "--source", 's3://a"b/*.parquet', "--ci", "gitlab"],
        "churn",
        id="gitlab",
    ),
]


@pytest.mark.parametrize(("options", "model"), MODELS)
def test_what_init_writes_passes_check_and_test(folder: Path, options: list[str], model: str):
    assert run("init", *options).exit_code == 0

    checked, tested = run("check", "--strict"), run("test", "--coverage", "100")

    assert (checked.output, checked.exit_code) == (
        "good: 1 file, 0 problems, 0 dangers, 0 advice\n",
        0,
    )
    assert tested.exit_code == 0, tested.output
    assert (folder / "rules" / f"{model}.yaml").is_file()


def test_names_reach_the_policy_as_they_were_given(folder: Path):
    run("init", "--owner", "no", "--target", "is it?", "--time", "2013", "--source", 'a"b\\c')

    path = folder / "rules" / "my-model.yaml"
    policy = load_policy(path.read_bytes(), "p.yaml")

    assert (policy.owner, policy.data.target, policy.data.time) == ("no", "is it?", "2013")
    assert policy.data.source == 'a"b\\c'
    assert path.read_text().startswith("# yaml-language-server: $schema=policy.schema.json\n")


def test_the_training_function_is_where_the_policy_says(folder: Path):
    run("init", "--model", "7days", "--target", 'a"b')

    policy = load_policy((folder / "rules" / "7days.yaml").read_bytes(), "p.yaml")
    module, _, function = (policy.train.recipes[0].entrypoint or "").partition(":")
    path = folder / f"{module.replace('.', '/')}.py"

    names: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert callable(names[function])
    assert names["TARGET"] == 'a"b'


@pytest.mark.parametrize(
    "path",
    [".github/workflows/rules.yml", ".pre-commit-config.yaml"],
    ids=["workflow", "pre-commit"],
)
def test_ci_files_are_yaml(folder: Path, path: str):
    run("init")

    assert isinstance(yaml.safe_load((folder / path).read_text()), dict)


def test_nothing_is_overwritten_without_force(folder: Path):
    run("init")
    policy = folder / "rules" / "my-model.yaml"
    policy.write_text("mine")
    (folder / ".pre-commit-config.yaml").unlink()

    again = run("init")

    assert again.exit_code == 4
    assert "rules/my-model.yaml" in again.output
    assert policy.read_text() == "mine"
    assert not (folder / ".pre-commit-config.yaml").exists()
    assert run("init", "--force").exit_code == 0
    assert policy.read_text() != "mine"


def test_a_name_that_no_policy_can_have_is_refused(folder: Path):
    result = run("init", "--model", "my model")

    assert result.exit_code == 2
    assert "my model" in result.output
    assert list(folder.iterdir()) == []
