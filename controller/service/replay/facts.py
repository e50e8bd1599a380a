"""The registry's facts as the log made them: every move, alias, hold, sunset and removal follows from a decision.

Facts carry no hash of their own. What a decision does is part of its record, so the chain of decisions covers the
facts: here each one is derived again from the record that it names, and held against the row. A row that no decision
made, one that is missing, and one that says something else are found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.domain.canonical import canonical_json, digest, parse_time
from controller.ports import Transaction

_Line = tuple[int, str]
"""A decision, and one fact of it as canonical JSON."""


@dataclass(slots=True)
class Facts:
    """Feed it every decision, oldest first, then ask for what the registry holds otherwise."""

    _expected: dict[str, Counter[_Line]] = field(default_factory=dict)
    """Model -> what its books must hold. A fact is kept as a digest, so that a long log needs little room."""
    _sunsets: dict[tuple[str, int], tuple[int, Any]] = field(default_factory=dict)

    def feed(self, decision: int, actor: str, body: Mapping[str, Any]) -> None:
        """One decision, as the log holds it."""
        model, at = body["model"], body["decided_at"]
        lines = self._expected.setdefault(model, Counter())
        leaving: Mapping[str, Any] | None = None
        for action in body["actions"]:
            kind = action["kind"]
            if kind == "register_version":
                born = (action["version"], None, "candidate", "system", "It was trained.", at)
                lines[_line(decision, "move", *born)] += 1
            elif kind == "move_version" and action["before"] == "champion":
                leaving = action
            elif kind == "move_version":
                lines[_moved(decision, action, actor, at)] += 1
            elif kind == "set_champion":
                by = "system" if leaving is None else actor
                if leaving is not None:
                    lines[_moved(decision, leaving, actor, at)] += 1
                seated = (action["version"], "champion", by, action["reason"], at)
                lines[_line(decision, "seat", *seated)] += 1
            else:
                self._book(decision, model, actor, action, at)

    def _book(
        self, decision: int, model: str, actor: str, action: Mapping[str, Any], at: Any
    ) -> None:
        lines, kind = self._expected[model], action["kind"]
        if kind == "set_alias":
            generation = action["generation"] + 1
            said = (action["alias"], generation, action["version"], action["previous"], actor)
            lines[_line(decision, "alias", *said, action["reason"], at)] += 1
        elif kind == "keep_version":
            kept = (action["version"], action["actor"], action["reason"], at)
            lines[_line(0, "keep", *kept)] += 1
        elif kind == "let_go":
            lines[_line(0, "let go", action["version"], at)] += 1
        elif kind == "remove_artifact":
            lines[_line(decision, "remove", action["version"], action["digest"], at)] += 1
        elif kind == "record_approval":
            word = action.get("word") or ("approve" if action["agrees"] else "reject")
            voted = (action["version"], action["actor"], action["agrees"], action["evidence"])
            behalf = action.get("behalf") or ""
            lines[_line(0, "approval", *voted, action["reason"], word, behalf, at)] += 1
        elif kind == "set_sunset":
            self._sunsets[model, action["version"]] = (decision, action["at"])

    def strays(self, tx: Transaction) -> Iterator[tuple[int, str]]:
        """The decision and a sentence for each fact that is missing or that no decision made."""
        last, _ = tx.decisions.head()
        for model in sorted(self._expected.keys() | {s.model for s in tx.models.all()}):
            held: Counter[_Line] = Counter(_held(tx, model))
            expected = self._expected.get(model, Counter())
            for number, _ in sorted((expected - held).elements()):
                yield (
                    number or last,
                    f"A fact of {model} that decision {number or last} made is missing or changed.",
                )
            for number, _ in sorted((held - expected).elements()):
                yield (
                    number or last,
                    f"{model} holds a fact that names decision {number or last}, which did not make it.",
                )
            yield from self._dates(tx, model, last)

    def _dates(self, tx: Transaction, model: str, last: int) -> Iterator[tuple[int, str]]:
        for version in tx.registry.versions(model):
            decision, wanted = self._sunsets.get((model, version.number), (last, None))
            moment = parse_time(wanted) if wanted else None
            if version.sunset != moment:
                yield (
                    decision,
                    f"The sunset of {model} v{version.number} is not what decision {decision} set.",
                )


def _held(tx: Transaction, model: str) -> Iterator[_Line]:
    for fact in tx.facts.of(model):
        if fact.after.value == "champion":
            seated = (fact.version, "champion", fact.actor, fact.reason, fact.at)
            yield _line(fact.decision, "seat", *seated)
        else:
            said = (fact.version, fact.before, fact.after, fact.actor, fact.reason, fact.at)
            yield _line(fact.decision, "move", *said)
    for move in tx.aliases.moves(model):
        pointed = (move.name, move.generation, move.version, move.previous, move.actor)
        yield _line(move.decision, "alias", *pointed, move.reason, move.at)
    for keep in tx.keeps.of(model, lifted=True):
        yield _line(0, "keep", keep.version, keep.actor, keep.reason, keep.since)
        if keep.lifted_at is not None:
            yield _line(0, "let go", keep.version, keep.lifted_at)
    for one in tx.models.approvals(model):
        voted = (one.version, one.actor, one.agrees, one.evidence, one.reason)
        yield _line(0, "approval", *voted, one.word, one.behalf, one.at)
    for removal in tx.keeps.removals(model):
        yield _line(removal.decision, "remove", removal.version, removal.digest, removal.at)


def _moved(decision: int, action: Mapping[str, Any], actor: str, at: Any) -> _Line:
    said = (action["version"], action["before"], action["after"], actor, action["reason"], at)
    return _line(decision, "move", *said)


def _line(decision: int, *said: Any) -> _Line:
    return decision, digest(canonical_json(said).encode())[:24]
