"""Tells the stories of :mod:`tests.support.crashes`, all of them or a part, and goes on where it was ended.

What was told is kept in a ledger, a line of JSON a story, written when the story ends. A second call with the same
ledger tells only what is missing or failed; the table counts the whole ledger.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.adapters.sql.schema import migrate
from tests.support.crashes import Story, pairs, points
from tests.support.postgres import PostgresServer

KINDS = ("sqlite", "postgresql")
_AT_ONCE = 4

Names = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A story's end: how often a process died in it, what went wrong (empty: nothing), and how long it took."""

    kind: str
    names: Names
    deaths: int
    problem: str
    seconds: float


class Ledger:
    """The stories told so far, in a file. The newest line of a story counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: dict[tuple[str, Names], Told] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                found = json.loads(line)
                self._note(Told(**found | {"names": tuple(found["names"])}))

    def add(self, told: Told) -> None:
        """Write it down at once: a run that is ended later loses nothing."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(told)) + "\n")
        self._note(told)

    def missing(self, kind: str, stories: Iterable[Names]) -> list[Names]:
        """Those that were not told yet, or failed."""
        good = {key for key, told in self._told.items() if not told.problem}
        return [names for names in stories if (kind, names) not in good]

    def of(self, kind: str) -> list[Told]:
        """What was told of one database."""
        return [told for (of, _), told in self._told.items() if of == kind]

    def _note(self, told: Told) -> None:
        self._told[(told.kind, told.names)] = told


def stories(kind: str, most: int) -> list[Names]:
    """Each place once, and all pairs, or ``most`` of them by chance."""
    two = pairs(kind)
    chosen = two if most >= len(two) else random.Random(0).sample(two, most)
    return [*((name,) for name in points(kind)), *chosen]


class Stage:
    """Where stories are told: one PostgreSQL server for all, with a migrated database that each story copies.

    The server does not sync. It is never killed here, the processes beside it are, and what they have committed is in
    its memory.
    """

    def __init__(self) -> None:
        self._server = PostgresServer()
        self._server.start()
        self._template = self._server.create()
        migrate(self._server.url(self._template))

    def close(self) -> None:
        """Remove the server with all databases."""
        self._server.remove()

    def tell(self, kind: str, names: Names) -> Told:
        """One story, from its own database to its end."""
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="incumbent-crash-"))
            )
            url = f"sqlite:///{folder / 'x.db'}"
            if kind == "postgresql":
                database = self._server.create(self._template)
                stack.callback(self._server.drop, database)
                url = self._server.url(database)
            story = Story(folder, url, frozenset(names))
            problem = ""
            try:
                story.tell()
            except Exception as error:  # noqa: BLE001 - the other stories are to be told too
                problem = f"{type(error).__name__}: {error}"
                print(f"{kind} {' + '.join(names)}: {problem}", flush=True)
        seconds = round(time.monotonic() - began, 1)
        return Told(kind=kind, names=names, deaths=story.restarts, problem=problem, seconds=seconds)


def main(arguments: Sequence[str]) -> int:
    """Tells what the ledger lacks of the part that is asked for; 1 if a story failed."""
    asked = _parser().parse_args(arguments)
    ledger = Ledger(asked.ledger)
    began = time.monotonic()
    with closing(Stage()) as stage, ThreadPoolExecutor(asked.at_once) as pool:
        for kind in asked.kinds or KINDS:
            part = stories(kind, asked.pairs)[asked.part - 1 :: asked.parts]

            def one(names: Names, kind: str = kind) -> None:
                ledger.add(stage.tell(kind, names))

            list(pool.map(one, ledger.missing(kind, part)))
    print(f"\n{time.monotonic() - began:.0f} s in this run")
    return _report(ledger, asked.pairs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.support.crash_runs")
    parser.add_argument("kinds", nargs="*", metavar="DATABASE", help=" or ".join(KINDS))
    parser.add_argument("--pairs", type=int, default=10**9, help="so many pairs; default: all")
    parser.add_argument("--part", type=int, default=1, help="which part of --parts, from 1")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=_AT_ONCE)
    parser.add_argument("--ledger", type=Path, default=Path(".crashes.jsonl"))
    return parser


def _report(ledger: Ledger, most: int) -> int:
    """A table of the whole ledger."""
    print(
        "| database | stories | of | deaths | failed | seconds, summed |\n|---|---|---|---|---|---|"
    )
    failed = 0
    for kind in KINDS:
        told = ledger.of(kind)
        bad = [one for one in told if one.problem]
        failed += len(bad)
        print(
            f"| {kind} | {len(told)} | {len(stories(kind, most))} | {sum(one.deaths for one in told)}"
            f" | {len(bad)} | {sum(one.seconds for one in told):.0f} |"
        )
        for one in bad:
            print(f"\n{kind} {' + '.join(one.names)}: {one.problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
