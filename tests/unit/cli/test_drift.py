"""`incumbent drift`: what workers found, for people, as JSON and as one file; and a batch released by hand."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from controller.adapters.artifacts import LocalArtifacts
from controller.domain.canonical import to_plain
from controller.domain.runs import RunKind
from controller.entrypoints.cli.drift import sparkline
from controller.evidence.drift import compare_profiles
from tests.support.command import POLICY, Desk
from tests.support.house import MODEL
from workers.evaluate_batches import columns_of, judged_of
from workers.profiles import BatchData, LayoutOptions, make_layout, make_profile

WATCHED = POLICY.replace(
    "triggers:\n", "triggers:\n  - drift: {metric: psi, above: 0.2, for: 1 batch}\n"
)


def rows(seed: int, moved: float = 0.0) -> BatchData:
    rng = np.random.default_rng(seed)
    return BatchData(
        table=pa.table(
            {
                "distance": rng.normal(1000.0 + 300.0 * moved, 300.0, 2000),
                "<b>carrier": rng.choice(["UA", "AA", "DL"], 2000),
            }
        )
    )


LAYOUT = make_layout(rows(0), LayoutOptions(seed=1))
REFERENCE = make_profile(rows(0), LAYOUT)


class Watch(Desk):
    """A app_context with a drift trigger, and profiles that a worker would report."""

    artifacts: LocalArtifacts

    def profiled(self, name: str, moved: float = 0.0, **more: Any) -> None:
        """A batch arrives and is looked at."""
        self.house.data(2000, name)
        self.house.tick()
        run = self.house.claim()
        while run is not None and run.spec.kind is not RunKind.PROFILE:
            run = self.house.claim()
        assert run is not None
        current = make_profile(rows(len(name) + int(moved * 10), moved), LAYOUT)
        report = compare_profiles(LAYOUT, REFERENCE, current)
        kept = {"layout": LAYOUT.to_json(), "profile": REFERENCE.to_json()}
        self.house.finish(
            run,
            columns=columns_of(report),
            judged=judged_of(report),
            verdict=report.verdict.value,
            reasons=list(report.reasons),
            n=report.rows,
            report=self.put(to_plain(report)),
            reference=self.put(kept),
            reference_through=0,
            data_through=run.spec.data_through,
            profiles=self.put({str(run.spec.data_through): current.to_json()}),
            **more,
        )
        self.house.tick()
        self.house.clock.advance(timedelta(days=1))

    def put(self, value: Any) -> str:
        return self.artifacts.put_bytes(json.dumps(value).encode())


@pytest.fixture
def app_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setenv("INCUMBENT_ARTIFACTS_URL", str(tmp_path / "artifacts"))
    app_context = Watch()
    app_context.artifacts = LocalArtifacts(tmp_path / "artifacts")
    app_context.enforce(WATCHED)
    return app_context


def test_columns_effects_history_and_the_bins_that_moved_most(app_context: Watch):
    for name, moved in (("a", 0.0), ("bb", 0.0), ("ccc", 1.0)):
        app_context.profiled(name, moved)
    text = app_context.run("drift", MODEL).stdout
    first, *rest = text.splitlines()
    assert first.startswith("flight-delay: alert in 2,000 rows")
    assert first.endswith("against the training data of 2,000 rows")
    line = next(line for line in rest if line.startswith("distance"))
    assert re.search(r"distance +alert +0\.\d+ +\d.* ▁▁█$", line)
    assert any("jensen_shannon" in line and "is over 0.1" in line for line in rest)
    assert len([line for line in rest if " -> " in line]) == 3
    only = app_context.run("drift", MODEL, "--column", "<b>carrier").stdout
    assert "distance " not in only


def test_the_json_is_the_decision_s_numbers(app_context: Watch):
    app_context.profiled("a", 1.0)
    found = app_context.json("drift", MODEL)
    assert found["schema_version"] == 1
    (training,) = found["comparisons"]
    distance = next(c for c in training["columns"] if c["column"] == "distance")
    decision = next(d for d in app_context.house.told if d.verdict.value == "train")
    node = next(n for n in decision.tree.children[-1].children if n.name == "drift")
    assert node.values["values"]["distance"] == distance["values"]["psi"]
    assert distance["moved"]


def test_the_report_is_one_small_file_that_needs_nothing_else(app_context: Watch, tmp_path: Path):
    app_context.profiled("a", 0.0)
    app_context.profiled("bb", 1.0)
    path = tmp_path / "drift.html"
    app_context.run("drift", MODEL, "--html", str(path))
    text = path.read_text()
    assert len(text) < 50_000
    assert not re.search(r"<script|https?://|src=|<link", text)
    assert "<b>carrier" not in text
    assert "&lt;b&gt;carrier" in text
    assert "<svg" in text
    missing = app_context.run("drift", MODEL, "--html", str(tmp_path / "no" / "x.html"), code=5)
    assert "cannot be written: No such file or directory" in missing.stderr


def test_a_model_without_looks_says_what_asks_for_them(app_context: Watch):
    app_context.house.data(10, "a")
    found = app_context.run("drift", MODEL)
    assert "Nobody has looked at the data of flight-delay yet" in found.stderr
    assert app_context.json("drift", MODEL)["looks"] == []
    app_context.run("drift", "nobody", code=3)


def test_an_unknown_reference_names_those_that_are_there(app_context: Watch):
    app_context.profiled("a")
    found = app_context.run("drift", MODEL, "--reference", "previous", code=3)
    assert "It is compared with training." in found.stderr


def test_calibrate_draws_from_the_reference_until_ten_batches_are_there(app_context: Watch):
    app_context.profiled("a")
    drawn = app_context.json("drift", "calibrate", MODEL, "--column", "distance")
    assert (drawn["from_batches"], drawn["rows"]) == (False, 2000)
    psi = next(t for t in drawn["thresholds"] if t["metric"] == "psi")
    assert 0 < psi["alert"] < 0.1
    for number in range(2, 12):
        app_context.profiled("a" * number)
    held = app_context.json("drift", "calibrate", MODEL)
    assert held["from_batches"] is True
    assert held["windows"] >= 10
    assert "For example: drift: {columns: [distance], metric: psi, above: 0." in (
        app_context.run("drift", "calibrate", MODEL).stdout
    )


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--column", "origin"), 3, "There is no column called origin."),
        (("--rows", "100"), 2, "'--rows'"),
    ],
    ids=["no such column", "too few rows"],
)
def test_calibrate_refuses(app_context: Watch, words: tuple[str, ...], code: int, sentence: str):
    app_context.profiled("a")
    assert sentence in app_context.run("drift", "calibrate", MODEL, *words, code=code).stderr


def test_calibrate_without_a_profile_says_who_makes_one(app_context: Watch):
    app_context.house.data(10, "a")
    found = app_context.run("drift", "calibrate", MODEL, code=3)
    assert "have no profile yet" in found.stderr


def test_a_batch_in_quarantine_is_shown_with_rows_and_examples_and_released_by_hand(
    app_context: Watch,
):
    broken = {
        "sequence": 1,
        "uri": "a",
        "rows": 2000,
        "failing": 12,
        "sentence": "carrier: 12 of 2000 values are missing",
        "examples": [{"carrier": None, "distance": "4"}],
    }
    app_context.profiled("a", quarantine=[broken])
    shown = app_context.run("drift", MODEL).stdout
    assert "Batch 1 is in quarantine, 12 of 2,000 rows: carrier: 12 of 2000" in shown
    assert "carrier=None, distance=4" in shown
    refused = app_context.run("drift", "release", MODEL, "1", "--yes", code=2)
    assert "A change needs a reason." in refused.stderr
    found = app_context.run("drift", "release", MODEL, "1", "--yes", "--reason", "known nulls")
    assert "Batch 1 is data again." in found.stderr
    said = "released batch 1 from quarantine: known nulls"
    assert any(said in d["reason"] for d in app_context.json("decisions"))
    assert app_context.json("drift", MODEL)["quarantined"] == []
    gone = app_context.run("drift", "release", MODEL, "1", "--yes", "--reason", "again", code=3)
    assert "has no batch 1 in quarantine" in gone.stderr


def test_a_sparkline_runs_from_zero_to_its_largest_value():
    assert sparkline([0.0, 0.5, None, 1.0]) == "▁▅ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""
