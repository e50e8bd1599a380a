"""What the documents tell people to type is there: targets, benchmarks, commands, options, files, links."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmarks.__main__ import INDEX
from controller.entrypoints.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "decisions" not in page.parts),
]
HISTORY = {"CHANGELOG.md"}  # says what was
TARGETS = {
    name
    for line in re.findall(r"^([\w. -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in line.split()
}


def by_path(page: Path) -> str:
    return str(page.relative_to(ROOT))


def typed(text: str) -> Iterator[str]:
    """Lines after a prompt, and code within a sentence."""
    blocks = re.findall(r"^```(?:console|sh|bash)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        joined = re.sub(r"\\\n\s*", " ", block)
        yield from re.findall(r"^\$ (.*)$", joined, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose))


def each(page: Path, program: str) -> Iterator[list[str]]:
    """The words after `program`, wherever it is typed; what a shell would not read is left out."""
    for line in typed(page.read_text(encoding="utf-8")):
        for part in re.split(r"&&|\|(?!\|)|;", line.split("  #")[0]):
            try:
                words = shlex.split(part.strip(), comments=True)
            except ValueError:
                continue
            while words and "=" in words[0] and not words[0].startswith("-"):
                words = words[1:]
            if words and words[0].removeprefix(".venv/bin/") == program:
                yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_the_targets_and_benchmarks_are_there(page: Path):
    if page.name in HISTORY:
        return
    for words in each(page, "make"):
        for word in words:
            if "=" not in word and re.fullmatch(r"[a-z.-]+", word) and not word.startswith("-"):
                assert word in TARGETS, f"make {' '.join(words)}"
            if word.startswith("ARGS=") and words[0] == "bench":
                assert word[5:].split()[0] in INDEX, f"make {' '.join(words)}"
    for words in each(page, "python"):
        if words[:1] == ["-m"] and words[1].split(".")[0] in {"benchmarks", "tests", "scripts"}:
            assert importlib.util.find_spec(words[1]), f"python -m {words[1]}"


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_the_commands_and_options_are_there(page: Path):
    if page.name in HISTORY:
        return
    wrong = [
        f"incumbent {' '.join(words)}: {problem}"
        for words in each(page, "incumbent")
        if (problem := _problem(words))
    ]
    assert wrong == []


def _problem(words: list[str]) -> str:
    """What is wrong with a call of ours, as far as its words tell; empty for nothing."""
    command: click.Command = main
    context = click.Context(main)
    words = list(words)
    while isinstance(command, click.Group) and words:
        if not re.fullmatch(r"[a-z-]+", words[0]) or words[0].startswith("-"):
            break
        found = command.get_command(context, words[0])
        if found is None:
            if command is main:
                return f"there is no command {words[0]}"
            break
        command, words = found, words[1:]
        context = click.Context(command, parent=context)
    commands = [command]
    if isinstance(command, click.Group) and (listing := command.get_command(context, "list")):
        commands.append(listing)  # `incumbent runs --json`
    known = {"--help", "-h", "--version"} | {
        option
        for one in commands
        for parameter in one.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        name = word.partition("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", name) and name not in known:
            return f"{context.command.name} has no option {name}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_the_files_and_links_are_there(page: Path):
    if page.name in HISTORY:
        return
    text = page.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:tests|benchmarks|scripts|docs|deploy|controller|workers|examples|ci|locks)/[\w./-]+)`",
        text,
    )
    missing = [
        name
        for name in named
        if "NNNN" not in name  # the pattern of a record's name
        and not (ROOT / name.rstrip("/")).exists()
        and not (ROOT / f"{name}.py").exists()  # a module
    ]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"`[^`]*`", "", prose))
    missing += [
        link
        for link in links
        if "://" not in link
        and not link.startswith("mailto:")
        and not (page.parent / link).exists()
    ]
    assert missing == []


def test_a_wrong_call_is_found():
    assert _problem(["verfy"]) == "there is no command verfy"
    assert _problem(["verify", "--evidnce", "6"]) == "verify has no option --evidnce"
    assert _problem(["runs", "--json"]) == ""
    assert _problem(["runs", "retry", "--nonsense"]) == "retry has no option --nonsense"
