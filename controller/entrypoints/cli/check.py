"""`incumbent check`: are these rules whole, and is what they say wise? Offline, and in the wink of an eye."""

from __future__ import annotations

from pathlib import Path

import click

CHECK_FORMATS = ("text", "json", "github", "sarif")


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "shape",
    type=click.Choice(CHECK_FORMATS),
    default="text",
    show_default=True,
    help="How findings are printed.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="Advice counts as well.")
@click.pass_context
def check(
    ctx: click.Context, paths: tuple[Path, ...], shape: str, as_json: bool, strict: bool
) -> None:
    """Check policies: every mistake at once, and what is legal and dangerous.

    PATHS are policies or folders of them; without any, the folder `rules`. Exit code 0: good, 1: refused.
    """
    from controller.domain.errors import NotFound
    from controller.entrypoints.cli.annotations import ANNOTATION_FORMATS as PRINTERS
    from controller.rulefmt.check import check_texts
    from controller.rulefmt.files import is_test, rule_files
    from controller.rulefmt.parse import read_policy_text

    files = [f for f in rule_files(paths or (Path("rules"),)) if not is_test(f)]
    if not files:
        raise NotFound("There is no policy here.", hint="Name a file or a folder of policies.")
    checked = check_texts((str(file), read_policy_text(file)) for file in files)
    printed = PRINTERS["json" if as_json else shape](checked, strict=strict)
    if printed:
        click.echo(printed)
    ctx.exit(1 if checked.refuses(strict=strict) else 0)
