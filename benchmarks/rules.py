"""Rules by the thousand: `incumbent check` over 1,000 policies, `incumbent test` over 1,000 cases, in one process each.

With promtool on PATH (or PROMTOOL=/path/to/promtool) the same number of alert rules and of unit tests runs beside them.
Each figure is the best of three, of the whole command, start-up included; processor time bears a busy machine.

``python -m benchmarks.rules CHECKOUT`` compares the code with that of another checkout, in turns: the processor seconds
of checking 1,000 policies in one process, without its start. It exits with 1 where this code takes 10 % longer.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNT = 1_000
CASES_A_FILE = 10
POLICY = """\
version: 1
model: model-{n}
owner: team-{n}
data:
  source: "data/model-{n}/*.parquet"
  time: at
  target: y
  holdout: {{last: 14d, min_rows: 5000}}
train: {{entrypoint: "models.m{n}:train", window: 180d, timeout: 2h}}
triggers:
  - new_data: {{rows: {n}000}}
  - schedule: {{cron: "{minute} 3 * * 1", timezone: Europe/Berlin}}
  - drift: {{columns: [a, b], metric: psi, above: 0.2, for: 2 batches}}
limits: {{cooldown: 6h, runs_per_day: 4}}
promote:
  - {{name: better, metric: mae, better_than: champion, by: 2%}}
  - {{name: absolute, metric: mae, at_most: 20}}
"""
CASE = """\
  - name: case {n}
    signals: [{{at: 0d, new_data: {{rows: 20000}}}}]
    candidates: [{{metrics: {{mae: {{value: 13, champion: 14, interval: [-1.1, -0.9]}}}}}}]
    expect: [{{at: 0d, gates: {{better: pass, absolute: pass}}, decision: [train, promote], champion: 2}}]
"""
ALERT = """\
groups:
  - name: group-{n}
    rules:
      - alert: Delayed{n}
        expr: rate(errors_total{{model="m{n}"}}[5m]) > 0.2
        for: 10m
        labels: {{team: team-{n}}}
        annotations: {{summary: "model {n}"}}
"""
ALERT_CASES = """\
rule_files: [rules-1.yaml]
evaluation_interval: 1m
tests:
"""
ALERT_CASE = """\
  - interval: 1m
    input_series: [{{series: 'errors_total{{model="m1"}}', values: '0+60x30'}}]
    alert_rule_test:
      - eval_time: 20m
        alertname: Delayed1
        exp_alerts: [{{exp_labels: {{model: m1, team: team-1}}, exp_annotations: {{summary: "model 1"}}}}]
"""


def policies(folder: Path) -> None:
    for n in range(1, COUNT + 1):
        (folder / f"model-{n}.yaml").write_text(POLICY.format(n=n, minute=n % 60))


def cases(folder: Path) -> None:
    text = POLICY.format(n=1, minute=0).replace("rows: 1000}", "rows: 20000}")
    (folder / "model-1.yaml").write_text(text)
    head = "version: 1\npolicy: model-1.yaml\ntests:\n"
    for file in range(COUNT // CASES_A_FILE):
        body = "".join(CASE.format(n=n) for n in range(CASES_A_FILE))
        (folder / f"cases-{file}.test.yaml").write_text(head + body)


def alerts(folder: Path) -> None:
    for n in range(1, COUNT + 1):
        (folder / f"rules-{n}.yaml").write_text(ALERT.format(n=n))


def alert_cases(folder: Path) -> None:
    (folder / "rules-1.yaml").write_text(ALERT.format(n=1))
    for file in range(COUNT // CASES_A_FILE):
        text = ALERT_CASES + "".join(ALERT_CASE.format() for _ in range(CASES_A_FILE))
        (folder / f"cases-{file}.yaml").write_text(text)


def best(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of the whole command, each the best of three; it must succeed."""
    walls, cpus = [], []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode:
            said = done.stdout[-2000:] + done.stderr[-2000:]
            raise SystemExit(f"{' '.join(command[:3])} failed:\n{said}")
    return min(walls), min(cpus)


TIMED = """
import sys, time
from pathlib import Path
from controller.rulefmt.check import check_texts
texts = [(path.name, path.read_bytes()) for path in sorted(Path(sys.argv[1]).iterdir())]
def check():
    began = time.process_time()
    assert check_texts(texts).policies
    return time.process_time() - began
print(min(check() for _ in range(5)))
"""
MOST_LONGER = 1.1


def beside(other: Path) -> int:
    """The other checkout's seconds beside ours: the best of five processes each, in turns, of five checks each."""
    roots = {"there": other.resolve(), "here": Path(__file__).parents[1]}
    found: dict[str, list[float]] = {name: [] for name in roots}
    with tempfile.TemporaryDirectory() as place:
        policies(Path(place))
        for _ in range(5):
            for name, root in roots.items():
                done = subprocess.run(
                    [sys.executable, "-c", TIMED, place],
                    env=os.environ | {"PYTHONPATH": str(root)},
                    cwd=root,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                found[name].append(float(done.stdout))
    there, here = min(found["there"]), min(found["here"])
    print(
        f"check of {COUNT:,} policies: {there:.2f} s there, {here:.2f} s here ({here / there:.0%})"
    )
    return int(here >= there * MOST_LONGER)


def show(what: str, seconds: tuple[float, float]) -> None:
    print(f"{what:<36} {seconds[0]:7.2f} s wall {seconds[1]:7.2f} s processor", flush=True)


def main() -> None:
    incumbent = str(Path(sys.executable).with_name("incumbent"))
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    with tempfile.TemporaryDirectory() as place:
        rules, tests, peer, peer_tests = (Path(place, name) for name in ("r", "t", "p", "q"))
        for folder, fill in (
            (rules, policies),
            (tests, cases),
            (peer, alerts),
            (peer_tests, alert_cases),
        ):
            folder.mkdir()
            fill(folder)
        one = rules / "model-1.yaml"
        show("incumbent check, 1 policy", best([incumbent, "check", str(one)], rules))
        show("incumbent check, 1,000 policies", best([incumbent, "check", "."], rules))
        show("incumbent test, 1,000 cases", best([incumbent, "test", "."], tests))
        if promtool:
            files = sorted(path.name for path in peer.glob("*.yaml"))
            show(
                "promtool check rules, 1,000 files",
                best([promtool, "check", "rules", *files], peer),
            )
            files = sorted(path.name for path in peer_tests.glob("cases-*.yaml"))
            show(
                "promtool test rules, 1,000 cases",
                best([promtool, "test", "rules", *files], peer_tests),
            )
        else:
            print("promtool is not here; its figures are in docs/how-to/review-rules.md")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(beside(Path(sys.argv[1])))
    main()
