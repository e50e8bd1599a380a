"""Alert rules, dashboard and reference: checked by promtool where it is, and against the catalogue everywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from controller.service.observe.catalogue import EXPORTED_METRICS
from scripts.dashboard import text

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "observability"
PROMTOOL = shutil.which("promtool")
KNOWN = {metric.name for metric in EXPORTED_METRICS} | {
    f"{metric.name}_{end}"
    for metric in EXPORTED_METRICS
    if metric.kind == "histogram"
    for end in ("bucket", "sum", "count")
}
NAME = re.compile(r"\bincumbent_[a-z_]+\b")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not there")
@pytest.mark.parametrize(
    "words",
    [
        ["check", "rules", "--lint-fatal", "alerts.yaml"],
        ["test", "rules", "alerts.test.yaml"],
        ["check", "config", "prometheus.yaml"],
    ],
    ids=["rules", "tests of the rules", "config"],
)
def test_promtool_is_content(words: list[str]):
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *words], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout + done.stderr


def test_rules_and_dashboard_name_only_metrics_that_there_are():
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
    board = json.loads((FOLDER / "grafana.json").read_text())
    queries = [rule["expr"] for rule in rules]
    queries += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in NAME.findall(query)}
    assert named - KNOWN == set()
    assert len(named) > 20
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in rules)


def test_the_dashboard_is_the_one_that_the_script_writes():
    assert (FOLDER / "grafana.json").read_text() == text(), "run python scripts/dashboard.py"


def test_panels_do_not_overlap():
    board = json.loads((FOLDER / "grafana.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
