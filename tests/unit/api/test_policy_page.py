"""The policy of a model: revisions, their reviews, why a newer one is refused, and what another text would decide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.domain.decisions import RulesRef
from controller.ports import ActiveRules
from tests.support.house import MODEL
from tests.support.page import Office, form
from tests.support.repository import Repository, policy_text
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


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An office whose rules are in a working tree with branches."""
    folder = Path(tmp_path_factory.mktemp("beside"))
    repository = Repository(folder / "tree")
    file = repository.folder / "rules" / "flight-delay.yaml"
    file.parent.mkdir()

    def branch(name: str, text: str | None, **others: str) -> None:
        repository.git("checkout", "--quiet", "-B", name, "main")
        file.unlink() if text is None else file.write_text(text)
        for other, content in others.items():
            (file.parent / f"{other}.yaml").write_text(content)
        repository.commit(name)

    file.write_text(RULES)
    repository.commit()
    looser = RULES.replace("by: 0.1}", "by: 0.01}")
    branch("looser", looser, demo=policy_text())
    branch("broken", "version: 1\nmodel: [<script>")
    branch("other", policy_text())
    branch("gone", None)
    branch("moved", None, elsewhere=looser)
    repository.back()
    office = Office(folder / "home", {"rules": str(file.parent)})
    tell(office)
    return office


def looked(office: Office, revision: str, place: str = f"/policies/{MODEL}", **who: str) -> str:
    ana = office.visitor(**who)
    mark = ana.get("/").text.split('name="mark" value="')[1].split('"')[0]
    answer = ana.post(place, data={"revision": revision, "mark": mark})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("revision", ["looser", "moved"])
def test_a_branch_is_planned_against_the_policy_in_force(beside: Office, revision: str):
    before = len(beside.house.records())
    text = looked(beside, revision)
    assert f"What {revision} would have decided" in text
    assert f"the policy in force -&gt; {revision} (" in text
    assert re.search(r"flight-delay +\(rules/(flight-delay|elsewhere)\.yaml\)", text)
    assert len(beside.house.records()) == before


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        pytest.param("main", "has the policy in force: nothing would change.", id="the same"),
        pytest.param("broken", "rules/flight-delay.yaml:", id="no policy"),
        pytest.param("other", "has no policy of flight-delay", id="another model"),
        pytest.param("gone", "the model is retired", id="gone"),
        pytest.param("nothing", "no branch, tag or commit nothing", id="no such branch"),
        pytest.param("https://evil.example/x.git", "is no name of a branch, tag or commit", id="a URL"),
        pytest.param("<script>", "&#39;&lt;script&gt;&#39; is no name", id="markup"),
        pytest.param("", "is no name of a branch, tag or commit", id="nothing"),
    ],
)  # fmt: skip
def test_a_revision_that_is_no_good_says_why(beside: Office, revision: str, said: str):
    text = looked(beside, revision)
    assert said in text
    assert "<script>" not in text.replace('<script src="', "")


def test_the_policies_that_a_branch_changes_are_listed_and_planned_one_by_one(beside: Office):
    text = looked(beside, "looser", "/policies")
    assert "2 policies differ" in re.sub(r"\s+", " ", text)
    assert "would come into force" in text
    assert f"What would {MODEL} have decided?" in text
    number = re.findall(r'type="hidden" name="revision" value="([0-9a-f]{40})"', text)[0]
    assert "would have decided" in looked(beside, number)
    assert "would be retired" in looked(beside, "gone", "/policies")
    assert "0 policies differ, 1 is the same" in looked(beside, "main", "/policies")
    assert "rules/flight-delay.yaml:" in looked(beside, "broken", "/policies")


def test_only_a_reviewer_lets_the_server_look(beside: Office):
    eve = beside.visitor("person:eve", "viewer")
    text = eve.get(f"/policies/{MODEL}").text
    assert "This takes the role reviewer" in text
    assert 'name="revision"' not in text
    assert 'name="revision"' not in eve.get("/policies").text
    mark = text.split('name="mark" value="')[1].split('"')[0]
    asked = {"revision": "looser", "mark": mark}
    assert eve.post("/policies", data=asked).status_code == 403
    refused = eve.post(f"/policies/{MODEL}", data=asked).text
    assert 'role="alert">This takes the role reviewer' in refused
    assert "Compared: " not in refused


def test_a_revision_is_planned_over_the_api(beside: Office):
    place = f"/v1/policies/{MODEL}/plan"
    ana, eve = beside.client(role="reviewer"), beside.client("person:eve", "viewer")
    found = ana.post(place, json={"revision": "looser"})
    assert (found.status_code, found.json()["models"][0]["model"]) == (200, MODEL)
    assert eve.post(place, json={"revision": "looser"}).status_code == 403
    assert eve.post(place, json={"text": RULES + "# more\n"}).status_code == 200
    assert ana.post(place, json={"revision": "nothing"}).status_code == 404
    assert ana.post(place, json={"revision": "file:///etc"}).status_code == 422
    for both in ({}, {"revision": "looser", "text": RULES}):
        assert ana.post(place, json=both).json()["detail"] == "Give text or revision, one of them."


def test_thousands_of_policies_come_in_parts_and_are_filtered(tmp_path: Path):
    office = Office(tmp_path)
    names = [f"m-{number:03}" for number in range(150)]
    with office.house.store.begin() as tx:
        for name in names:
            ref = RulesRef(path=f"rules/{name}.yaml", blob=f"b-{name}")
            tx.rules.activate(
                ActiveRules(model=name, ref=ref, text="", activated_at=office.house.clock.now())
            )
        tx.rules.refuse("m-077", "It has no review.")
    ana = office.visitor()

    def listed(text: str) -> list[str]:
        return re.findall(r'href="/policies/(m-\d+)"', text)

    first = ana.get("/policies").text
    following = re.search(r'href="/policies(\?after=[^"]+)">More', first)
    assert following
    rest = ana.get("/policies" + following[1].replace("&amp;", "&")).text
    assert listed(first) + listed(rest) == names
    assert "More →" not in rest
    assert listed(ana.get("/policies?q=M-01").text) == [f"m-01{n}" for n in range(10)]
    assert listed(ana.get("/policies?refused=1").text) == ["m-077"]
    assert "No such policy." in ana.get("/policies?q=%3Cscript%3E").text
