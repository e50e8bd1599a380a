"""The last jump of this machine's clock, in a file of the home: it is a matter of the machine, not of the database."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from controller.ports import ClockJump


def keep_jump(home: Path, jump: ClockJump) -> None:
    """Write it down, whole at once."""
    new = home / f"clock.json.{os.getpid()}"
    new.write_text(json.dumps({"at": jump.at.isoformat(), "seconds": jump.seconds}))
    new.replace(home / "clock.json")


def last_jump(home: Path) -> ClockJump | None:
    """The last one; None where none is known."""
    try:
        held = json.loads((home / "clock.json").read_text())
        return ClockJump(at=datetime.fromisoformat(held["at"]), seconds=float(held["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
