"""The demonstration's project: a folder with the example's policy, its training code, and a place for data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.domain.errors import ConfigurationError, Conflict, Unavailable
from controller.home import prepare_home

MARK = ".demo"
"""A file in a home that the demonstration made, and so may delete."""
SOURCES = (
    "rules/flight-delay.yaml",
    "examples/flights/data.py",
    "examples/flights/model.py",
    "examples/flights/careless.py",
    "examples/flights/serve.py",
)


@dataclass(frozen=True, slots=True)
class MonthFile:
    """A month that has not arrived yet: `2013-01`, where its file lies, and how many rows it has."""

    name: str
    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Project:
    """The folder `home`: state of the controller, and a user's files beside it."""

    home: Path

    @property
    def rules(self) -> Path:
        """Where the policy is."""
        return self.home / "rules"

    @property
    def arrivals(self) -> Path:
        """The folder that the policy's source watches."""
        return self.home / "data" / "flights"

    @property
    def outbox(self) -> Path:
        """Where months wait that have not arrived yet: on the same file system, so that a rename delivers them."""
        return self.home / "not-yet"

    def deliver(self, month: MonthFile) -> None:
        """A month's file arrives, whole, as a rename."""
        month.path.rename(self.arrivals / month.path.name)


def make_project(home: Path) -> Project:
    """A clean home with the policy and the code in it.

    Raises Conflict where `home` holds something that is not a demonstration's, ConfigurationError where the examples
    are not there.
    """
    origin = _origin()
    if home.exists():
        if any(home.iterdir()) and not (home / MARK).exists():
            raise Conflict(
                f"{home} is no folder of an earlier demonstration and will not be emptied.",
                hint="Name another one with --home.",
            )
        shutil.rmtree(home)
    prepare_home(home)
    project = Project(home.resolve())
    project.arrivals.mkdir(parents=True)
    (home / MARK).touch()
    for name in SOURCES:
        target = project.home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, target)
    return project


def write_months(project: Project) -> Iterator[MonthFile]:
    """Write the year as month files, aside; yields each as it is there.

    In a process of its own: the example's code is the user's, and the control plane imports none of it.
    """
    command = [sys.executable, "-m", "examples.flights.data", str(project.outbox)]
    with subprocess.Popen(  # noqa: S603 - a command of ours
        command, cwd=project.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        assert process.stderr is not None  # noqa: S101
        for line in process.stdout:
            name, rows = line.rsplit(" ", 1)
            path = Path(name)
            yield MonthFile(path.stem, path, int(rows))
        said = process.stderr.read().strip()
    if process.returncode:
        last = said.splitlines()[-1] if said else f"exit code {process.returncode}"
        raise Unavailable(f"the flights could not be read: {last}")


def _origin() -> Path:
    """The source checkout: beside the installed package, or the working folder."""
    for folder in (Path(__file__).resolve().parents[3], Path.cwd()):
        if all((folder / name).is_file() for name in SOURCES):
            return folder
    raise ConfigurationError(
        "The example of the demonstration is not here: it is part of the source code, not of the installed package.",
        hint="Run `make demo` in a checkout of Incumbent.",
    )
