"""A team moves over from MLflow: its champion becomes our first one on a person's word, and then defends its seat."""

from __future__ import annotations

from datetime import timedelta

from tests.support.command import POLICY, Desk
from tests.support.house import FAILS, MODEL, UNDECIDED

THEIRS = POLICY.replace(
    'train: {entrypoint: "flights:train"}',
    "train:\n"
    "  recipes:\n"
    '    - {name: theirs, entrypoint: "workers.from_mlflow:train",'
    ' params: {server: "mlflow://mlflow.internal:5000", model: flight-delay, version: 7}}',
)
WHY = "It is champion at mlflow://mlflow.internal:5000, version 7."


def test_the_champion_over_there_is_our_first_on_a_persons_word():
    desk = Desk()
    desk.enforce(THEIRS)
    desk.run("signal", MODEL, "--reason", "Bring their champion.", "--yes")
    desk.house.data(30_000, "jan")
    desk.house.work(UNDECIDED)
    assert desk.house.champion is None  # it was judged, and nothing was shown either way
    desk.run("promote", MODEL, "1", "--expect-version", "0", "--reason", WHY, "--yes")
    assert desk.house.champion == 1

    (reign,) = desk.json("audit", MODEL)["reigns"]
    assert (reign["version"], reign["actor"]) == (1, "person:ana")
    assert WHY[:-1] in reign["reason"]
    run = desk.json("lineage", f"{MODEL}@1")["run"]
    assert run["entrypoint"] == "workers.from_mlflow:train"
    assert run["params"]["version"] == 7

    desk.enforce(POLICY)
    desk.house.clock.advance(timedelta(days=31))
    desk.house.data(30_000, "feb")
    desk.house.work(FAILS)
    assert desk.house.states() == {1: "champion", 2: "rejected"}
    desk.run("verify", "--all")
