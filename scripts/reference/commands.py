"""`docs/reference/commands.md`, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from controller.entrypoints.cli.main import SECTIONS, main
from scripts.reference.tables import MADE, code, table

_INTRODUCTION = f"""\
# Commands

{MADE}

Data go to stdout, progress and warnings to stderr. What reads takes `--json`. What changes something shows its plan,
asks where it runs on a terminal (`--yes` answers), and takes a `--reason`. `incumbent COMMAND --help` says the same as
this page; `incumbent completion SHELL` teaches bash, zsh or fish the words.

| exit code | means |
|---|---|
| 0 | good |
| 1 | a negative answer: a failing rule test, a refused policy, a record that does not hold |
| 2 | wrong use |
| 3 | not found |
| 4 | a conflict: something changed in between |
| 5 | the system could not answer |
| 130 | interrupted |
"""


def commands_page() -> str:
    """Every command with its arguments and options, in the sections of `incumbent --help`."""
    lines = [_INTRODUCTION]
    context = click.Context(main, info_name="incumbent")
    for heading, names in SECTIONS.items():
        lines += [f"## {heading}", ""]
        for name in names:
            command = main.get_command(context, name)
            if command is None:
                raise KeyError(f"the section {heading} names {name}, which is no command")
            lines += _command(command, context, name)
    return "\n".join(lines)


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    if command.hidden:
        return
    depth = "###" if parent.parent is None else "####"
    yield from (f"{depth} {context.command_path}", "")
    yield from ("```text", command.get_usage(context).removeprefix("Usage: "), "```", "")
    yield from (_paragraphs(command.help or ""), "")
    rows = [row for one in command.get_params(context) if (row := _option(one, context))]
    if rows:
        yield from table(("option", "default", "what for"), rows)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from _command(found, context, below)


def _paragraphs(text: str) -> str:
    r"""Markdown of a help text, where `\b` keeps the lines of a paragraph as they are."""
    parts = []
    for part in inspect.cleandoc(text.replace("\f", "")).split("\n\n"):
        kept = part.startswith("\b")
        parts.append(f"```text\n{part[1:].strip(chr(10))}\n```" if kept else part)
    return "\n\n".join(parts)


def _option(parameter: click.Parameter, context: click.Context) -> tuple[str, str, str] | None:
    record = parameter.get_help_record(context)
    if record is None or not isinstance(parameter, click.Option) or "--help" in parameter.opts:
        return None
    names = ", ".join(code(name) for name in (*parameter.opts, *parameter.secondary_opts))
    kind = "" if parameter.is_flag or parameter.count else parameter.make_metavar(context)
    extra = parameter.get_help_extra(context)
    default = extra.get("default", "")
    meaning = (parameter.help or "").strip()
    limits = extra.get("range", "")
    again = " May be repeated." if parameter.multiple and "repeat" not in meaning else ""
    return (
        f"{names} {code(kind)}".strip(),
        code(default) if default else "",
        meaning + (f" `{limits}`" if limits else "") + again,
    )
