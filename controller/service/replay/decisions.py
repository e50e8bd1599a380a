"""Replay: what the registry must look like after the decisions in the log, and where it does not.

A decision's actions are all that ever changes the registry, so folding them gives every version's state and who sits
in each seat. What stands there otherwise was written by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.domain.versions import Version, VersionState
from controller.ports import Transaction
from controller.service.replay.facts import Facts


@dataclass(slots=True)
class _Expected:
    """A version as the log left it, and the decision that touched it last."""

    decision: int
    state: str
    digest: str
    run: str
    recipe: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stray:
    """A place where the registry is not what the log made it; `decision` is the one that touched it last."""

    decision: int
    sentence: str


@dataclass(slots=True)
class Replay:
    """Feed it every decision, oldest first, then compare. Needs memory for one line a version."""

    _versions: dict[tuple[str, int], _Expected] = field(default_factory=dict)
    _seats: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Model -> version, generation, decision."""

    _facts: Facts = field(default_factory=Facts)

    def feed(self, decision: int, body: Mapping[str, Any], actor: str = "system") -> None:
        """One decision, as the log holds it."""
        self._facts.feed(decision, actor, body)
        model = body["model"]
        for action in body["actions"]:
            kind = action["kind"]
            if kind == "register_version":
                self._versions[model, action["version"]] = _Expected(
                    decision,
                    VersionState.CANDIDATE.value,
                    action["digest"],
                    action["run"],
                    action["recipe"],
                )
            elif kind == "move_version":
                self._move(model, action["version"], action["after"], decision)
            elif kind == "set_champion":
                self._move(model, action["version"], VersionState.CHAMPION.value, decision)
                self._seats[model] = (action["version"], action["generation"] + 1, decision)

    def compare(self, tx: Transaction) -> Stray | None:
        """The first place where the registry differs, by the number of the decision; None if it is as it must be."""
        return min(self._strays(tx), key=lambda stray: stray.decision, default=None)

    def _move(self, model: str, version: int, state: str, decision: int) -> None:
        known = self._versions.get((model, version))
        if known is not None:
            known.state, known.decision = state, decision

    def _strays(self, tx: Transaction) -> Iterator[Stray]:
        last, _ = tx.decisions.head()
        models = {model for model, _ in self._versions} | {s.model for s in tx.models.all()}
        for model in sorted(models):
            held = {version.number: version for version in tx.registry.versions(model)}
            for (owner, number), expected in self._versions.items():
                if owner == model:
                    yield from _differences(model, number, expected, held.pop(number, None))
            for number in held:
                yield Stray(
                    decision=last,
                    sentence=f"{model} v{number} is in the registry, and no decision put it there.",
                )
            yield from self._seat(tx, model, last)
        for number, sentence in self._facts.strays(tx):
            yield Stray(decision=number, sentence=sentence)

    def _seat(self, tx: Transaction, model: str, last: int) -> Iterator[Stray]:
        state = tx.models.state(model)
        version, generation, decision = self._seats.get(model, (None, 0, last))
        if (state.champion, state.generation) != (version, generation):
            yield Stray(
                decision=decision,
                sentence=(
                    f"Decision {decision} left {_name(version)} as champion of {model} at generation {generation}, "
                    f"but there is {_name(state.champion)} at generation {state.generation}."
                ),
            )


def _differences(
    model: str, number: int, expected: _Expected, held: Version | None
) -> Iterator[Stray]:
    if held is None:
        yield Stray(
            decision=expected.decision,
            sentence=f"Decision {expected.decision} knows {model} v{number}, and the registry does not.",
        )
        return
    found = {
        "state": held.state.value,
        "digest": held.digest,
        "run": held.run,
        "recipe": held.recipe,
    }
    for name, value in found.items():
        wanted = getattr(expected, name)
        if value != wanted:
            yield Stray(
                decision=expected.decision,
                sentence=(
                    f"Decision {expected.decision} left {model} v{number} with {name} {wanted}, "
                    f"but the registry says {value}."
                ),
            )


def _name(version: int | None) -> str:
    return "no version" if version is None else f"v{version}"
