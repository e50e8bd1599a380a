"""`incumbent init`: a model's rules to begin with, that pass `check` and `test` as they are."""

from __future__ import annotations

from pathlib import Path

import click

INIT_FOLDER = Path(__file__).parent / "init_files"
CI_FILES = {"github": ".github/workflows/rules.yml", "gitlab": ".gitlab-ci.yml"}


def _valid_model(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    import re

    from controller.domain.rules.vocabulary import MODEL_NAME_TEXT

    if not re.fullmatch(MODEL_NAME_TEXT.pattern, value) or len(value) > MODEL_NAME_TEXT.longest:
        raise click.BadParameter(f"{value!r} is not {MODEL_NAME_TEXT.says}.")
    return value


@click.command("init")
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--model", default="my-model", show_default=True, callback=_valid_model, help="Its name."
)
@click.option("--owner", default="my-team", show_default=True, help="Who answers for it.")
@click.option("--source", default="data/*.parquet", show_default=True, help="Where its data are.")
@click.option("--target", default="target", show_default=True, help="The column to predict.")
@click.option("--time", "time", default="time", show_default=True, help="When a row happened.")
@click.option(
    "--ci",
    type=click.Choice([*CI_FILES, "none"]),
    default="github",
    show_default=True,
    help="Whose CI checks the rules.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init(folder: Path, *, model: str, ci: str, force: bool, **words: str) -> None:
    """Write a policy, its test, a training function and the checks of a repository into FOLDER."""
    from controller.domain.errors import Conflict

    files = _files(model, ci, words)
    there = sorted(name for name in files if (folder / name).exists())
    if there and not force:
        raise Conflict(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already; nothing was written.",
            hint="--force overwrites.",
        )
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")
    click.echo(
        "Next: `incumbent check`, `incumbent test`, then put data where the policy looks.", err=True
    )


def _files(model: str, ci: str, words: dict[str, str]) -> dict[str, str]:
    """What is written: the path of each file, and its text."""
    import json
    import re
    from string import Template

    from controller import __version__
    from controller.rulefmt.comments import commented
    from controller.rulefmt.reference import json_schema

    name = re.sub(r"\W", "_", model)
    module = f"models.{name if name[0].isalpha() else f'model_{name}'}"
    quoted = {key: _yaml_text(value, always=key == "source") for key, value in words.items()}
    known = {
        "model": model,
        "module": module,
        "version": f">={__version__}" if "dev" not in __version__ else "",
    }

    def fill(template: str, values: dict[str, str]) -> str:
        text = (INIT_FOLDER / f"{template}.txt").read_text(encoding="utf-8")
        return Template(text).substitute(known | values)

    files = {
        f"rules/{model}.yaml": commented(fill("policy.yaml", quoted)),
        f"rules/{model}.test.yaml": fill("policy.test.yaml", quoted),
        "rules/policy.schema.json": json.dumps(json_schema(), indent=1) + "\n",
        f"{module.replace('.', '/')}.py": fill("training.py", _python_texts(words)),
        ".pre-commit-config.yaml": fill("pre-commit.yaml", quoted),
    }
    if ci in CI_FILES:
        files[CI_FILES[ci]] = fill(f"{ci}.yml", quoted)
    return files


def _yaml_text(value: str, *, always: bool = False) -> str:
    """A value as it stands in the template: bare where every reader of YAML takes it for this text."""
    import json
    import re

    from controller.rulefmt import scalars

    quoted = json.dumps(value, ensure_ascii=False)
    if always:
        return quoted[1:-1]
    plain = re.fullmatch(r"[A-Za-z_][\w.-]*", value) and not scalars.trap(value)
    known = scalars.truth(value) is not None or scalars.is_null(value)
    return value if plain and not known else quoted


def _python_texts(words: dict[str, str]) -> dict[str, str]:
    return {key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in words.items()}
