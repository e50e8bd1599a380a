"""The root of the `incumbent` command.

It knows every command by name and imports none of them: a command's module is loaded when the
command runs, so that a trivial one answers in well below 150 ms.
"""

from __future__ import annotations

import importlib

import click

from controller import __version__

# name -> ("module:attribute", one line for `incumbent --help`). The line stands here because
# reading it from the command would import all of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("controller.entrypoints.cli.check:check", "Check policies."),
    "test": ("controller.entrypoints.cli.test:test", "Run rule tests in simulated time."),
    "schema": ("controller.entrypoints.cli.schema:schema", "The policy format as JSON Schema."),
}


class LazyGroup(click.Group):
    """A click group that imports a command when it is called for.

    `lazy` maps the name of a command to `("module:attribute", "its line in the help")`.
    """

    lazy: dict[str, tuple[str, str]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `lazy`, then those that were added with a decorator."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None if there is none of that name."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing them."""
        rows = [(name, line) for name, (_, line) in self.lazy.items()]
        for name in super().list_commands(ctx):
            command = super().get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(formatter.width)))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class RootGroup(LazyGroup):
    """`incumbent` itself."""

    lazy = COMMANDS


@click.group(cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="incumbent")
def main() -> None:
    """Continuous training: every model must defend its seat."""
