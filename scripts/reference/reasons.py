"""`docs/reference/reasons.md`, from the registry of reasons."""

from __future__ import annotations

from controller.policy.reasons.registry import REASONS
from scripts.reference.tables import MADE, code, table

_INTRODUCTION = f"""\
# Reasons to act

{MADE}

`decide` asks these reasons about a model, in this order. The first that wants to act decides, and the others wait until
the next look at the model. Each that has something to say is part of the decision's tree, whether it acts or not.
"""


def reasons_page() -> str:
    """Every reason: what it does, why it stands there, what it may decide."""
    rows = [
        (
            str(at),
            code(reason.key),
            f"{reason.doc} ({reason.rank})",
            ", ".join(sorted(verdict.value for verdict in reason.verdicts)),
            "yes" if reason.at_rest else "",
        )
        for at, reason in enumerate(REASONS, start=1)
    ]
    head = ("", "reason", "what it does, and why it is asked there", "verdicts", "when stopped")
    note = "*When stopped*: it is also asked about a model that is stopped by an error.\n"
    return "\n".join([_INTRODUCTION, *table(head, rows), note])
