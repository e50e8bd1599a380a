"""Completion, asked of a real bash as a key press asks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from controller.entrypoints.cli.main import COMMANDS, main

ASK = """
eval "$(incumbent completion bash)"
COMP_WORDS=({words} "{begun}")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
$(complete -p incumbent | sed 's/.*-F \\([^ ]*\\).*/\\1/') incumbent
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def bash(words: str, begun: str) -> list[str]:
    """What bash offers for the word `begun` after `words`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK.format(words=words, begun=begun)],
        env={"PATH": path, "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        ("incumbent", "ver", ["verify", "versions"]),
        ("incumbent runs", "re", ["retry"]),
        ("incumbent verify", "--al", ["--all"]),
        ("incumbent check --format", "s", ["sarif"]),
        ("incumbent", "nonsense", []),
    ],
    ids=["a command", "a subcommand", "an option", "a value of an option", "nothing fits"],
)
def test_bash_completes(words: str, begun: str, offered: list[str]):
    assert bash(words, begun) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_our_command(shell: str):
    result = CliRunner().invoke(main, ["completion", shell])

    assert result.exit_code == 0
    assert f"_INCUMBENT_COMPLETE={shell}_complete" in result.output
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n"], input=result.output, text=True, check=True, timeout=60)


def test_an_unknown_shell_is_wrong_use():
    result = CliRunner().invoke(main, ["completion", "tcsh"])

    assert result.exit_code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.output


def test_the_commands_are_offered_without_importing_them():
    before = set(sys.modules)

    offered = main.shell_complete(click.Context(main), "")

    assert {item.value for item in offered} == set(COMMANDS)
    assert not {name for name in set(sys.modules) - before if ".cli." in name}
