"""Which gates and triggers the tests have seen both ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.domain.decisions import Decision, Result
from controller.domain.rules import Policy


@dataclass(frozen=True, slots=True)
class Coverage:
    """``unseen`` holds one phrase a gate or trigger that no test has seen one way, for example ``gate sane: fail``."""

    parts: int
    covered: int
    unseen: tuple[str, ...]


def cover(policy: Policy, decisions: Iterable[Decision]) -> Coverage:
    """Each gate must be seen to pass and not to pass, each trigger to fire and not to fire."""
    gates: dict[str, set[bool]] = {gate.name: set() for gate in policy.promote}
    triggers: dict[str, set[bool]] = {trigger.name: set() for trigger in policy.triggers}
    for decision in decisions:
        for node in decision.tree.children:
            for child in node.children:
                if node.name == "promote" and child.name in gates:
                    gates[child.name].add(child.result is Result.PASS)
                if node.name == "train" and child.name in triggers:
                    triggers[child.name].add(child.result is Result.FIRING)
    unseen = [
        *_unseen("gate", gates, "pass", "fail"),
        *_unseen("trigger", triggers, "firing", "quiet"),
    ]
    parts = len(gates) + len(triggers)
    lacking = {phrase.rpartition(":")[0] for phrase in unseen}
    return Coverage(parts, parts - len(lacking), tuple(unseen))


def _unseen(noun: str, seen: dict[str, set[bool]], yes: str, no: str) -> list[str]:
    phrases = []
    for name, ways in seen.items():
        missing = [word for way, word in ((True, yes), (False, no)) if way not in ways]
        if missing:
            phrases.append(f"{noun} {name}: {' and '.join(missing)}")
    return phrases
