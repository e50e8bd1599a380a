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
    app_context = Desk()
    app_context.enforce(THEIRS)
    app_context.run("signal", MODEL, "--reason", "Bring their champion.", "--yes")
    app_context.house.data(30_000, "jan")
    app_context.house.work(UNDECIDED)
    assert app_context.house.champion is None  # it was judged, and nothing was shown either way
    app_context.run("promote", MODEL, "1", "--expect-version", "0", "--reason", WHY, "--yes")
    assert app_context.house.champion == 1

    (reign,) = app_context.json("audit", MODEL)["reigns"]
    assert (reign["version"], reign["actor"]) == (1, "person:ana")
    assert WHY[:-1] in reign["reason"]
    run = app_context.json("lineage", f"{MODEL}@1")["run"]
    assert run["entrypoint"] == "workers.from_mlflow:train"
    assert run["params"]["version"] == 7

    app_context.enforce(POLICY)
    app_context.house.clock.advance(timedelta(days=31))
    app_context.house.data(30_000, "feb")
    app_context.house.work(FAILS)
    assert app_context.house.states() == {1: "champion", 2: "rejected"}
    app_context.run("verify", "--all")
