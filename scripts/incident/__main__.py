"""Plays the incident and writes docs/incident, or the folder that is named."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts.incident.acts import play
from scripts.incident.report import write
from scripts.incident.scene import open_scene

TARGET = Path(__file__).parents[2] / "docs" / "incident"


def run(target: Path) -> None:
    """Play, and write what was told."""
    with (
        tempfile.TemporaryDirectory(prefix="incumbent-incident-") as folder,
        open_scene(Path(folder)) as scene,
    ):
        record = play(scene)
        write(target, scene, record)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    run(place)
    sys.stderr.write(f"wrote {place}\n")
