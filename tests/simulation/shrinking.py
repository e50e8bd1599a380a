"""From a seed that broke something to the few steps that still break it, and the command that plays them again.

Each step draws its chances from the seed and its own number, so a step can be left out without changing what the
others would do. What remains is found by delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", IEEE TSE 28(2), 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from controller.adapters.sql.store import SqlStore
from controller.domain.errors import IncumbentError
from tests.simulation.invariants import Broken
from tests.simulation.world import World

WORLDS: dict[str, Callable[[int], World]] = {
    "plain": World,
    "strange": partial(World, strange=True),
    "sqlite": partial(World, strange=True, opens=SqlStore.in_memory, checked_every=10),
}
"""Kinds of worlds by name: how one is made from a seed."""

_MOST_PLAYS = 300
_MOST_LINES = 60


@dataclass(frozen=True)
class Failure:
    """A seed that broke something, the numbers of the steps that were played, and what happened."""

    seed: int
    steps: tuple[int, ...]
    sentence: str
    history: tuple[str, ...]
    world: str = "plain"

    @property
    def kind(self) -> str:
        """What is compared while shrinking: the sentence without its numbers."""
        return "".join(letter for letter in self.sentence if not letter.isdigit())[:40]

    @property
    def replay(self) -> str:
        """The command that plays it again."""
        kept = ",".join(map(str, self.steps))
        return (
            f"python -m tests.simulation 1 --world {self.world} --first {self.seed} --keep {kept}"
        )

    def __str__(self) -> str:
        told = "\n".join(self.history[-_MOST_LINES:])
        said = f"seed {self.seed}, {len(self.steps)} steps: {self.sentence}"
        return f"{said}\n{told}\nreplay: {self.replay}"


def play(seed: int, steps: int | Sequence[int] = 250, world: str = "plain") -> Failure | None:
    """One seed, the first ``steps`` steps of it or those with these numbers; None if everything held."""
    numbers = tuple(range(steps)) if isinstance(steps, int) else tuple(steps)
    played = WORLDS[world](seed)
    try:
        played.run(numbers)
    except (Broken, IncumbentError, ValueError, KeyError, TypeError) as error:
        sentence = f"{type(error).__name__}: {error}"
        return Failure(seed, numbers, sentence, tuple(played.history), world)
    finally:
        played.close()
    return None


def shrink(failure: Failure) -> Failure:
    """Fewer steps that break the same thing: pieces are left out, ever smaller ones, while it still breaks."""
    best, plays, pieces = failure, 0, 2
    while len(best.steps) > 1 and plays < _MOST_PLAYS:
        for rest in _without_a_piece(best.steps, pieces):
            plays += 1
            found = play(best.seed, rest, best.world)
            if found is not None and found.kind == best.kind:
                best, pieces = found, max(pieces - 1, 2)
                break
        else:
            if pieces >= len(best.steps):
                break
            pieces = min(pieces * 2, len(best.steps))
    return best


def _without_a_piece(steps: Sequence[int], pieces: int) -> Iterator[tuple[int, ...]]:
    size = -(-len(steps) // pieces)
    # From the end: what came after the fatal step was never needed.
    for start in reversed(range(0, len(steps), size)):
        yield (*steps[:start], *steps[start + size :])
