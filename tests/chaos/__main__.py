"""`make chaos`: controllers, workers, brokers and databases are killed under load; nothing may be lost or doubled.

`python -m tests.chaos --kills N --minutes M --seed S` ends with 0 if every promise held, and writes its report.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.report import report
from tests.chaos.round import Outcome, Plan, play, tell
from tests.chaos.site import SHAPES, can_run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="kills in all, over the rounds")
    parser.add_argument("--minutes", type=float, default=90, help="how long it may take in all")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--rounds", default="", help="numbers of the installations, as in 0,2")
    parser.add_argument("--report", type=Path, default=Path("chaos-report.md"))
    parser.add_argument("--keep", action="store_true", help="leave folders with logs behind")
    return parser.parse_args()


def main() -> int:
    """The command."""
    given = _arguments()
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    # Whoever ends this ends with it what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [int(n) for n in given.rounds.split(",") if n] or list(range(len(SHAPES)))
    reasons = {number: can_run(SHAPES[number]) for number in chosen}
    able = [number for number in chosen if not reasons[number]]
    skipped = [f"{SHAPES[number].name}: {reason}" for number, reason in reasons.items() if reason]
    if not able:
        print("nothing can run here: " + "; ".join(skipped))
        return 2
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + given.minutes * 60
    for index, number in enumerate(able):
        left = deadline - time.monotonic()
        # What a round needs beside its faults: starting, coming to rest, the audit.
        seconds = max(left / (len(able) - index) - 45, 20)
        killed = sum(fault.kills for o in outcomes for fault in o.struck)
        kills = -(-(given.kills - killed) // (len(able) - index))
        tell(f"{SHAPES[number].name}: {kills} kills or {seconds:.0f} s, seed {given.seed}")
        folder = Path(tempfile.mkdtemp(prefix="incumbent-chaos-"))
        folder.chmod(0o755)
        outcome = play(SHAPES[number], Plan(kills, seconds, given.seed), folder, tell)
        outcomes.append(outcome)
        for sentence in outcome.findings.all[:20]:
            tell(f"  VIOLATION: {sentence}")
        if given.keep or outcome.findings.all:
            tell(f"  its files are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    command = f"python -m tests.chaos --kills {given.kills} --minutes {given.minutes:g} --seed {given.seed}"
    text = report(outcomes, skipped, command)
    given.report.write_text(text, encoding="utf-8")
    print(text)
    return 1 if any(outcome.findings.all for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
