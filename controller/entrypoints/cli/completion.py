"""`incumbent completion SHELL`: what a shell needs to complete our words."""

from __future__ import annotations

import click

VARIABLE = "_INCUMBENT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what teaches SHELL to complete commands, options and their values.

    \b
      bash  incumbent completion bash > ~/.local/share/bash-completion/completions/incumbent
      zsh   incumbent completion zsh > "${fpath[1]}/_incumbent"
      fish  incumbent completion fish > ~/.config/fish/completions/incumbent.fish
    """  # noqa: D301 - click's mark for lines that stay as they are
    from click.shell_completion import get_completion_class

    from controller.entrypoints.cli.main import main

    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - click knows the three
        raise click.UsageError(f"{shell} is not known.")
    words = found(main, {}, "incumbent", VARIABLE)
    # `source()` of bash starts bash to look at its version; the text is the same.
    click.echo(words.source_template % words.source_vars())
