"""The demonstration of a rollback: a bad champion on purpose, and how it leaves the seat again.

January's model takes the seat by its gates and serves February. Then somebody loosens the rules and slips a unit: the
next champion answers in seconds. The team's serving posts its error week by week, and nobody has to watch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from controller.adapters.artifacts import LocalArtifacts
from controller.domain.decisions import Verdict
from controller.domain.errors import Unavailable
from controller.domain.signals import NewSignal, SignalKind
from controller.entrypoints.demo.play import DEMO_MODEL, DemoStage, first_of_next
from controller.entrypoints.demo.project import MonthFile, Project
from controller.entrypoints.demo.story import look_at_work
from controller.ports import Query
from controller.service.explain.decision import decision_summary
from controller.service.registry.pull import pull_artifact

RULES = """
rollback:                               # for as long as a version is champion
  when:
    - {metric: mae, worse_than: previous, margin: 10%, window: 7d}
"""
_PATIENCE = 240.0
Say = Callable[[str], None]


def watch_for_harm(project: Project) -> None:
    """Let the example's rules roll back."""
    file = project.rules / "flight-delay.yaml"
    file.write_text(file.read_text(encoding="utf-8") + RULES, encoding="utf-8")


def loosen(project: Project) -> None:
    """What nobody should do: another training function, and no comparison with the champion any more."""
    file = project.rules / "flight-delay.yaml"
    kept = [
        line
        for line in file.read_text(encoding="utf-8").splitlines()
        if "not worse, metric" not in line and "better, metric" not in line
    ]
    text = "\n".join(kept) + "\n"
    text = text.replace("examples.flights.model:train", "examples.flights.careless:train")
    file.write_text(text.replace("at_most: 60", "at_most: 100000"), encoding="utf-8")


def tell_story(running: DemoStage, months: list[MonthFile], say: Say) -> None:
    """The whole story, as it happens."""
    project = running.project
    january, february, march = months[:3]
    running.play(january, lambda *_: None)
    say(_last(running))
    say("")
    say("v1 serves February; its error by late labels, week by week, is its record:")
    for figure in _served(running, february.path):
        say(f"  week {figure['week']}: {figure['value']:.1f} minutes on {figure['n']:,} flights")
        _post(running, february, figure)
    say("")
    say("Somebody loosens the rules, and slips a unit: the next model answers in seconds.")
    loosen(project)
    _until_loosened(running)
    running.play(february, lambda *_: None)
    say(_last(running))
    say("")
    say("v2 serves March:")
    for figure in _served(running, march.path):
        say(f"  week {figure['week']}: {figure['value']:.1f} minutes on {figure['n']:,} flights")
        _post(running, march, figure)
        if _champion(running) == 1:
            break
    say("")
    for sentence in _since(running, Verdict.ROLLBACK):
        say(sentence)


def _until_loosened(running: DemoStage) -> None:
    _wait(running, lambda: "careless" in _rules(running), "the new rules were not read")


def _rules(running: DemoStage) -> str:
    with running.store.read() as tx:
        rules = tx.rules.active(DEMO_MODEL)
    return rules.text if rules else ""


def _served(running: DemoStage, month: Path) -> Iterator[dict[str, float]]:
    """The champion's figures, from a process of the team's own: the control plane loads no model."""
    project = running.project
    artifacts = LocalArtifacts(project.home / "artifacts")
    with running.store.read() as tx:
        found = tx.aliases.resolve(DEMO_MODEL, "champion")
    if found is None:
        raise Unavailable("There is no champion to serve.")
    digest, file = found.version.digest, project.home / "serving" / f"v{found.version.number}"
    pull_artifact(
        digest, artifacts.size(digest), lambda offset: artifacts.stream(digest, offset), file
    )
    command = [sys.executable, "-m", "examples.flights.serve", str(file), str(month)]
    done = subprocess.run(  # noqa: S603 - a command of ours
        command, cwd=project.home, capture_output=True, text=True, check=False, timeout=_PATIENCE
    )
    if done.returncode:
        raise Unavailable(f"serving ended: {done.stderr.strip().splitlines()[-1:]}")
    for line in done.stdout.splitlines():
        yield json.loads(line)


def _post(running: DemoStage, month: MonthFile, figure: dict[str, float]) -> None:
    """As `incumbent signal metric` does, at the end of that week; and wait for the answer."""
    week = int(figure["week"])
    at = first_of_next(month.name) - timedelta(days=28 - 7 * week)
    now = running.clock.now()
    payload = {
        "metric": "mae",
        "value": figure["value"],
        "n": int(figure["n"]),
        "std": figure["std"],
    }
    new = NewSignal(
        key=f"serving:{month.name}:{week}",
        model=DEMO_MODEL,
        kind=SignalKind.METRIC,
        occurred_at=max(at, now),
        payload=payload,
        actor="serving",
    )
    with running.store.begin() as tx:
        number = tx.signals.append([new], now)[0].id

    def answered() -> bool:
        with running.store.read() as tx:
            signal = tx.signals.get(number)
            return signal is not None and signal.status.ended and look_at_work(tx, DEMO_MODEL).idle

    _wait(running, answered, f"nothing was decided about week {week}")


def _wait(running: DemoStage, there: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not there():
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{otherwise} within {_PATIENCE:.0f} s.",
                hint=f"`INCUMBENT_HOME={running.project.home} incumbent doctor` looks for the cause.",
            )
        time.sleep(0.15)


def _champion(running: DemoStage) -> int | None:
    with running.store.read() as tx:
        return tx.models.state(DEMO_MODEL).champion


def _last(running: DemoStage) -> str:
    with running.store.read() as tx:
        found = tx.decisions.find(Query(model=DEMO_MODEL, kinds=(Verdict.PROMOTE.value,), limit=1))
    return (
        f"decision {found[0].id}: {decision_summary(found[0])['reason']}" if found else "nobody won"
    )


def _since(running: DemoStage, verdict: Verdict) -> Iterator[str]:
    """What the rollback was, what proved its target, and what rests now."""
    with running.store.read() as tx:
        found = tx.decisions.find(Query(model=DEMO_MODEL, kinds=(verdict.value,), limit=1))
        held = tx.models.state(DEMO_MODEL).hold
        versions = tx.registry.versions(DEMO_MODEL)
    if not found:
        yield "Nothing was rolled back."
        return
    row = decision_summary(found[0])
    yield f"decision {row['id']}: {row['reason']}"
    for version in reversed(versions):
        yield f"  v{version.number} is {version.state.value}" + (
            ", proven to answer in a fresh process" if version.verified else ""
        )
    if held is not None:
        yield "Automatic promotion is on hold until somebody releases it."
