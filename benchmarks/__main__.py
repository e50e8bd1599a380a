"""`make bench`: runs the benchmarks of the index, one after the other, each in its own process."""

from __future__ import annotations

import subprocess
import sys

# Module under benchmarks/ -> what it measures. Each runs alone: `python -m benchmarks.NAME`.
INDEX: dict[str, str] = {
    "install": "weight of the install without extras, and the start of a trivial command",
    "arrival": "from a file to the first line of the training function; start and memory of up",
    "gates.false_promotions": "who is promoted by luck over 200 retrainings, by rule",
    "gates.missed_improvements": "how long true improvements wait, by rule, and the rows they need",
    "gates.slow_decay": "how far challengers that are each a little worse let a model sink",
    "gates.real": "what each rule promotes on three real data sets",
    "gates.speed": "BCa intervals against scipy, seconds and memory",
    "drift.speed": "a drift report's seconds and memory beside other tools and the bare read",
    "drift.false_alarms": "alarms on 10,000 undrifted batches, by rule",
    "drift.power": "what each rule finds of shifts, nulls, unseen values and moved mass",
    "drift.flights": "which columns of the flights of 2013 move in which month",
    "drift.streams": "detectors on streams whose drifts are known (needs the extra streams)",
    "rollback": "planted regressions and healthy champions: labels until they are seen, false rollbacks",
    "registry": "create, promote, resolve, search and list beside MLflow's server and store; races",
    "headtohead": "one script of failures against ClearML's triggers, a Celery task and ours",
    "plan": "plan over 100,000 recorded decisions, by what changes",
    "flood": "5,000 and 100,000 signals at once: accepted, refused, answered; how long another model waits",
    "endurance": "memory, open files and threads of a deciding process over 100,000 decisions",
    "stores": "the memory store beside the SQL adapters on SQLite in memory: seeds, decisions a second",
    "takeover": "how long nobody leads after a controller was killed or stopped",
    "sources": "how soon a new file is seen, and what looking at many files and rows costs",
    "watching": "how watching grows with the policies: start, file to signal, processor at rest",
    "streams": "how soon a decision reaches 5,000 open event streams, over sockets",
    "rules": "check of 1,000 policies and test of 1,000 cases, beside promtool where it is",
}


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all; 1 if one failed, 2 for an unknown name."""
    unknown = [name for name in names if name not in INDEX]
    if unknown:
        print(f"no benchmark named {unknown[0]}; there are: {', '.join(INDEX)}", file=sys.stderr)
        return 2
    failed = []
    for name in names or INDEX:
        print(f"\n== {name}: {INDEX[name]}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
