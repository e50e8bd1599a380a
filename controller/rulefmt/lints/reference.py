"""The page `docs/reference/lints.md`, made from the lints themselves."""

from __future__ import annotations

from controller.rulefmt.lints.run import LINTS

_INTRODUCTION = """\
# Lints of `incumbent check`

<!-- Made by `controller.rulefmt.lints.reference`. Do not edit. -->

What is legal and dangerous all the same. A *danger* makes `incumbent check` answer no (exit code 1); an
*advice* is shown, and counts with `--strict`. A policy silences a lint with a reason that its
reviewers read:

```yaml
allow:
  - {lint: no-owner, reason: "a demonstration, nobody is called at night"}
```

| lint | | what it stops |
|---|---|---|
"""


def lints_markdown() -> str:
    """The page, one row a lint."""
    rows = [f"| `{entry.name}` | {entry.severity} | {entry.stops} |" for entry in LINTS]
    return _INTRODUCTION + "\n".join(rows) + "\n"
