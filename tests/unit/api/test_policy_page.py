"""The policy of a model: revisions, their reviews, why a newer one is refused, and what another text would decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.house import MODEL
from tests.support.page import Office, form
from tests.support.story import RULES, tell


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(Path(tmp_path_factory.mktemp("office")))
    tell(office)
    with office.house.store.begin() as tx:
        tx.rules.refuse(MODEL, "#13 has 0 of 1 needed approvals: <b>nobody</b> read it.")
    return office


def planned(office: Office, text: str) -> str:
    ana = office.visitor()
    mark = form(ana.get(f"/models/{MODEL}").text, "hold")["mark"]
    return ana.post(f"/policies/{MODEL}", data={"text": text, "mark": mark}).text


def test_revisions_reviews_and_refusals_are_shown(office: Office):
    text = office.visitor().get(f"/policies/{MODEL}").text
    assert "A newer revision is not in force" in text
    assert "#13 has 0 of 1 needed approvals: &lt;b&gt;nobody&lt;/b&gt; read it." in text
    assert 'href="https://forge.example/arrivals/rules/pull/12"' in text
    assert text.count('<td class="mono">') == 2
    assert "in force" in text


def test_another_text_is_planned_against_the_one_in_force(office: Office):
    before = len(office.house.records())
    text = planned(office, RULES.replace("by: 0.1}", "by: 0.01}").replace("\n", "\r\n"))
    assert "What the other text would have decided" in text
    assert "this text" in text or "hold" in text
    assert len(office.house.records()) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(RULES, "This is the policy in force.", id="the same"),
        pytest.param(RULES.replace("mae", "<script>"), "&lt;script&gt;", id="markup"),
        pytest.param("a: [", "rules/flight-delay.yaml:", id="no YAML"),
        pytest.param(RULES.replace("flight-delay", "other"), "a policy of other", id="another model"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_good_says_why(office: Office, text: str, said: str):
    answer = planned(office, text)
    assert said in answer
    assert "<script>" not in answer.replace('<script src="', "")


def test_the_api_tells_revisions_reviews_metrics_and_plans(office: Office):
    api = office.client(role="viewer")
    found = api.get(f"/v1/policies/{MODEL}/revisions").json()
    assert [(r["in_force"], r["decisions"]) for r in found] == [(True, 4), (False, 12)]
    (review,) = api.get("/v1/reviews").json()
    assert (review["proven"], "evidence" in review) == (True, False)
    metrics = api.get(f"/v1/models/{MODEL}/metrics").json()
    assert (metrics[0]["version"], metrics[0]["metrics"]["mae"], metrics[0]["seated_at"]) == (
        5,
        14.2,
        None,
    )
    assert metrics[1]["left_at"] is None
    text = RULES.replace("by: 0.1}", "by: 0.01}")
    plan = api.post(f"/v1/policies/{MODEL}/plan", json={"text": text})
    assert (plan.status_code, plan.json()["models"][0]["model"]) == (200, MODEL)
    bad = api.post(f"/v1/policies/{MODEL}/plan", json={"text": "a: ["})
    assert bad.status_code == 422
