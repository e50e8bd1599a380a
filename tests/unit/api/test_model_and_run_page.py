"""A model's page names who uses it and what is rolled out; a run's page says where its result came from."""

from __future__ import annotations

from pathlib import Path

from controller.domain.canonical import canonical_json
from controller.domain.signals import SignalKind
from tests.support.command import POLICY
from tests.support.house import MODEL
from tests.support.page import Office

LINEAGE = {
    "code": {"commit": "0123456789abcdef", "dirty": True},
    "platform": {"python": "3.11.7", "system": "Linux <b>"},
    "packages": {"scikit-learn": "1.8.0"},
    "rows": {"training": 30_000},
    "data": {
        "files": [{"uri": f"jan-{n}.parquet", "rows": 10, "digest": "9" * 64} for n in range(25)]
    },
    "cpu_seconds": 2.5,
}


def test_a_model_s_page_names_its_consumers_and_the_rollout(tmp_path: Path):
    office = Office(tmp_path)
    office.app_context.enforce(POLICY)
    office.house.data(30_000, "jan")
    office.house.work()
    assert "Nobody uses it by name." in office.visitor().get(f"/models/{MODEL}").text

    api = office.client(role="viewer")
    api.get(f"/v1/models/{MODEL}/champion", params={"consumer": "checkout-service"})
    office.app_context.enforce(POLICY + "rollout: [{traffic: 25%, soak: 6h}]\n")
    office.house.data(30_000, "feb")
    office.house.work()
    office.house.signal(SignalKind.DRIFT, trigger="drift", columns={"distance": {"psi": 0.1}})
    office.house.tick()
    text = office.visitor().get(f"/models/{MODEL}").text
    assert 'class="ch-mark ch-drift"' in text
    assert "<b>checkout-service</b> v1" in text
    assert "v2 is rolled out: stage 1" in text
    assert "it answers 25 % of the traffic" in text


def test_a_run_s_page_says_where_its_result_came_from(tmp_path: Path):
    office = Office(tmp_path)
    office.app_context.enforce(POLICY)
    digest = office.artifacts.put_bytes(canonical_json(LINEAGE).encode())
    office.house.data(30_000, "jan")
    office.house.tick()
    run = office.house.claim()
    assert run is not None
    office.house.finish(run, digest="1" * 64, size=1, metrics={}, recipe="gbm", lineage=digest)
    text = office.visitor().get(f"/runs/{run.id}").text
    assert "0123456789ab (with changes that were not committed)" in text
    assert "scikit-learn 1.8.0" in text
    assert "25 files of data" in text
    assert "and 5 older ones" in text
    assert "Linux &lt;b&gt;" in text
    assert "2.5 s" in text
