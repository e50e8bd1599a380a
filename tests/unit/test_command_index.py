from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from controller.entrypoints.cli.main import COMMANDS, SECTIONS, LazyGroup, main

PLANTED = """
import click

@click.command()
def hello():
    "Says hello."
    click.echo("hello")

not_a_command = 3
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "planted_command.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "planted_command", raising=False)
    return "planted_command"


def group(target: str) -> LazyGroup:
    found = LazyGroup(name="root")
    found.lazy = {"hello": (target, "one line of help")}
    return found


def test_every_command_of_the_index_is_there_under_its_name() -> None:
    context = click.Context(main)

    for name, (target, line) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None, target
        assert command.name == name, f"{target} calls itself {command.name}"
        assert line, f"{name} has no line in the help"
        assert "\n" not in line


def test_every_command_stands_below_one_heading_of_the_help() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)


def test_the_help_shows_the_headings_and_every_command() -> None:
    said = CliRunner().invoke(main, ["--help"]).output

    assert [line for line in said.splitlines() if line.endswith(":")][1:] == [
        f"{heading}:" for heading in SECTIONS
    ]
    for name, (_, line) in COMMANDS.items():
        assert f"  {name} " in said, said
        assert line in said


def test_the_help_names_a_command_without_importing_it(planted: str) -> None:
    result = CliRunner().invoke(group(f"{planted}:hello"), ["--help"])

    assert result.exit_code == 0
    assert "one line of help" in result.output
    assert planted not in sys.modules


def test_a_command_is_imported_when_it_runs(planted: str) -> None:
    result = CliRunner().invoke(group(f"{planted}:hello"), ["hello"])

    assert result.output == "hello\n"
    assert planted in sys.modules


def test_an_unknown_command_is_wrong_use(planted: str) -> None:
    result = CliRunner().invoke(group(f"{planted}:hello"), ["helo"])

    assert result.exit_code == 2
    assert "No such command 'helo'" in result.output


def test_an_index_entry_that_is_no_command_is_named(planted: str) -> None:
    with pytest.raises(TypeError, match="planted_command:not_a_command is not a click command"):
        group(f"{planted}:not_a_command").get_command(click.Context(main), "hello")
