"""The root of the `incumbent` command.

It knows every command by name and imports none of them: a command's module is loaded when the
command runs, so that a trivial one answers in well below 150 ms.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from controller import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name -> ("module:attribute", one line for `incumbent --help`). The line stands here because
# reading it from the command would import all of them.
_CLI = "controller.entrypoints.cli"
COMMANDS: dict[str, tuple[str, str]] = {
    "init": (f"{_CLI}.init:init", "Rules to begin with."),
    "check": (f"{_CLI}.check:check", "Check policies."),
    "test": (f"{_CLI}.test:test", "Run rule tests in simulated time."),
    "plan": (f"{_CLI}.plan:plan", "What a change of rules would have decided."),
    "backtest": (f"{_CLI}.backtest:backtest", "A policy over a series, in simulated time."),
    "schema": (f"{_CLI}.schema:schema", "The policy format as JSON Schema."),
    "demo": (f"{_CLI}.demo:demo", "A year of real flights through the controller."),
    "up": (f"{_CLI}.up:up", "Run controller, worker and broker as one tree."),
    "api": (f"{_CLI}.api:api", "Serve the page and the API."),
    "page": (f"{_CLI}.api:page", "A link to the page that logs you in once."),
    "token": (f"{_CLI}.token:token", "Tokens of the API."),
    "controller": (f"{_CLI}.up:controller_command", "Run a controller without a worker."),
    "worker": (f"{_CLI}.up:worker", "Run a worker."),
    "signal": (f"{_CLI}.signal:signal", "Ask for a training, or tell of an event."),
    "status": (f"{_CLI}.status:status", "Champions, running work, what waits, what went wrong."),
    "runs": (f"{_CLI}.runs:runs", "Trainings and evaluations."),
    "signals": (f"{_CLI}.signals:signals", "What happened, and what became of it."),
    "decisions": (f"{_CLI}.decisions:decisions", "What was decided."),
    "explain": (f"{_CLI}.explain:explain", "Why: one screen about one decision."),
    "verify": (f"{_CLI}.verify:verify", "Derive decisions again, and check their chain."),
    "audit": (f"{_CLI}.audit:audit", "Who was champion when, and on whose word."),
    "lineage": (f"{_CLI}.audit:lineage", "Where a version comes from."),
    "anchor": (f"{_CLI}.audit:anchor", "Keep the chain's head outside, and check by it."),
    "versions": (f"{_CLI}.versions:versions", "A model's versions."),
    "search": (f"{_CLI}.versions:search_command", "Versions by state, metric, tag, data, date."),
    "resolve": (f"{_CLI}.consumers:resolve_command", "What a name stands for; takes a lease."),
    "consumers": (f"{_CLI}.consumers:consumers", "Who uses which version."),
    "pull": (f"{_CLI}.pull:pull", "Download a version's artifact."),
    "retention": (f"{_CLI}.retention:retention", "Let archived artifacts leave."),
    "alias": (f"{_CLI}.version_commands:alias", "Names that point at versions."),
    "tag": (f"{_CLI}.version_commands:tag", "Tags of models and versions."),
    "describe": (f"{_CLI}.version_commands:describe", "Their descriptions."),
    "deprecate": (f"{_CLI}.version_commands:deprecate", "Set a date by which consumers move."),
    "archive": (f"{_CLI}.version_commands:archive", "End a version that nobody needs."),
    "revive": (f"{_CLI}.version_commands:revive", "Bring a version back."),
    "approve": (f"{_CLI}.approve:approve", "Approve a challenger that waits for it."),
    "withdraw": (f"{_CLI}.approve:withdraw", "Take your approval back."),
    "delegate": (f"{_CLI}.delegate:delegate", "Who approves in whose place."),
    "reject": (f"{_CLI}.approve:reject", "Send a challenger away."),
    "promote": (f"{_CLI}.promote:promote", "Promote a version by hand."),
    "rollback": (f"{_CLI}.rollback:rollback", "Take the champion back."),
    "drill": (f"{_CLI}.rollback:drill", "Prove that the champion could be taken back."),
    "hold": (f"{_CLI}.hold:hold", "Put automatic promotion on hold."),
    "release": (f"{_CLI}.hold:release", "End a hold."),
    "import": (f"{_CLI}.transfer:import_", "Models of an MLflow server, into our registry."),
    "export": (f"{_CLI}.transfer:export", "Models of ours, to an MLflow server."),
    "notify": (f"{_CLI}.notify:notify", "What was told to whom; send it again."),
    "silence": (f"{_CLI}.silence:silence", "Hear nothing of something for a while."),
    "drift": (f"{_CLI}.drift:drift", "How the data moved, and how the champion does since."),
    "review": (f"{_CLI}.review:review", "Approve rules, and see what is proven about them."),
    "backup": (f"{_CLI}.backup:backup", "Copy database and artifacts, while everything runs."),
    "restore": (f"{_CLI}.backup:restore", "Fill an empty installation from a backup."),
    "support-bundle": (
        f"{_CLI}.support:support_bundle",
        "What helps others to help, without secrets.",
    ),
    "grants": (f"{_CLI}.grants:grants", "SQL for a role that owns nothing."),
    "doctor": (f"{_CLI}.doctor:doctor", "What is wrong with this installation."),
    "config": (f"{_CLI}.config:config", "The settings, and where each comes from."),
    "completion": (f"{_CLI}.completion:completion", "Teach your shell the words."),
}

SECTIONS: dict[str, tuple[str, ...]] = {
    "Rules": ("init", "check", "test", "plan", "backtest", "review", "schema"),
    "Run it": ("up", "controller", "worker", "api", "demo"),
    "See": (
        "status",
        "explain",
        "decisions",
        "signals",
        "runs",
        "versions",
        "search",
        "drift",
        "page",
    ),
    "Act": (
        "signal",
        "approve",
        "withdraw",
        "delegate",
        "reject",
        "promote",
        "rollback",
        "drill",
        "hold",
        "release",
        "silence",
    ),
    "Use": (
        "resolve",
        "pull",
        "consumers",
        "alias",
        "tag",
        "describe",
        "deprecate",
        "archive",
        "revive",
        "retention",
    ),
    "Answer for it": ("verify", "audit", "lineage", "anchor"),
    "Operate": (
        "doctor",
        "config",
        "notify",
        "token",
        "backup",
        "restore",
        "import",
        "export",
        "support-bundle",
        "completion",
        "grants",
    ),
}
"""The headings of `incumbent --help`, and what stands below each; tests hold that nothing is left out."""


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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What may come next, without importing the commands: a key press waits for this."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=line)
            for name, (_, line) in self.lazy.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

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
    """`incumbent` itself. Whatever goes wrong below ends in one sentence and the exit code that belongs to it."""

    lazy = COMMANDS

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands below the headings of what people come for."""
        del ctx
        width = max(map(len, COMMANDS))
        for heading, names in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), COMMANDS[name][1]) for name in names])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """What click does, with our own ending (:mod:`controller.entrypoints.cli.failures`)."""
        run = functools.partial(
            super().main, args, prog_name, complete_var, standalone_mode=False, **extra
        )
        if not standalone_mode:
            return run()
        from controller.entrypoints.cli.failures import run_command

        sys.exit(run_command(run, as_json="--json" in (sys.argv[1:] if args is None else args)))


class DefaultGroup(click.Group):
    """A group that takes `list` where no subcommand is named: `incumbent runs --json` lists them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `list` before words that name no subcommand of this group."""
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)  # a shell asks what may come next
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="incumbent")
def main() -> None:
    """Continuous training: every model must defend its seat."""
