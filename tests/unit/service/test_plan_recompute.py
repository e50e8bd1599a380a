"""What a plan computes from stored predictions is what a worker would have reported, had the gates been these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from controller.adapters.artifacts import open_artifacts
from controller.domain.canonical import canonical_json, to_plain
from controller.domain.evidence import Evaluation
from controller.domain.runs import Run
from controller.entrypoints.cli.session import CliSession
from controller.entrypoints.cli.verify_evidence import evidence_from_predictions
from controller.evidence.scored import ScoredSide
from controller.evidence.stored import evidence_from, read_scored, write_scored
from controller.rulefmt import load_policy
from controller.service.replay.plan.replay import Comparison, outcome_of
from controller.service.replay.simulate import RecordedMoment
from controller.settings import load_settings
from tests.support.command import PATH, Desk
from tests.support.house import House
from tests.unit.service.test_plan import BETTER, only, plan, with_gates

ROWS = 120


@dataclass
class Measured(House):
    """Evaluations whose evidence comes from predictions that are stored, as a worker makes it."""

    folder: Path = Path()
    quality: list[float] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)

    def evaluated(self, run: Run, outcome: Mapping[str, Any] = {}) -> bool:
        chance = np.random.default_rng(len(self.contents))
        y = chance.normal(20, 5, ROWS)
        sides = {"challenger": self._side(f"challenger v{run.spec.version}", y, chance)}
        if run.spec.champion is not None:
            sides["champion"] = self._side(f"champion v{run.spec.champion}", y, chance, noise=2.0)
        path = self.folder / "scored.parquet"
        facts = (run.id, sides, {"median": 20.0, "mean": 20.0})
        places = pa.chunked_array([["a", "b"] * (ROWS // 2)])
        write_scored(path, {"y": pa.chunked_array([y])}, {"place": places}, facts)
        content = self.contents[run.id] = path.read_bytes()
        stored = open_artifacts(str(self.folder / "artifacts")).put_file(path)
        report = Evaluation(
            run=run.id,
            version=run.spec.version or 0,
            champion=run.spec.champion,
            evidence=evidence_from(read_scored(content), run.spec.gates),
            predictions=stored,
        )
        return self.finish(run, evaluation=to_plain(report))

    def _side(self, name: str, y: Any, chance: Any, noise: float | None = None) -> ScoredSide:
        noise = self.quality[len(self.contents)] if noise is None else noise
        measured = {"latency_ms_p95": 10.0 * noise, "latency_samples": 100.0}
        return ScoredSide(name=name, values=y + chance.normal(0, noise, len(y)), measured=measured)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("predictions")
    app_context = Desk(house=Measured(folder=folder, quality=[2.0, 1.0, 2.05]))
    for month in range(3):
        app_context.house.data(30_000, f"month-{month}")
        app_context.house.work()
        app_context.house.clock.advance(timedelta(days=31))
    return app_context


def session_of(history: Desk) -> CliSession:
    assert isinstance(history.house, Measured)
    session = CliSession(given=history.house.store, clock=history.house.clock)
    session.settings = load_settings(artifacts_url=str(history.house.folder / "artifacts"))
    return session


NEW = {
    "a metric": ["{name: tails, metric: rmse, better_than: champion}"],
    "a value": ["{name: tails, metric: rmse, at_most: 2}"],
    "a relative margin": ["{name: better, metric: mae, better_than: champion, by: 3%}"],
    "a reference": [BETTER, "{name: useful, metric: mae, better_than: baseline, by: 10%}"],
    "latency": [BETTER, "{name: fast, metric: latency_ms_p95, at_most: 15}"],
    "slices": ["{name: all, metric: mae, not_worse_than: champion, margin: 1%, slices: {by: place, min_rows: 50}}"],
    "a test": ["{name: better, metric: mae, better_than: champion, test: t}"],
}  # fmt: skip


@pytest.mark.parametrize("gates", NEW.values(), ids=NEW)
def test_each_decision_is_the_one_that_the_worker_s_evidence_gives(history: Desk, gates: list[str]):
    house = history.house
    assert isinstance(house, Measured)
    new = load_policy(with_gates(*gates), PATH)
    measure = evidence_from_predictions(session_of(history))
    unsettled = 0

    for record in house.records():
        moment = RecordedMoment.of(record)
        judged = [*moment.snapshot.evaluations, *(v.evaluation for v in moment.snapshot.versions)]
        asked = {
            e.run: replace(e, evidence=evidence_from(read_scored(house.contents[e.run]), new.promote))
            for e in judged
            if e is not None
        }  # fmt: skip
        comparison = Comparison(house.rules, new, lambda _: house.rules.promote, measure)

        found = comparison.replay(moment, house.rules)

        unsettled += len(comparison.stored)
        truth = outcome_of(moment.with_evidence(asked).decide(new))
        assert (found.new if found else (outcome_of(moment.decide(house.rules)),)) == (truth,)
        for run, evaluation in asked.items():
            if run in comparison.stored:
                held = measure(evaluation, new.promote)
                assert [canonical_json(held[g.name]) for g in new.promote] == [
                    canonical_json(evaluation.for_gate(g.name)) for g in new.promote
                ]
    assert unsettled


def test_a_plan_computes_what_changed_gates_ask_for_and_says_so(history: Desk):
    new = with_gates("{name: tails, metric: rmse, better_than: champion}")

    before = only(plan(history, new))
    after = only(plan(history, new, measure=evidence_from_predictions(session_of(history))))

    assert before.unknown
    assert "`--recompute` of `incumbent plan` does so." in before.notes[-1]
    assert after.unknown == ()
    assert after.notes == (
        "Evidence of 3 evaluations whose predictions are stored was computed for the changed gates "
        "where the predictions hold what they ask for.",
    )
    known = {flip.decision for flip in after.flips}
    assert {flip.decision for flip in before.flips} <= known


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param("metric: mae, at_most: 9, slices: {by: hour, min_rows: 5}", id="slices"),
        pytest.param("metric: mae, not_worse_than: anchor, margin: 1%", id="anchor"),
        pytest.param("metric: log_loss, better_than: champion", id="probabilities"),
        pytest.param("metric: memory_bytes, at_most: 10", id="memory"),
    ],
)
def test_what_was_not_stored_stays_unknown(history: Desk, gate: str):
    new = with_gates(f"{{name: other, {gate}}}")

    model = only(plan(history, new, measure=evidence_from_predictions(session_of(history))))

    assert model.unknown


def test_predictions_that_are_gone_or_damaged_leave_it_unknown(history: Desk, tmp_path: Path):
    session = session_of(history)
    session.settings = load_settings(artifacts_url=str(tmp_path / "empty"))
    new = with_gates("{name: tails, metric: rmse, better_than: champion}")

    model = only(plan(history, new, measure=evidence_from_predictions(session)))

    assert model.unknown == only(plan(history, new)).unknown


def test_the_command_recomputes_where_it_is_asked_to(history: Desk, tmp_path: Path, monkeypatch):
    house = history.house
    assert isinstance(house, Measured)
    monkeypatch.setenv("INCUMBENT_ARTIFACTS_URL", str(house.folder / "artifacts"))
    rules = tmp_path / PATH
    rules.parent.mkdir()
    rules.write_text(with_gates("{name: tails, metric: rmse, better_than: champion}"))
    words = ("plan", "--rules", str(rules.parent), "--format", "json")

    without, computed = (
        json.loads(history.run(*words, *more).stdout)["models"][0]
        for more in ((), ("--recompute",))
    )

    assert without["unknown"]
    assert computed["unknown"] == []
