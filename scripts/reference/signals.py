"""`docs/reference/signals.md`, from the declarations of :mod:`controller.domain.payloads`."""

from __future__ import annotations

from collections.abc import Iterator

from controller.domain.payloads.bounds import DEEPEST, WIDEST
from controller.domain.payloads.kinds import DECLARATIONS, FREE, Declaration
from scripts.reference.tables import MADE, code, table

_INTRODUCTION = f"""\
# What a signal says

{MADE}

Each kind of signal has a payload with these fields, whatever door it comes through: the API, CloudEvents, the command
line, the MLflow surface, a worker, or a source of Incumbent's own. A signal that says anything else is refused with the
name of the field (HTTP 422, exit code 2), and is not kept. Below `{FREE}` anything may stand: nobody interprets it.

A payload holds JSON: finite numbers, integers of up to {WIDEST} bits, Unicode text without NUL, up to {DEEPEST} levels.
"""


def signals_page() -> str:
    """Every kind: its fields, what each holds, and the bounds of the whole."""
    lines = [_INTRODUCTION]
    for kind, declaration in DECLARATIONS.items():
        lines += [f"## {kind.value}", "", _bounds(declaration), ""]
        lines += table(("field", "must be there", "what it holds"), _rows(declaration))
    return "\n".join(lines)


def _bounds(declaration: Declaration) -> str:
    bounds = declaration.bounds
    return f"Up to {bounds.size // 1024:,} KiB in {bounds.values:,} values."


def _rows(declaration: Declaration) -> Iterator[tuple[str, str, str]]:
    for name, field in declaration.fields.items():
        must = "yes" if name in declaration.required else ""
        yield code(name), must, field.expected
