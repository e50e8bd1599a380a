"""5,000 and 100,000 signals at once, for one model and for a thousand, on SQLite: accepted or refused, all answered.

COUNTS=5000 makes it shorter. Signals are of mixed kinds, sent by four threads while the engine decides. Refused are
those that find their model's inbox full; over the API that is a 429. Another model asks for one thing meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.support.inflow import Inflow, held, machine

COUNTS = [int(part) for part in os.environ.get("COUNTS", "5000,100000").split(",")]


def main() -> None:
    """Print one table."""
    print(machine())
    print(
        "| signals | models | accepted | refused | answered | sent in | answered in | another waits | MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for count in COUNTS:
        for models in (1, 1000):
            with tempfile.TemporaryDirectory(prefix="flood-") as folder:
                inflow = Inflow(f"sqlite:///{Path(folder) / 'x.db'}", models)
                found = inflow.flood(count)
                inflow.close()
            print(
                f"| {count:,} | {models:,} | {found.accepted:,} | {found.refused:,} | {found.answered:,}"
                f" | {found.sent_in:.0f} s | {found.answered_in:.0f} s | {found.quiet:.2f} s"
                f" | {held().memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
