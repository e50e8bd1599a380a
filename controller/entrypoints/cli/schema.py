"""`incumbent schema`: the policy format as JSON Schema, for editors."""

from __future__ import annotations

import click


@click.command("schema")
@click.option("--markdown", is_flag=True, help="The reference page instead.")
def schema(markdown: bool) -> None:
    """Print the policy format as JSON Schema.

    Editors with the YAML language server check a policy while you type when its first line is
    `# yaml-language-server: $schema=policy.schema.json`.
    """
    import json

    from controller.rulefmt.reference import json_schema, reference_markdown

    click.echo(reference_markdown() if markdown else json.dumps(json_schema(), indent=1))
