"""Runs every lint over a policy, and those that look at several policies together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.domain.rules import Policy
from controller.rulefmt.lints import data, gates, triggers
from controller.rulefmt.lints.shape import Hit, Lint
from controller.rulefmt.problems import Note, did_you_mean


@dataclass(frozen=True, slots=True)
class Linted:
    """A policy with the file that it came from."""

    path: str
    policy: Policy
    text: str


SAME_MODEL = Lint(
    name="same-model-twice",
    severity="danger",
    stops="Two files that govern one model undo each other's decisions.",
    look=lambda _: (),
)
UNUSED_SILENCE = Lint(
    name="unused-silence",
    severity="advice",
    stops="A silence that outlived its reason hides the next finding of that name.",
    look=lambda _: (),
)
LINTS: tuple[Lint, ...] = (
    *gates.GATE_LINTS,
    *data.DATA_LINTS,
    *triggers.TRIGGER_LINTS,
    SAME_MODEL,
    UNUSED_SILENCE,
)


def known_lints() -> Mapping[str, Lint]:
    """Every lint by its name."""
    return {entry.name: entry for entry in LINTS}


def lint(policy: Policy, text: str, path: str = "") -> tuple[Note, ...]:
    """All findings of one policy, silenced ones among them, in the order of the text."""
    linted = Linted(path, policy, text)
    found = [_finding(linted, entry, hit) for entry in LINTS for hit in entry.look(policy)]
    used = {finding.code for finding in found}
    found += [_finding(linted, UNUSED_SILENCE, hit) for hit in _unused(policy, used)]
    return tuple(sorted(found, key=lambda f: (f.line, f.col, f.code)))


def lint_together(policies: Iterable[Linted]) -> tuple[Note, ...]:
    """Findings that no file shows alone: the same model in two of them."""
    first: dict[str, Linted] = {}
    found: list[Note] = []
    for linted in policies:
        other = first.setdefault(linted.policy.model, linted)
        if other is not linted:
            message = f"model `{linted.policy.model}` has a policy already, {other.path}"
            line = next(
                (n for n, row in enumerate(linted.text.splitlines(), 1) if row.startswith("model")),
                1,
            )
            found.append(_finding(linted, SAME_MODEL, Hit(line, message, "merge them")))
    return tuple(found)


def _unused(policy: Policy, used: set[str]) -> Iterable[Hit]:
    names = known_lints()
    for silenced in policy.silenced:
        if silenced.lint not in names:
            hint = did_you_mean(silenced.lint, names)
            yield Hit(silenced.line, f"there is no lint `{silenced.lint}` to silence", hint)
        elif silenced.lint not in used and silenced.lint != SAME_MODEL.name:
            message = f"`{silenced.lint}` finds nothing here, its silence is not needed"
            yield Hit(silenced.line, message, "delete it")


def _finding(linted: Linted, entry: Lint, hit: Hit) -> Note:
    reasons = {s.lint: s.reason for s in linted.policy.silenced}
    line = max(hit.line, 1)
    rows = linted.text.splitlines()
    row = rows[line - 1] if line <= len(rows) else ""
    col = len(row) - len(row.lstrip(" -")) + 1 if row.strip() else 1
    return Note(
        linted.path,
        line,
        col,
        entry.name,
        entry.severity,
        hit.message,
        hit.hint,
        entry.stops,
        reasons.get(entry.name, ""),
    )
