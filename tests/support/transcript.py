"""A page of documentation that is played: its files are written, its commands run, its outputs compared.

Blocks are told apart by their title. ``console``: commands after ``$``, each with what it prints;
``console title="until it says so"``: asked again until it prints that; ``console title="the first terminal"``: a
program that goes on running; any other language with a title: a file of that name. Played with ``rewrite``, the page
gets the outputs that came.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PATIENCE = 180.0
FIRST, UNTIL = "the first terminal", "until it says so"
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_DONE = "-- done --"

VARIES = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME"),
    (r"\b[0-9a-f]{12,64}\b", "ID"),
    (r"after \d+\.\d s\b", "after SECONDS"),
    (r"127\.0\.0\.1:\d+", "HOST"),
    (r"key=[\w.-]+", "KEY"),
    (r"person:[\w.-]+", "SOMEBODY"),
    (r"version \d[\w.+-]*", "VERSION"),
    (r", engine version \d+;", ", engine version N;"),
    (r"outbox (empty|\d+ \w+)", "OUTBOX"),
)
"""What may differ: times, ids, how long it took, ports, keys, people, versions of code, letters under way."""
SHOWN = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:8321"),
    (r"key=[\w.-]{20,}", "key=eyJhY3RvciI6InBlcnNvbjphbmEi"),
    (r"person:[\w.-]+", "person:ana"),
)
"""What a page shows instead of what the machine that wrote it happened to have."""


def settled(text: str) -> str:
    """The text without what may differ."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@dataclass(frozen=True)
class Block:
    """One fenced block of the page, with its place in the text."""

    language: str
    title: str
    text: str
    span: tuple[int, int]


def blocks(page: str) -> list[Block]:
    """The blocks, in order."""
    return [
        Block(found[1], found[2] or "", found[3], found.span(3)) for found in _BLOCK.finditer(page)
    ]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """(command, what it prints) of a console block."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"output before the first command: {parts[0]!r}"
    yield from zip(parts[1::2], parts[2::2], strict=True)


@dataclass
class Player:
    """A shell in a folder, and the programs that were left running in other terminals."""

    folder: Path
    environment: dict[str, str]
    rewrite: bool = False
    differences: list[str] = field(default_factory=list)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=self.environment,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        self._shell.stdin.close()  # type: ignore[union-attr]
        self._shell.wait(10)
        self._shell.stdout.close()  # type: ignore[union-attr]

    def play(self, page: str) -> str:
        """The page with the outputs that came; what differed is in `differences`."""
        written, end = [], 0
        for block in blocks(page):
            written += [page[end : block.span[0]], self._block(block)]
            end = block.span[1]
        return "".join([*written, page[end:]])

    def _block(self, block: Block) -> str:
        if block.language != "console":
            if block.title:
                path = Path(self.run("pwd").strip()) / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            return block.text
        return "".join(
            f"$ {command}\n{self._checked(command, wanted, block.title)}"
            for command, wanted in commands(block.text)
        )

    def _checked(self, command: str, wanted: str, title: str) -> str:
        if title == FIRST:
            came = self._start(command, wanted)
        elif title == UNTIL:
            came = self._ask(command, wanted)
        else:
            came = self.run(command)
        if settled(came) == settled(wanted):
            return wanted
        self.differences.append(f"$ {command}\nsays\n{came}\nthe page says\n{wanted}")
        for pattern, word in SHOWN:
            came = re.sub(pattern, word, came)
        return f"{came.rstrip()}\n" if came.strip() else ""

    def run(self, command: str) -> str:
        """What the command prints, stdout and stderr together."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{command} </dev/null\nprintf '%s\\n' '{_DONE}'\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        while (line := self._shell.stdout.readline()) and line != f"{_DONE}\n":
            if line.endswith(f"{_DONE}\n"):
                lines.append(line.removesuffix(f"{_DONE}\n") + "\n")
                break
            lines.append(line)
        return "".join(lines)

    def _ask(self, command: str, wanted: str) -> str:
        """Again until it says what the page says; while rewriting, until it says the same for a while."""
        deadline, same, last = time.monotonic() + PATIENCE, 0, ""
        while time.monotonic() < deadline:
            came = self.run(command)
            same, last = (same + 1 if came == last else 0), came
            if settled(came) == settled(wanted) or (self.rewrite and same > 20):
                return came
            time.sleep(0.5)
        return last

    def _start(self, command: str, wanted: str) -> str:
        """Starts it in a terminal of its own; returns what it said at first."""
        folder = Path(self.run("pwd").strip())
        log = folder.parent / "terminal.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "--norc", "-c", f"exec {command}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=self.environment | {"PATH": self.run("echo $PATH").strip()},
            )
        self._running.append(process)
        lines = max(len(wanted.splitlines()), 3)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            said = log.read_text(errors="replace").splitlines(keepends=True)
            if len(said) >= lines:
                return "".join(said[:lines])
            time.sleep(0.1)
        return log.read_text(errors="replace")


def clean_environment(home: Path, python: Path) -> dict[str, str]:
    """What a newcomer's shell has: `python3`, a home, nothing of ours. A mirror that pip was told of stays known."""
    programs = home / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "python3").symlink_to(python)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    return kept | {
        "HOME": str(home),
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "INCUMBENT_PORT": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
